#include "gateway/net/http_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define QUEUED_MOST 65536 /* bytes of answers that a connection may leave unread */
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
    case 408:
        return "Request Timeout";
    case 413:
        return "Content Too Large";
    case 426:
        return "Upgrade Required";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Internal Server Error";
    }
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

/* Nothing is lost if it is closed now. */
static void is_idle(struct http *h) {
    list_remove(&h->link);
    list_push(&h->conn->net->http_idle, &h->link);
}

static void close_behind(struct http *h) {
    h->closing = true;
    conn_end(h->conn);
    conn_deadline(h->conn, net_now(h->conn->net) + LINGER_MS);
    is_idle(h);
}

/* What the path has to say in whatever answer it gives. */
static void put_lines(struct http *h, struct buf *out) {
    if (!h->has_head || h->passed_on || h->router->lines == NULL)
        return;
    struct http_request request = http_request_of(h);
    h->router->lines(h->router->owner, &request, out);
}

void http_put_answer(struct http *h, int status, const char *type, struct slice body,
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
    put_lines(h, &out);
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
        close_behind(h);
    }
    buf_deinit(&out);
    http_let_go(h);
}

void http_refuse(struct http *h, int status, const char *why) {
    const char *extra = status == 405 ? "Allow: GET\r\n" : NULL;
    if (!h->answered)
        http_put_answer(h, status, "text/plain", slice_of(why),
                        h->has_head && h->parser.method == HTTP_HEAD, false, extra);
}

/* Whoever watched the request's body hears of an answer that somebody else gave. */
static void lose_watcher(struct http *h) {
    struct http_later *watched = h->watched;
    h->watched = NULL;
    if (watched != NULL && watched->gone != NULL)
        watched->gone(watched);
}

/* False: the connection speaks HTTP no more. */
static bool route(struct http *h) {
    struct conn *c = h->conn;
    struct http_request request = http_request_of(h);
    metric_add(c->net->metrics, METRIC_RECEIVED_MESSAGES + DOOR_HTTP, 1);
    h->watched = h->later;
    h->later = NULL;
    if (h->watched != NULL)
        h->watched->http = NULL;
    h->router->route(h->router->owner, &request);
    if (c->peer != h) /* upgraded: h is gone */
        return false;
    lose_watcher(h);
    return !c->closed;
}

/* What the request under way holds, and what came behind it. */
static void count(struct http *h) {
    size_t now = sizeof *h + h->target.cap + h->fields.text.cap + h->body.cap + h->rest.cap;
    h->conn->net->requests_held += now - h->counted;
    h->counted = now;
}

/* --- the connection -------------------------------------------------------------------------
 */

void http_free(struct http *h) {
    http_let_go(h);
    http_lose_receipt(h);
    lose_watcher(h);
    list_remove(&h->link);
    h->conn->net->requests_held -= h->counted;
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
    http_let_go(h);
    http_lose_receipt(h);
}

/* A long answer takes a slow peer long: while some of it goes, there is time for the rest. */
static bool is_taking(struct http *h) {
    size_t before = h->unsent;
    h->unsent = conn_unsent(h->conn);
    return h->answered && h->unsent > 0 && h->unsent < before;
}

/* Likewise a body, of a client whose way up is slow, or that is held back. */
static bool is_giving(struct http *h) {
    size_t least = (size_t)(HTTP_FLOOR * h->router->timeout_ms / 1000);
    size_t before = h->body_seen;
    h->body_seen = h->body_got;
    return h->in_body && !h->answered && net_now(h->conn->net) < h->body_until &&
           (h->conn->paused || h->body_got - before >= least);
}

/* It waits for a request, and may yet. */
static bool is_resting(struct http *h) {
    return h->answered && !h->begun && !h->closing && conn_unsent(h->conn) == 0 &&
           net_now(h->conn->net) < h->idle_until;
}

static void extend(struct http *h, uint64_t until) {
    uint64_t at = net_now(h->conn->net) + h->router->timeout_ms;
    conn_deadline(h->conn, at < until ? at : until);
}

/* For the next request, if what was answered is taken. */
static void rest(struct http *h) {
    is_idle(h);
    h->idle_until = net_now(h->conn->net) + h->router->idle_ms;
    extend(h, h->idle_until);
}

static void on_deadline(struct conn *c) {
    struct http *h = c->peer;
    if (h->later != NULL && h->later->late != NULL)
        h->later->late(h->later);
    else if (is_giving(h))
        extend(h, h->body_until);
    else if (is_taking(h))
        extend(h, UINT64_MAX);
    else if (is_resting(h))
        conn_deadline(c, h->idle_until);
    else if (h->begun && !h->answered)
        http_refuse(h, 408, "the request came too slowly\n");
    else /* who has the whole answer may not have read it yet: a reset would take it away */
        conn_close(c, !h->answered || h->unsent > 0);
}

/* The answer is put off, and with it what has come behind the request. */
static void hold(struct http *h, const char *bytes, size_t len) {
    bool watched = h->later != NULL && h->later->gone != NULL;
    buf_append(&h->rest, bytes, len);
    if (h->rest.failed || (watched && h->rest.len > HTTP_HEAD_MAX)) {
        conn_close(h->conn, true);
        http_let_go(h);
    } else if (!watched) {
        conn_pause(h->conn, true);
    }
}

static void next_request(struct http *h) {
    llhttp_reset(&h->parser);
    h->in_body = h->begun = false;
    if (h->body.cap > 0)
        buf_deinit(&h->body);
}

void http_began(struct http *h) {
    bool first = !h->has_head; /* it has its time from the connection on */
    h->begun = true;
    if (!first)
        conn_deadline(h->conn, net_now(h->conn->net) + h->router->timeout_ms);
}

static void take_bytes(struct conn *c, const char *bytes, size_t len) {
    struct http *h = c->peer;
    struct http_receipt *receipt = len > 0 ? http_take_receipt(h) : NULL;
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
        if (!route(h)) {
            if (c->peer != h && !c->closed && len > 0) /* the rest is the new layer's */
                c->ops->on_bytes(c, bytes, len);
            return;
        }
        next_request(h);
        if (!h->held && !h->closing)
            rest(h);
    }
}

static void on_bytes(struct conn *c, const char *bytes, size_t len);

/* An answer that was put off has left: on with what came behind its request. */
static void on_drained(struct conn *c) {
    struct http *h = c->peer;
    if (h->closing) {
        conn_close(c, false);
        return;
    }
    struct buf left = h->rest;
    buf_init(&h->rest);
    h->held = false;
    conn_pause(c, false);
    rest(h);
    on_bytes(c, left.data, left.len); /* may be held back once more, or upgrade */
    buf_deinit(&left);
}

static const struct conn_ops http_ops = {
    .on_bytes = on_bytes,
    .on_end = on_end,
    .on_deadline = on_deadline,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

static void on_bytes(struct conn *c, const char *bytes, size_t len) {
    take_bytes(c, bytes, len);
    if (c->ops == &http_ops)
        count(c->peer);
}

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
    list_init(&h->link);
    list_push(&n->http_idle, &h->link);
    conn_take(c, &http_ops, h);
    count(h);
    conn_deadline(c, net_now(n) + router->timeout_ms);
    return c;
}

bool http_close_idle(struct net *n) {
    if (list_empty(&n->http_idle))
        return false;
    struct http *h = container_of(n->http_idle.next, struct http, link);
    list_remove(&h->link);
    conn_close(h->conn, false);
    return true;
}

bool http_end_idle(struct conn *c) {
    const struct http *h = c->peer;
    bool idle = h->answered && !h->held && (h->closing || h->head_bytes == 0);
    if (idle && c->queue.bytes == 0)
        conn_close(c, false); /* no reset: it may not have read the answer yet */
    return c->closed;
}

bool http_keeps(const struct http_request *request) {
    const struct http *h = request->http;
    /* Who asks on without reading the answers is not answered for ever. */
    bool reads_on = request->conn->queue.bytes <= QUEUED_MOST;
    /* What comes behind an upgrade may be of the new protocol, also when that was refused. */
    return reads_on && !request->upgrade && !h->router->draining && h->parser.http_minor == 1 &&
           !fields_have(&h->fields, "connection", "close");
}

void http_answer(const struct http_request *request, int status, const char *type,
                 struct slice body, const char *extra) {
    http_put_answer(request->http, status, type, body, slice_is(request->method, "HEAD"),
                    status < 400 && http_keeps(request), extra);
}

void http_answer_and_keep(const struct http_request *request, int status, const char *type,
                          struct slice body, const char *extra) {
    http_put_answer(request->http, status, type, body, slice_is(request->method, "HEAD"),
                    http_keeps(request), extra);
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
