#include "gateway/net/http_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define QUEUED_MOST 65536 /* bytes of answers that a connection may leave unread */
#define BODY_LEAST  16384 /* bytes of a body that come in timeout_ms, or it is given up */
#define LINGER_MS   2000  /* after an answer that closes: for the peer to read it */

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

void http_refuse(struct http *h, int status, const char *why) {
    const char *extra = status == 405 ? "Allow: GET\r\n" : NULL;
    if (!h->answered)
        answer(h, status, "text/plain", slice_of(why), false, false, extra);
}

static void route(struct http *h) {
    struct http_request request = http_request_of(h);
    metric_add(h->conn->net->metrics, METRIC_RECEIVED_MESSAGES + DOOR_HTTP, 1);
    request.watched = h->later;
    if (h->later != NULL) { /* watched: it has come */
        h->later->http = NULL;
        h->later = NULL;
    }
    h->router->route(h->router->owner, &request);
}

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

/* The answer is put off, and with it what has come behind the request. */
static void hold(struct http *h, const char *bytes, size_t len) {
    bool watched = h->later != NULL && h->later->gone != NULL;
    buf_append(&h->rest, bytes, len);
    if (h->rest.failed || (watched && h->rest.len > HTTP_HEAD_MAX)) {
        conn_close(h->conn, true);
        let_go(h);
    } else if (!watched) {
        conn_pause(h->conn, true);
    }
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
        size_t used = http_parse(h, bytes, len, &whole);
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
    http_parse_init(h);
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
