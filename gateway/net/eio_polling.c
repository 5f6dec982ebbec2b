#include <stdlib.h>

#include "common/utf8.h"
#include "gateway/net/eio_internal.h"

#define PACKETS_A_TURN 512 /* of one session's post; the rest waits for the next turn */
#define SECOND_MS      500 /* for a dead node's connection to end */
/* An answer has no more messages, once it has as many bytes: it is a copy of its own. */
#define ANSWER_BYTES 1048576
#define FLOOR        16 /* bytes of an answer that take a slow line a ms: 16 KB/s */

/* --- answers --------------------------------------------------------------------------------
 */

static void refuse(const struct http_request *request, enum eio_error error) {
    http_answer_and_keep(request, eio_error_status(error), EIO_JSON_TYPE,
                         slice_of(eio_error_body(error)), NULL);
}

static void refuse_later(struct http_later *later, enum eio_error error) {
    http_answer_later(later, eio_error_status(error), EIO_JSON_TYPE,
                      slice_of(eio_error_body(error)), NULL);
}

static void answer_text(struct http_later *later, struct slice text) {
    http_answer_later(later, 200, EIO_TEXT_TYPE, text, NULL);
}

static void answer_get(struct eio_polling *p, struct slice payload) {
    answer_text(&p->get, payload);
}

static void answer_post(struct eio_polling *p, bool good) {
    if (good)
        answer_text(&p->post, SLICE("ok"));
    else
        refuse_later(&p->post, EIO_E_REQUEST);
}

void eio_answer_unknown(struct http_later *later) {
    refuse_later(later, EIO_E_SID);
}

void eio_answer_nothing(struct http_later *later) {
    answer_text(later, SLICE("6"));
}

/* --- a polled session -----------------------------------------------------------------------
 */

/* A client that gives its poll up has gone. Another node that gives one up is going itself: it
 * says so otherwise if it was the client. */
static void on_get_gone(struct http_later *later) {
    struct eio_polling *p = container_of(later, struct eio_polling, get);
    if (!p->get_from_node) {
        eio_end(p->session, EIO_GONE_TRANSPORT);
    } else if (p->second.http != NULL) {
        http_later_move(&p->second, &p->get);
        p->get_from_node = p->second_from_node;
        eio_mark(p->session);
    } else {
        eio_await_poll(p->session, 0);
    }
}

static void on_second_gone(struct http_later *later) {
    struct eio_polling *p = container_of(later, struct eio_polling, second);
    if (!p->second_from_node)
        eio_end(p->session, EIO_GONE_TRANSPORT);
}

uint64_t eio_polling_due(const struct eio_session *s, enum eio_gone *why) {
    const struct eio_polling *p = s->polling;
    *why = EIO_GONE_OVERLAP;
    if (p != NULL && p->second.http != NULL)
        return p->second_until;
    *why = EIO_GONE_TIMEOUT;
    /* Who probes holds its polls back; the probe has a time of its own. */
    bool waits = p == NULL || p->get.http != NULL || p->post.http != NULL || s->probe != NULL;
    return waits ? UINT64_MAX : p->polled_until;
}

void eio_await_poll(struct eio_session *s, size_t answered) {
    if (s->state != EIO_POLLING)
        return;
    s->polling->polled_until =
        net_now(s->server->net) + s->server->config.ping_interval_ms + answered / FLOOR;
    eio_arm(s);
}

bool eio_polling_receives(const struct eio_session *s) {
    return s->polling != NULL && s->polling->post.http != NULL && !s->polling->handling;
}

static void on_post_gone(struct http_later *later) {
    eio_end(container_of(later, struct eio_polling, post)->session, EIO_GONE_TRANSPORT);
}

static void on_receipt(struct http_receipt *receipt) {
    struct eio_polling *p = container_of(receipt, struct eio_polling, receipt);
    p->unsure = false;
    if (p->get.http != NULL)
        eio_mark(p->session);
}

/* The node died with messages, or it did not; the client is recovered if it begins anew. */
static void on_receipt_gone(struct http_receipt *receipt) {
    eio_end(container_of(receipt, struct eio_polling, receipt)->session, EIO_GONE_TRANSPORT);
}

bool eio_polling_begin(struct eio_session *s) {
    struct eio_polling *p = calloc(1, sizeof *p);
    if (p == NULL)
        return false;
    p->session = s;
    p->get.gone = on_get_gone;
    p->post.gone = on_post_gone;
    p->second.gone = on_second_gone;
    p->receipt.come = on_receipt;
    p->receipt.gone = on_receipt_gone;
    p->get.keep_errors = p->second.keep_errors = p->post.keep_errors = true;
    buf_init(&p->in);
    p->polled_until = net_now(s->server->net) + s->server->config.ping_interval_ms;
    s->polling = p;
    return true;
}

void eio_polling_free(struct eio_session *s) {
    struct eio_polling *p = s->polling;
    if (p == NULL)
        return;
    s->polling = NULL;
    http_drop_receipt(&p->receipt);
    queue_clear(&p->out, &s->server->net->out);
    buf_deinit(&p->in);
    free(p);
}

/* The client of Python gives up a session whose poll has more packets than this. */
#define PACKETS_OF_PYTHON 16

static size_t most_packets(const struct http_request *request) {
    const char *agent = http_header(request, "user-agent");
    return agent != NULL && strcasestr(agent, "python") != NULL ? PACKETS_OF_PYTHON : SIZE_MAX;
}

/* Appends the packet of a frame that wsock_encode made. True: it is a message. */
static bool put_packet(struct region frame, struct buf *payload) {
    const unsigned char *b = (const unsigned char *)frame.slab->bytes + frame.at;
    size_t head = b[1] < 126 ? 2 : b[1] == 126 ? 4 : WS_HEADER_MAX;
    struct slice packet = {(const char *)b + head, frame.len - head};
    if ((b[0] & 0x0fU) == WS_BINARY) {
        eio_payload_binary(payload, packet);
        return true;
    }
    eio_payload_text(payload, packet);
    return packet.ptr[0] == EIO_MESSAGE || packet.ptr[0] == EIO_BINARY;
}

bool eio_polling_send(struct eio_session *s, struct region message, bool ephemeral) {
    struct net *n = s->server->net;
    const struct eio_polling *p = s->polling;
    struct out_queue *out = &s->polling->out;
    if (ephemeral && queue_sheds(out, n->max_queue))
        return false;
    if (queue_is_full(out, n->max_queue, message.len, p->handling, net_awake(n))) {
        eio_end(s, EIO_GONE_SLOW);
        return false;
    }
    if (!queue_push(out, &n->out, message, true)) {
        eio_end(s, EIO_GONE_MEMORY);
        return false;
    }
    metric_add(n->metrics, METRIC_SENT_MESSAGES + DOOR_SIO, 1);
    eio_mark(s);
    return true;
}

/* Gives what waits to the poll that waits. */
static void answer_with_queue(struct eio_session *s) {
    struct eio_polling *p = s->polling;
    struct net *n = s->server->net;
    struct buf payload;
    bool messages = false;
    buf_init(&payload);
    for (size_t i = 0; p->out.bytes > 0 && i < p->most && payload.len < ANSWER_BYTES; i++) {
        struct region frame = queue_first(&p->out);
        messages = put_packet(frame, &payload) || messages;
        queue_sent(&p->out, &n->out, frame.len);
    }
    queue_took(&p->out, net_awake(n));
    if (p->get_from_node && messages)
        http_await_receipt(&p->get, &p->receipt);
    p->unsure = p->receipt.http != NULL;
    if (payload.failed && s->state != EIO_CLOSED)
        eio_end(s, EIO_GONE_MEMORY);
    else
        answer_get(p, payload.failed ? SLICE("1") : buf_bytes(&payload));
    eio_await_poll(s, payload.len);
    buf_deinit(&payload);
}

void eio_polling_release(struct eio_session *s) {
    struct eio_polling *p = s->polling;
    if (p->get.http == NULL || p->unsure)
        return;
    if (p->second.http != NULL) {
        answer_get(p, SLICE("6"));
        eio_answer_nothing(&p->second);
        eio_await_poll(s, 0);
    } else if (p->out.bytes > 0) {
        answer_with_queue(s);
    } else {
        answer_get(p, SLICE("6"));
        eio_await_poll(s, 0);
    }
}

void eio_polling_end(struct eio_session *s, enum eio_gone why) {
    struct eio_polling *p = s->polling;
    /* A close never stands behind messages: official clients end at once, hand these on a turn
     * later without keeping their offset, and would get them again when they are recovered. Who
     * gets messages learns of the end by the next poll. */
    if (why == EIO_GONE_CLIENT)
        answer_get(p, SLICE("6"));
    else if (p->unsure)
        eio_answer_unknown(&p->get);
    else if (why == EIO_GONE_SLOW || why == EIO_GONE_MEMORY || p->out.bytes == 0)
        answer_get(p, SLICE("1"));
    else
        answer_with_queue(s);
    refuse_later(&p->second, EIO_E_REQUEST);
    answer_post(p, why == EIO_GONE_CLIENT);
}

/* Handles the packets of a post, as many as a turn may have. */
static void pump(struct eio_session *s) {
    struct eio_polling *p = s->polling;
    struct slice packet;
    for (unsigned n = 0; p->reading.at != NULL; n++) {
        if (s->paused)
            return;
        if (n == PACKETS_A_TURN) {
            eio_mark(s);
            return;
        }
        eio_payload_next(&p->reading, &packet);
        metric_add(s->server->net->metrics, METRIC_RECEIVED_MESSAGES + DOOR_SIO, 1);
        eio_take(s, packet);
        if (s->state == EIO_CLOSED)
            return;
    }
    buf_deinit(&p->in);
    p->handling = false;
    answer_post(p, true);
    p->polled_until += net_now(s->server->net) - p->post_since; /* one may poll after it */
    eio_arm(s);
}

void eio_polling_flush(struct eio_session *s) {
    struct eio_polling *p = s->polling;
    struct net *n = s->server->net;
    if (p->handling)
        pump(s);
    if (s->state == EIO_CLOSED)
        return;
    if (p->get.http != NULL && p->second.http == NULL && p->out.bytes > 0 && !p->unsure)
        answer_with_queue(s);
    if (s->probe != NULL && s->probe->probed)
        eio_polling_release(s);
    if (p->out.bytes > 0)
        queue_lags(&p->out, &n->out, p->out.bytes, net_awake(n));
    if (s->want_drained && p->out.bytes == 0) {
        s->want_drained = false;
        s->server->ops->on_drained(s);
    }
}

/* --- requests -------------------------------------------------------------------------------
 */

static bool is_handed_over(const struct eio_server *e, const struct http_request *request) {
    const struct eio_elsewhere *way = e->config.elsewhere;
    return way != NULL && way->is_handed_over(way->owner, request);
}

/* A poll waits at another node. If that has died, the client's proxy may ask once more before
 * this one sees the connection's end: so it is waited for, and nothing is said meanwhile. */
static void get_second(struct eio_session *s, const struct http_request *request) {
    struct eio_polling *p = s->polling;
    p->second_from_node = is_handed_over(s->server, request);
    p->second_until = net_now(s->server->net) + SECOND_MS;
    http_defer(request, &p->second, 0);
    eio_arm(s);
}

static void get(struct eio_session *s, const struct http_request *request) {
    struct eio_polling *p = s->polling;
    if (p->get.http != NULL && p->get_from_node && p->second.http == NULL) {
        get_second(s, request);
        return;
    }
    if (p->get.http != NULL) {
        eio_end(s, EIO_GONE_OVERLAP);
        refuse(request, EIO_E_REQUEST);
        return;
    }
    p->get_from_node = is_handed_over(s->server, request);
    http_defer(request, &p->get, 0);
    if (p->out.bytes > 0 || (s->probe != NULL && s->probe->probed))
        eio_polling_release(s);
    if (s->want_drained)
        eio_mark(s);
}

/* The request's body does not outlive this turn. */
static void keep_rest(struct eio_session *s) {
    struct eio_polling *p = s->polling;
    struct slice rest = {p->reading.at, (size_t)(p->reading.end - p->reading.at)};
    buf_slice(&p->in, rest);
    if (p->in.failed)
        eio_end(s, EIO_GONE_MEMORY);
    else if (rest.len == 0)
        eio_end(s, EIO_GONE_INVALID); /* it ends in a separator */
    else
        eio_payload_init(&p->reading, buf_bytes(&p->in));
}

static void post(struct eio_session *s, const struct http_request *request) {
    struct eio_polling *p = s->polling;
    bool watched = http_claim(request) != NULL;
    if (!watched && p->post.http != NULL) {
        eio_end(s, EIO_GONE_OVERLAP);
        refuse(request, EIO_E_REQUEST);
        return;
    }
    if (!watched)
        p->post_since = net_now(s->server->net);
    http_defer(request, &p->post, 0);
    if (request->body.len == 0 || !utf8_valid(request->body)) {
        eio_end(s, EIO_GONE_INVALID);
        return;
    }
    eio_payload_init(&p->reading, request->body);
    p->handling = true;
    pump(s);
    if (s->state != EIO_CLOSED && p->handling)
        keep_rest(s);
}

/* What a request asks for, once it is found to be in order. */
struct call {
    bool websocket;
    struct eio_session *session; /* NULL: a new one */
};

static enum eio_error check_session(struct eio_server *e, const struct http_request *request,
                                    struct slice sid, struct call *call) {
    struct map_node *found = map_find(&e->sessions, sid);
    struct eio_session *s =
        found != NULL ? container_of(found, struct eio_session, node) : NULL;
    bool reads = slice_is(request->method, "GET");
    if (s != NULL && eio_is_over(s) && !http_is_watched(request)) {
        eio_end(s, EIO_GONE_TIMEOUT);
        s = NULL;
    }
    call->session = s;
    if (s == NULL)
        return EIO_E_SID;
    if (call->websocket != request->upgrade)
        return EIO_E_REQUEST;
    if (!call->websocket &&
        (s->state != EIO_POLLING || (!reads && !slice_is(request->method, "POST"))))
        return EIO_E_REQUEST;
    return EIO_ERROR_COUNT;
}

/* EIO_ERROR_COUNT: in order. */
static enum eio_error check(struct eio_server *e, const struct http_request *request,
                            struct call *call) {
    struct slice transport = eio_query(request->query, "transport");
    struct slice sid = eio_query(request->query, "sid");
    *call = (struct call){.websocket = slice_is(transport, "websocket")};
    if (eio_is_forbidden(e, request))
        return EIO_E_FORBIDDEN;
    if (!call->websocket && !slice_is(transport, "polling"))
        return EIO_E_TRANSPORT;
    if (sid.len > 0)
        return check_session(e, request, sid, call);
    if (!slice_is(request->method, "GET"))
        return EIO_E_METHOD;
    if (call->websocket != request->upgrade)
        return EIO_E_REQUEST;
    if (!slice_is(eio_query(request->query, "EIO"), "4"))
        return EIO_E_VERSION;
    return EIO_ERROR_COUNT;
}

static void begin_polled(struct eio_server *e, const struct http_request *request) {
    struct buf open;
    if (!addresses_enter(&e->polled, &request->conn->address)) {
        /* No 503: a proxy would take the node for ill and ask the next one. */
        http_answer_and_keep(request, 429, EIO_TEXT_TYPE, SLICE("too many from your address\n"),
                             NULL);
        return;
    }
    buf_init(&open);
    struct eio_session *s = e->ops->on_open(e->owner, request);
    if (eio_begin(e, s, request->conn, EIO_POLLING, &open)) {
        s->polling->most = most_packets(request);
        http_answer(request, 200, EIO_TEXT_TYPE, buf_bytes(&open), NULL);
    } else {
        addresses_leave(&e->polled, &request->conn->address);
        http_answer_and_keep(request, 503, EIO_TEXT_TYPE, SLICE("out of memory\n"), NULL);
    }
    buf_deinit(&open);
}

/* The node that a sid names, if it is another one and the request is one for it; else empty. */
static struct slice node_of(const struct eio_server *e, const struct http_request *request) {
    struct slice sid = eio_query(request->query, "sid");
    struct slice none = {NULL, 0};
    bool websocket = slice_is(eio_query(request->query, "transport"), "websocket");
    bool gets = slice_is(request->method, "GET");
    if (e->config.elsewhere == NULL || sid.len != EIO_SID_SIZE - 1 ||
        websocket != request->upgrade ||
        (!gets && (websocket || !slice_is(request->method, "POST"))))
        return none;
    struct slice node = {sid.ptr + EIO_ID_SIZE - 1, EIO_NODE_SIZE - 1};
    return slice_is(node, e->config.node) ? none : node;
}

static bool goes_elsewhere(const struct eio_server *e, const struct http_request *request,
                           enum eio_error error, bool head) {
    const struct eio_elsewhere *way = e->config.elsewhere;
    struct slice node = error == EIO_E_SID ? node_of(e, request) : (struct slice){NULL, 0};
    if (node.len == 0)
        return false;
    return head ? way->body(way->owner, request, node) : way->route(way->owner, request, node);
}

static bool is_full(const struct eio_server *e) {
    return e->config.max_sessions != 0 && e->count >= e->config.max_sessions;
}

void eio_server_route(struct eio_server *e, const struct http_request *request) {
    struct call call;
    if (slice_is(request->method, "OPTIONS")) {
        eio_preflight(e, request);
        return;
    }
    enum eio_error error = check(e, request, &call);
    if (goes_elsewhere(e, request, error, false))
        return;
    if (error != EIO_ERROR_COUNT)
        refuse(request, error);
    else if (call.session == NULL && is_full(e))
        http_answer_and_keep(request, 503, EIO_TEXT_TYPE, SLICE("too many sessions\n"), NULL);
    else if (call.session == NULL && call.websocket)
        eio_begin_socket(e, request);
    else if (call.session == NULL)
        begin_polled(e, request);
    else if (call.websocket)
        eio_begin_probe(call.session, request);
    else if (slice_is(request->method, "GET"))
        get(call.session, request);
    else
        post(call.session, request);
}

/* A body is to come: only where there is a session for it, and one at a time. */
size_t eio_server_body(struct eio_server *e, const struct http_request *request) {
    struct call call;
    enum eio_error error = check(e, request, &call);
    bool posts = slice_is(request->method, "POST") && !call.websocket;
    if (goes_elsewhere(e, request, error, true))
        return e->config.max_payload;
    if (error == EIO_ERROR_COUNT && posts && call.session->polling->post.http == NULL) {
        call.session->polling->post_since = net_now(e->net);
        http_watch(request, &call.session->polling->post);
        return eio_most(call.session, true);
    }
    if (error == EIO_ERROR_COUNT && posts)
        eio_end(call.session, EIO_GONE_OVERLAP);
    if (error == EIO_ERROR_COUNT)
        error = EIO_E_REQUEST;
    http_answer(request, eio_error_status(error), EIO_JSON_TYPE,
                slice_of(eio_error_body(error)), NULL);
    return 0;
}
