#include "gateway/net/http_out.h"

#include <llhttp.h>
#include <stdlib.h>
#include <strings.h>

#define HEAD_MAX 16384

struct http_out {
    struct http_peer *peer;
    struct conn *conn;
    struct http_call *call; /* NULL: idle, or it was given up */
    struct list link;       /* in the peer's idle or busy */
    llhttp_t parser;
    struct buf field; /* of the header line under way */
    struct buf value;
    struct buf lines;
    struct buf body;
    size_t head_bytes;
    bool stood;  /* the connection was established */
    bool reused; /* it carried a request before this one */
    bool heard;  /* a byte of the answer came */
    bool whole;
};

/* --- the answer -----------------------------------------------------------------------------
 */

static struct http_out *out_of(llhttp_t *parser) {
    return parser->data;
}

/* Header lines about the connection between two nodes are not passed on. */
static bool is_passed_on(const char *name) {
    static const char *const own[] = {"connection", "content-length",    "keep-alive",
                                      "upgrade",    "transfer-encoding", "date"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (strcasecmp(name, own[i]) == 0)
            return false;
    }
    return true;
}

static bool counts(struct http_out *o, size_t len) {
    o->head_bytes += len;
    return o->head_bytes <= HEAD_MAX;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t len) {
    struct http_out *o = out_of(parser);
    buf_append(&o->field, at, len);
    return counts(o, len) ? 0 : HPE_USER;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len) {
    struct http_out *o = out_of(parser);
    buf_append(&o->value, at, len);
    return counts(o, len) ? 0 : HPE_USER;
}

static int on_header_value_complete(llhttp_t *parser) {
    struct http_out *o = out_of(parser);
    buf_char(&o->field, '\0');
    buf_char(&o->value, '\0');
    if (o->field.failed || o->value.failed)
        return HPE_USER;
    if (is_passed_on(o->field.data))
        buf_printf(&o->lines, "%s: %s\r\n", o->field.data, o->value.data);
    buf_clear(&o->field);
    buf_clear(&o->value);
    return 0;
}

static int on_headers_complete(llhttp_t *parser) {
    struct http_out *o = out_of(parser);
    bool fits =
        (parser->flags & F_CONTENT_LENGTH) == 0 || parser->content_length <= o->peer->body_max;
    buf_char(&o->lines, '\0');
    return fits && !o->lines.failed ? 0 : HPE_USER;
}

static int on_body(llhttp_t *parser, const char *at, size_t len) {
    struct http_out *o = out_of(parser);
    if (len > o->peer->body_max - o->body.len)
        return HPE_USER;
    buf_append(&o->body, at, len);
    return o->body.failed ? HPE_USER : 0;
}

/* Stops the parser: nothing may follow an answer, except after an upgrade. */
static int on_message_complete(llhttp_t *parser) {
    out_of(parser)->whole = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

static struct http_reply reply_of(const struct http_out *o) {
    return (struct http_reply){
        .status = o->parser.status_code, .lines = o->lines.data, .body = buf_bytes(&o->body)};
}

static void forget_answer(struct http_out *o) {
    buf_deinit(&o->field);
    buf_deinit(&o->value);
    buf_deinit(&o->lines);
    buf_deinit(&o->body);
    o->head_bytes = 0;
    o->heard = o->whole = false;
}

/* --- the end of a call ----------------------------------------------------------------------
 */

static struct http_call *take_call(struct http_out *o) {
    struct http_call *call = o->call;
    o->call = NULL;
    if (call != NULL)
        call->out = NULL;
    return call;
}

/* The connection stays in the busy list until it is gone. */
static void out_close(struct http_out *o, bool reset) {
    list_remove(&o->link);
    list_push(&o->peer->busy, &o->link);
    conn_close(o->conn, reset);
}

static void fail(struct http_out *o) {
    enum http_failure why = !o->stood   ? HTTP_UNREACHABLE
                            : o->heard  ? HTTP_BROKEN
                            : o->reused ? HTTP_STALE
                                        : HTTP_ENDED;
    struct http_call *call = take_call(o);
    out_close(o, true);
    if (call != NULL && why == HTTP_UNREACHABLE)
        metric_handshake(o->peer->net->metrics, DOOR_PEER, false);
    if (call != NULL)
        call->failed(call, why);
}

static void out_free(struct http_out *o) {
    list_remove(&o->link);
    forget_answer(o);
    free(o);
}

static void check_closed(struct http_peer *p) {
    if (p->closed && list_empty(&p->idle) && list_empty(&p->busy))
        p->on_closed(p);
}

/* The connection is made ready for the next call before this one is told, because its callback
 * may begin one. */
static void answered(struct http_out *o) {
    struct http_peer *p = o->peer;
    struct http_reply reply = reply_of(o);
    struct buf lines = o->lines;
    struct buf body = o->body;
    buf_init(&o->lines);
    buf_init(&o->body);
    bool keep = llhttp_should_keep_alive(&o->parser) && !p->closed && !o->conn->end_after;
    struct http_call *call = take_call(o);
    keep = keep && (call == NULL || !call->open);
    metric_add(p->net->metrics, METRIC_RECEIVED_MESSAGES + DOOR_PEER, 1);
    forget_answer(o);
    if (keep) {
        list_remove(&o->link);
        list_push(&p->idle, &o->link);
        conn_deadline(o->conn, net_now(p->net) + p->idle_ms);
    } else {
        out_close(o, false);
    }
    enum http_fate fate = call != NULL ? call->answered(call, &reply) : HTTP_TAKEN;
    if (keep && fate == HTTP_PASSED_ON)
        conn_send_parts(o->conn, &SLICE("\r\n"), 1);
    else if (keep && fate == HTTP_DROPPED)
        out_close(o, false); /* otherwise its next request would be taken for that line */
    buf_deinit(&lines);
    buf_deinit(&body);
}

static void upgraded(struct http_out *o, struct slice rest) {
    struct http_peer *p = o->peer;
    struct http_reply reply = reply_of(o);
    struct conn *c = o->conn;
    struct http_call *call = take_call(o);
    conn_deadline(c, 0);
    c->peer = NULL;
    if (call != NULL)
        call->upgraded(call, &reply, c, rest);
    out_free(o);
    check_closed(p);
}

/* --- the connection -------------------------------------------------------------------------
 */

static void on_bytes(struct conn *c, const char *bytes, size_t len) {
    struct http_out *o = c->peer;
    if (o->call == NULL) { /* the peer sends though nothing was asked */
        out_close(o, true);
        return;
    }
    o->heard = true;
    enum llhttp_errno error = llhttp_execute(&o->parser, bytes, len);
    bool stopped = error == HPE_PAUSED || error == HPE_PAUSED_UPGRADE;
    size_t used = stopped ? (size_t)(llhttp_get_error_pos(&o->parser) - bytes) : len;
    bool good = error == HPE_OK || (stopped && o->whole);
    if (good && !o->whole)
        return;
    if (good && o->parser.status_code == 101 && o->parser.upgrade)
        upgraded(o, (struct slice){bytes + used, len - used});
    else if (good && o->parser.status_code >= 200 && used == len)
        answered(o);
    else
        fail(o);
}

static void on_end(struct conn *c, int status) {
    (void)status;
    fail(c->peer);
}

/* It was not established in time, or its idle time is over. */
static void on_deadline(struct conn *c) {
    struct http_out *o = c->peer;
    if (c->connecting || o->call == NULL)
        fail(o);
}

static void on_drained(struct conn *c) {
    struct http_out *o = c->peer;
    if (!o->stood)
        metric_handshake(c->net->metrics, DOOR_PEER, true);
    o->stood = true; /* the request has left */
    if (o->call != NULL && o->call->drained != NULL)
        o->call->drained(o->call);
}

static void on_closed(struct conn *c) {
    struct http_out *o = c->peer;
    if (o == NULL)
        return;
    struct http_peer *p = o->peer;
    fail(o); /* in case it broke without on_end */
    out_free(o);
    check_closed(p);
}

static const struct conn_ops out_ops = {
    .on_bytes = on_bytes,
    .on_end = on_end,
    .on_deadline = on_deadline,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

static struct http_out *out_open(struct http_peer *p) {
    struct http_out *o = calloc(1, sizeof *o);
    struct conn *c = o != NULL ? conn_connect(p->net, &p->address, &out_ops, o) : NULL;
    if (c == NULL) {
        free(o);
        return NULL;
    }
    o->peer = p;
    o->conn = c;
    list_init(&o->link);
    conn_deadline(c, net_now(p->net) + p->connect_ms);
    conn_want_drained(c);
    return o;
}

static struct http_out *out_take(struct http_peer *p) {
    if (list_empty(&p->idle))
        return NULL;
    struct http_out *o = container_of(p->idle.prev, struct http_out, link);
    list_remove(&o->link);
    conn_deadline(o->conn, 0);
    o->reused = true;
    return o;
}

bool http_call_begin(struct http_call *call, struct http_peer *p, const struct slice parts[],
                     size_t count, bool fresh) {
    struct http_out *o = p->closed || fresh ? NULL : out_take(p);
    if (o == NULL && !p->closed)
        o = out_open(p);
    if (o == NULL)
        return false;
    list_push(&p->busy, &o->link);
    llhttp_init(&o->parser, HTTP_RESPONSE, &settings);
    o->parser.data = o;
    if (!conn_send_parts(o->conn, parts, count)) {
        out_close(o, true);
        return false;
    }
    metric_add(p->net->metrics, METRIC_SENT_MESSAGES + DOOR_PEER, 1);
    o->call = call;
    call->out = o;
    return true;
}

size_t http_call_send(struct http_call *call, const struct slice parts[], size_t count) {
    if (call->out == NULL || !conn_send_parts(call->out->conn, parts, count))
        return SIZE_MAX;
    struct conn *c = call->out->conn;
    if (c->queue->bytes > HTTP_CALL_MOST)
        conn_want_drained(c);
    return c->queue->bytes;
}

void http_call_drop(struct http_call *call) {
    struct http_out *o = call->out;
    if (o == NULL)
        return;
    take_call(o);
    out_close(o, false);
}

void http_call_hang_up(struct http_call *call) {
    if (call->out != NULL)
        conn_end(call->out->conn);
}

void http_peer_init(struct http_peer *p) {
    list_init(&p->idle);
    list_init(&p->busy);
    p->closed = false;
}

static void close_each(const struct list *all) {
    for (struct list *at = all->next; at != all; at = at->next)
        conn_close(container_of(at, struct http_out, link)->conn, true);
}

void http_peer_close(struct http_peer *p) {
    p->closed = true;
    close_each(&p->idle);
    close_each(&p->busy);
    check_closed(p);
}
