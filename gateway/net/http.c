#include "gateway/net/http.h"

#include <llhttp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "common/fields.h"

#define HEAD_MAX    16384
#define HEADERS_MAX 100
#define QUEUED_MOST 65536 /* bytes of answers that a connection may leave unread */
#define BODY_LEAST  16384 /* bytes of a body that come in timeout_ms, or it is given up */
#define LINGER_MS   2000  /* after an answer that closes: for the peer to read it */

struct http {
    llhttp_t parser;
    const struct http_router *router;
    struct conn *conn;
    struct buf target;
    struct fields fields;
    struct buf body;
    size_t body_max;   /* of the request under way; 0: it has none */
    size_t body_seen;  /* so much had come when its deadline was set */
    size_t head_bytes; /* of the request under way, up to its body */
    const char *feed;  /* bytes that are being parsed */
    size_t body_at;    /* where a body begins in them; SIZE_MAX: none has */
    bool in_body;
    bool answered;
    size_t unsent;            /* of the last answer, when it was looked at; SIZE_MAX: not yet */
    bool closing;             /* answered for the last time: drain what still comes */
    struct http_later *later; /* an answer is put off, or a body's end is watched for */
    bool later_head;          /* that one is to HEAD */
    bool later_keep;          /* and leaves the connection open */
    struct http_receipt *receipt; /* of the last answer */
    bool held;                    /* what comes is kept in `rest` until that answer has left */
    struct buf rest;
};

static const char *reason(int status) {
    switch (status) {
    case 200:
        return "OK";
    case 204:
        return "No Content";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 413:
        return "Content Too Large";
    case 426:
        return "Upgrade Required";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Internal Server Error";
    }
}

/* Nobody waits for the connection any more. */
static void let_go(struct http *h) {
    struct http_later *later = h->later;
    if (later == NULL)
        return;
    h->later = NULL;
    later->http = NULL;
    if (later->gone != NULL)
        later->gone(later);
}

static struct http_receipt *take_receipt(struct http *h) {
    struct http_receipt *receipt = h->receipt;
    h->receipt = NULL;
    if (receipt != NULL)
        receipt->http = NULL;
    return receipt;
}

static void lose_receipt(struct http *h) {
    struct http_receipt *receipt = take_receipt(h);
    if (receipt != NULL)
        receipt->gone(receipt);
}

/* RFC 9110, 6.6.1; made anew once a second. */
static const char *date_line(void) {
    static char line[40];
    static time_t made;
    time_t now = time(NULL);
    struct tm utc;
    if (now != made && gmtime_r(&now, &utc) != NULL) {
        made = now;
        strftime(line, sizeof line, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
    }
    return line;
}

static bool has_body(int status) {
    return status != 204 && status != 304;
}

static void answer(struct http *h, int status, const char *type, struct slice body,
                   bool head_only, bool keep, const char *extra) {
    struct buf out;
    buf_init(&out);
    buf_printf(&out, "HTTP/1.1 %d %s\r\n%s", status, reason(status), date_line());
    if (type != NULL)
        buf_printf(&out, "Content-Type: %s\r\n", type);
    if (has_body(status))
        buf_printf(&out, "Content-Length: %zu\r\n", body.len);
    if (!keep)
        buf_str(&out, "Connection: close\r\n");
    if (extra != NULL)
        buf_str(&out, extra);
    buf_str(&out, "\r\n");
    if (!head_only && has_body(status))
        buf_slice(&out, body);
    h->answered = true;
    h->unsent = SIZE_MAX;
    metric_add(h->conn->net->metrics, METRIC_SENT_MESSAGES + DOOR_HTTP, 1);
    struct slice bytes = buf_bytes(&out);
    if (out.failed || !conn_send_parts(h->conn, &bytes, 1)) {
        conn_close(h->conn, true);
    } else if (!keep) {
        h->closing = true;
        conn_end(h->conn);
        conn_deadline(h->conn, net_now(h->conn->net) + LINGER_MS);
    }
    buf_deinit(&out);
    let_go(h);
}

static void refuse(struct http *h, int status, const char *why) {
    const char *extra = status == 405 ? "Allow: GET\r\n" : NULL;
    if (!h->answered)
        answer(h, status, "text/plain", slice_of(why), false, false, extra);
}

static struct http *http_of(llhttp_t *parser) {
    return parser->data;
}

/* --- what llhttp reports --------------------------------------------------------------------
 */

static int on_message_begin(llhttp_t *parser) {
    struct http *h = http_of(parser);
    buf_clear(&h->target);
    fields_clear(&h->fields);
    h->in_body = false;
    h->body_max = 0;
    h->body_seen = 0;
    h->answered = false;
    return 0;
}

static int on_url(llhttp_t *parser, const char *at, size_t len) {
    buf_append(&http_of(parser)->target, at, len);
    return 0;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t len) {
    struct http *h = http_of(parser);
    if (!h->in_body) /* behind a chunked body: nobody asks for it */
        fields_name(&h->fields, (struct slice){at, len});
    return 0;
}

static int on_header_field_complete(llhttp_t *parser) {
    struct http *h = http_of(parser);
    if (h->in_body)
        h->fields.count++;
    else if (!fields_name_end(&h->fields))
        refuse(h, 400, "a header field has no such name\n");
    if (h->fields.count > HEADERS_MAX)
        refuse(h, 431, "too many header fields\n");
    return h->answered ? HPE_USER : 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len) {
    struct http *h = http_of(parser);
    if (!h->in_body)
        fields_value(&h->fields, (struct slice){at, len});
    return 0;
}

const char *http_header(const struct http_request *request, const char *name) {
    return fields_get(&request->http->fields, name);
}

unsigned http_header_count(const struct http_request *request, const char *name) {
    return fields_count(&request->http->fields, name);
}

static bool reads(const llhttp_t *parser) {
    return parser->method == HTTP_GET || parser->method == HTTP_HEAD;
}

/* The form with scheme and host means the same as the path alone (RFC 9112, 3.2.2). */
static struct slice behind_host(struct slice target) {
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(schemes[i]);
        if (target.len < n || strncasecmp(target.ptr, schemes[i], n) != 0)
            continue;
        while (n < target.len && target.ptr[n] != '/' && target.ptr[n] != '?')
            n++;
        return (struct slice){target.ptr + n, target.len - n};
    }
    return target;
}

static struct http_request request_of(struct http *h) {
    struct http_request request = {.conn = h->conn, .http = h, .body = buf_bytes(&h->body)};
    request.method = slice_of(llhttp_method_name((llhttp_method_t)h->parser.method));
    struct slice target = behind_host(buf_bytes(&h->target));
    const char *mark = memchr(target.ptr, '?', target.len);
    request.path = (struct slice){target.ptr, mark ? (size_t)(mark - target.ptr) : target.len};
    if (mark != NULL)
        request.query = (struct slice){mark + 1, target.len - request.path.len - 1};
    if (request.path.len == 0)
        request.path = SLICE("/");
    request.upgrade = fields_have(&h->fields, "connection", "upgrade") &&
                      fields_have(&h->fields, "upgrade", "websocket");
    return request;
}

/* A body is announced: asks the router whether, and how much of it, is wanted. */
static int begin_body(struct http *h, const llhttp_t *parser) {
    const struct http_router *router = h->router;
    struct http_request request = request_of(h);
    h->body_max = router->body != NULL ? router->body(router->owner, &request) : 0;
    if (h->answered || h->conn->closed)
        return HPE_USER;
    if (h->body_max == 0)
        refuse(h, reads(parser) ? 413 : 405, "this path takes no body\n");
    else if ((parser->flags & F_CHUNKED) == 0 && parser->content_length > h->body_max)
        refuse(h, 413, "the request's body is too long\n");
    else if (fields_have(&h->fields, "expect", "100-continue") &&
             !conn_send_parts(h->conn, &SLICE("HTTP/1.1 100 Continue\r\n\r\n"), 1))
        conn_close(h->conn, true);
    else {
        conn_deadline(h->conn, net_now(h->conn->net) + router->timeout_ms);
        return 0;
    }
    return HPE_USER;
}

/* No body follows; what comes after an upgrade is not HTTP. */
enum { HEADERS_ALONE = 2 };

static int on_headers_complete(llhttp_t *parser) {
    struct http *h = http_of(parser);
    fields_end(&h->fields);
    h->in_body = true;
    if (parser->http_major != 1 || parser->http_minor != 1)
        refuse(h, 505, "HTTP/1.1 is spoken here\n");
    else if (h->fields.text.failed || h->target.failed)
        refuse(h, 503, "out of memory\n");
    else if (fields_count(&h->fields, "host") != 1 ||
             !fields_host_valid(fields_get(&h->fields, "host")))
        refuse(h, 400, "a request has one Host\n");
    else if ((parser->flags & F_TRANSFER_ENCODING) != 0 && (parser->flags & F_CHUNKED) == 0)
        refuse(h, reads(parser) ? 413 : 405, "no path here takes such a body\n");
    else if (parser->content_length > 0 || (parser->flags & F_CHUNKED) != 0)
        return begin_body(h, parser);
    else
        return HEADERS_ALONE;
    return HPE_USER;
}

static int on_body(llhttp_t *parser, const char *at, size_t len) {
    struct http *h = http_of(parser);
    if (h->body_at == SIZE_MAX)
        h->body_at = (size_t)(at - h->feed);
    if (len > h->body_max - h->body.len)
        refuse(h, 413, "the request's body is too long\n");
    else {
        buf_append(&h->body, at, len);
        if (!h->body.failed)
            return 0;
        refuse(h, 503, "out of memory\n");
    }
    return HPE_USER;
}

static void route(struct http *h) {
    struct http_request request = request_of(h);
    metric_add(h->conn->net->metrics, METRIC_RECEIVED_MESSAGES + DOOR_HTTP, 1);
    request.watched = h->later;
    if (h->later != NULL) { /* watched: it has come */
        h->later->http = NULL;
        h->later = NULL;
    }
    h->router->route(h->router->owner, &request);
}

/* Stops the parser behind each request, so that an upgrade or a close is seen before the next.
 */
static int on_message_complete(llhttp_t *parser) {
    (void)parser;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_message_begin = on_message_begin,
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* --- the connection -------------------------------------------------------------------------
 */

static void http_free(struct http *h) {
    let_go(h);
    lose_receipt(h);
    buf_deinit(&h->target);
    fields_deinit(&h->fields);
    buf_deinit(&h->body);
    buf_deinit(&h->rest);
    free(h);
}

static void on_closed(struct conn *c) {
    http_free(c->peer);
}

/* Who only sends no more may still read what it was answered. */
static void on_end(struct conn *c, int status) {
    struct http *h = c->peer;
    if (status == UV_EOF && c->queue.bytes > 0) {
        h->closing = true;
        conn_want_drained(c);
    } else {
        conn_close(c, false);
    }
    let_go(h);
    lose_receipt(h);
}

/* A long answer takes a slow peer long: while some of it goes, there is time for the rest. */
static bool is_taking(struct http *h) {
    size_t before = h->unsent;
    h->unsent = conn_unsent(h->conn);
    return h->answered && h->unsent > 0 && h->unsent < before;
}

/* Likewise a long body, of a client whose way up is slow. */
static bool is_giving(struct http *h) {
    size_t before = h->body_seen;
    h->body_seen = h->body.len;
    return h->in_body && !h->answered && h->body.len - before >= BODY_LEAST;
}

static void on_deadline(struct conn *c) {
    struct http *h = c->peer;
    if (h->later != NULL && h->later->late != NULL)
        h->later->late(h->later);
    else if (is_taking(h) || is_giving(h))
        conn_deadline(c, net_now(c->net) + h->router->timeout_ms);
    else /* who has the whole answer may not have read it yet: a reset would take it away */
        conn_close(c, !h->answered || h->unsent > 0);
}

static void refuse_parse(struct http *h, llhttp_errno_t error) {
    if (error == HPE_INVALID_VERSION)
        refuse(h, 505, "HTTP/1.1 is spoken here\n");
    else
        refuse(h, 400, "not an HTTP request\n");
}

/* The answer is put off, and with it what has come behind the request. */
static void hold(struct http *h, const char *bytes, size_t len) {
    bool watched = h->later != NULL && h->later->gone != NULL;
    buf_append(&h->rest, bytes, len);
    if (h->rest.failed || (watched && h->rest.len > HEAD_MAX)) {
        conn_close(h->conn, true);
        let_go(h);
    } else if (!watched) {
        conn_pause(h->conn, true);
    }
}

/* Counts what belongs to the request's head. Returns false when it is too long. */
static bool head_fits(struct http *h, size_t used) {
    h->head_bytes += h->body_at < used ? h->body_at : used;
    return h->head_bytes <= HEAD_MAX;
}

/* Parses up to the end of a request, which sets *whole. Returns how much was used, or SIZE_MAX
 * when the connection has nothing more to read. */
static size_t parse(struct http *h, const char *bytes, size_t len, bool *whole) {
    bool was_in_body = h->in_body;
    h->feed = bytes;
    h->body_at = SIZE_MAX;
    enum llhttp_errno error = llhttp_execute(&h->parser, bytes, len);
    if (h->closing || h->conn->closed)
        return SIZE_MAX;
    size_t used = len;
    *whole = error == HPE_PAUSED || error == HPE_PAUSED_UPGRADE;
    if (*whole)
        used = (size_t)(llhttp_get_error_pos(&h->parser) - bytes);
    else if (error != HPE_OK) {
        refuse_parse(h, error);
        return SIZE_MAX;
    }
    if (was_in_body || head_fits(h, used))
        return used;
    refuse(h, 431, "the request's head is too long\n");
    return SIZE_MAX;
}

static void next_request(struct http *h) {
    llhttp_reset(&h->parser);
    h->in_body = false;
    if (h->body.cap > 0)
        buf_deinit(&h->body);
}

static void on_bytes(struct conn *c, const char *bytes, size_t len) {
    struct http *h = c->peer;
    const struct http_router *router = h->router;
    struct http_receipt *receipt = len > 0 ? take_receipt(h) : NULL;
    if (receipt != NULL)
        receipt->come(receipt);
    while (len > 0 && !h->closing) {
        bool whole = false;
        if (h->held) {
            hold(h, bytes, len);
            return;
        }
        size_t used = parse(h, bytes, len, &whole);
        if (used == SIZE_MAX || !whole)
            return;
        bytes += used;
        len -= used;
        h->head_bytes = 0;
        route(h);
        if (c->closed)
            return;
        if (c->peer != h) { /* upgraded: the rest is the new layer's, and so is h gone */
            if (len > 0)
                c->ops->on_bytes(c, bytes, len);
            return;
        }
        next_request(h);
        if (!h->held && !h->closing)
            conn_deadline(c, net_now(c->net) + router->timeout_ms);
    }
}

/* An answer that was put off has left: on with what came behind its request. */
static void on_drained(struct conn *c) {
    struct http *h = c->peer;
    if (h->closing) {
        conn_close(c, false);
        return;
    }
    struct buf rest = h->rest;
    buf_init(&h->rest);
    h->held = false;
    conn_pause(c, false);
    on_bytes(c, rest.data, rest.len); /* may be held back once more, or upgrade */
    buf_deinit(&rest);
}

static const struct conn_ops http_ops = {
    .on_bytes = on_bytes,
    .on_end = on_end,
    .on_deadline = on_deadline,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

struct conn *http_accept(struct net *n, uv_stream_t *listener,
                         const struct http_router *router) {
    struct http *h = calloc(1, sizeof *h);
    struct conn *c = conn_accept(n, listener, &http_ops);
    if (h == NULL || c == NULL) {
        free(h);
        if (c != NULL) {
            c->ops = NULL;
            conn_close(c, true);
        }
        return NULL;
    }
    llhttp_init(&h->parser, HTTP_REQUEST, &settings);
    h->parser.data = h;
    h->router = router;
    h->conn = c;
    buf_init(&h->target);
    buf_init(&h->body);
    buf_init(&h->rest);
    conn_take(c, &http_ops, h);
    conn_deadline(c, net_now(n) + router->timeout_ms);
    return c;
}

static bool keeps(const struct http_request *request) {
    /* Who asks on without reading the answers is not answered for ever. */
    bool reads_on = request->conn->queue.bytes <= QUEUED_MOST;
    return reads_on && !fields_have(&request->http->fields, "connection", "close");
}

void http_answer(const struct http_request *request, int status, const char *type,
                 struct slice body, const char *extra) {
    answer(request->http, status, type, body, slice_is(request->method, "HEAD"),
           status < 400 && keeps(request), extra);
}

void http_answer_and_keep(const struct http_request *request, int status, const char *type,
                          struct slice body, const char *extra) {
    answer(request->http, status, type, body, slice_is(request->method, "HEAD"), keeps(request),
           extra);
}

void http_defer(const struct http_request *request, struct http_later *later,
                uint64_t timeout_ms) {
    struct http *h = request->http;
    later->http = h;
    h->later = later;
    h->held = true;
    h->later_head = slice_is(request->method, "HEAD");
    h->later_keep = keeps(request);
    conn_deadline(h->conn, timeout_ms == 0 ? 0 : net_now(h->conn->net) + timeout_ms);
    if (later->gone == NULL)
        conn_pause(h->conn, true);
}

void http_later_move(struct http_later *from, struct http_later *to) {
    to->http = from->http;
    from->http = NULL;
    if (to->http != NULL)
        to->http->later = to;
}

void http_watch(const struct http_request *request, struct http_later *later) {
    struct http *h = request->http;
    later->http = h;
    h->later = later;
    h->later_head = false;
    h->later_keep = false; /* the rest of the body would have to be read */
}

void http_await_receipt(const struct http_later *later, struct http_receipt *receipt) {
    receipt->http = later->http;
    if (receipt->http != NULL)
        receipt->http->receipt = receipt;
}

void http_drop_receipt(struct http_receipt *receipt) {
    if (receipt->http != NULL)
        take_receipt(receipt->http);
}

bool http_answer_later(struct http_later *later, int status, const char *type,
                       struct slice body, const char *extra) {
    struct http *h = later->http;
    if (h == NULL)
        return false;
    later->http = NULL;
    h->later = NULL;
    if (h->conn->closed)
        return false;
    conn_deadline(h->conn, net_now(h->conn->net) + h->router->timeout_ms);
    bool keep = h->later_keep && (status < 400 || later->keep_errors);
    answer(h, status, type, body, h->later_head, keep, extra);
    if (h->closing)
        conn_pause(h->conn, false); /* to see the peer's end */
    else
        conn_want_drained(h->conn);
    return !h->conn->closed;
}

bool http_upgrade(const struct http_request *request, struct slice head) {
    struct http *h = request->http;
    if (!conn_send_parts(h->conn, &head, 1)) {
        conn_close(h->conn, true);
        return false;
    }
    h->conn->peer = NULL;
    h->conn->framed = true;
    conn_deadline(h->conn, 0);
    http_free(h);
    return true;
}

struct conn *http_upgrade_later(struct http_later *later, struct slice head, struct buf *rest) {
    struct http *h = later->http;
    struct conn *c = h->conn;
    later->http = NULL;
    h->later = NULL;
    if (c->closed || !conn_send_parts(c, &head, 1)) {
        conn_close(c, true);
        return NULL;
    }
    *rest = h->rest;
    buf_init(&h->rest);
    c->peer = NULL;
    conn_deadline(c, 0);
    http_free(h);
    return c;
}
