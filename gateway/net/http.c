/*
 * This file has more than 450 lines on purpose: it is the one state machine of a connection
 * that speaks HTTP. What can be told apart from it stands beside it (http_parse, http_head,
 * http_request, http_later).
 */
#include "gateway/net/http.h"

#include <stdlib.h>

#include "gateway/net/http_head.h"
#include "gateway/net/http_state.h"

#define QUEUED_MOST 65536 /* bytes of answers that a connection may leave unread */
#define SPARE_MOST  256  /* connections that were upgraded at once give back so many requests */
#define LINGER_MS   2000 /* how long the peer may take to read the last answer */

static struct http *http_of(struct http_parser *p) {
    return container_of(p, struct http, parser);
}

/* Valid until the next request. */
static struct http_request request_of(struct http *h) {
    struct http_request request = http_request_of(&h->parser);
    request.conn = h->conn;
    request.http = h;
    request.body = buf_bytes(&h->body);
    return request;
}

/* --- what waits for the connection ----------------------------------------------------------
 */

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

/* A request whose body was watched was answered by another part of the program. */
static void lose_watcher(struct http *h) {
    struct http_later *watched = h->watched;
    h->watched = NULL;
    if (watched != NULL && watched->gone != NULL)
        watched->gone(watched);
}

/* --- answers --------------------------------------------------------------------------------
 */

/* From now on nothing is lost if the connection is closed. */
static void idle_again(struct http *h) {
    list_remove(&h->link);
    list_push(&h->conn->net->http_idle, &h->link);
}

static void close_after(struct http *h) {
    h->closing = true;
    conn_end(h->conn);
    conn_deadline(h->conn, net_now(h->conn->net) + LINGER_MS);
    idle_again(h);
}

/* Appends the header lines that every answer of the path has. */
static void put_lines(struct http *h, struct buf *out) {
    if (!h->parser.has_head || h->passed_on || h->router->lines == NULL)
        return;
    struct http_request request = request_of(h);
    h->router->lines(h->router->owner, &request, out);
}

void http_put_answer(struct http *h, int status, const char *type, struct slice body,
                     bool head_only, bool keep, const char *extra) {
    struct buf out;
    buf_init(&out);
    http_head_put(&out, status, type, body.len, keep);
    put_lines(h, &out);
    if (extra != NULL)
        buf_str(&out, extra);
    buf_str(&out, "\r\n");
    if (!head_only && http_status_has_body(status))
        buf_slice(&out, body);
    h->answered = true;
    h->unsent = SIZE_MAX;
    metric_add(h->conn->net->metrics, METRIC_SENT_MESSAGES + DOOR_HTTP, 1);
    struct slice bytes = buf_bytes(&out);
    if (out.failed || !conn_send_parts(h->conn, &bytes, 1)) {
        conn_close(h->conn, true);
    } else if (!keep) {
        close_after(h);
    }
    buf_deinit(&out);
    let_go(h);
}

static void refuse(struct http *h, int status, const char *why) {
    const char *extra = status == 405 ? "Allow: GET\r\n" : NULL;
    bool head = h->parser.has_head && h->parser.llhttp.method == HTTP_HEAD;
    if (!h->answered || !h->begun) /* if none has begun, the one before was answered */
        http_put_answer(h, status, "text/plain", slice_of(why), head, false, extra);
}

/* Returns false when the connection no longer speaks HTTP. */
static bool route(struct http *h) {
    struct conn *c = h->conn;
    struct http_request request = request_of(h);
    list_remove(&h->link);
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

/* Counts the memory of the request under way, and of the bytes that came after it. */
static void count(struct http *h) {
    size_t now = sizeof *h + http_parser_held(&h->parser) + h->body.cap + h->rest.cap;
    h->conn->net->requests_held += now - h->counted;
    h->counted = (unsigned)now;
}

/* --- the connection -------------------------------------------------------------------------
 */

/* Each connection that is upgraded gives one back at once. Out of malloc it would leave a hole
 * that is of no use to what the connection keeps. The first bytes lead to the next one. */
static struct http *take(struct net *n) {
    void **first = n->spare_requests;
    if (first == NULL)
        return calloc(1, sizeof(struct http));
    n->spare_requests = *first;
    n->spare_request_count--;
    return memset(first, 0, sizeof(struct http));
}

static void give(struct net *n, struct http *h) {
    if (n->spare_request_count >= SPARE_MOST) {
        free(h);
        return;
    }
    *(void **)(void *)h = n->spare_requests;
    n->spare_requests = h;
    n->spare_request_count++;
}

void http_free(struct http *h) {
    let_go(h);
    lose_receipt(h);
    lose_watcher(h);
    list_remove(&h->link);
    h->conn->net->requests_held -= h->counted;
    http_parser_deinit(&h->parser);
    buf_deinit(&h->body);
    buf_deinit(&h->rest);
    give(h->conn->net, h);
}

static void on_closed(struct conn *c) {
    http_free(c->peer);
}

/* A peer that has only shut its sending side may still read its answer. */
static void on_end(struct conn *c, int status) {
    struct http *h = c->peer;
    if (status == UV_EOF && c->queue->bytes > 0) {
        h->closing = true;
        conn_want_drained(c);
    } else {
        conn_close(c, false);
    }
    let_go(h);
    lose_receipt(h);
}

/* A slow peer takes long to read a long answer. It has time for the rest as long as it takes
 * some of it. */
static bool is_taking(struct http *h) {
    size_t before = h->unsent;
    h->unsent = conn_unsent(h->conn);
    return h->answered && h->unsent > 0 && h->unsent < before;
}

/* Likewise, a body may come slowly because the client's uplink is slow, or because it is held
 * back here. */
static bool is_giving(struct http *h) {
    size_t least = (size_t)(HTTP_FLOOR * h->router->timeout_ms / 1000);
    size_t before = h->body_seen;
    h->body_seen = h->parser.body_got;
    return h->parser.in_body && !h->answered && net_now(h->conn->net) < h->body_until &&
           (h->conn->paused || h->parser.body_got - before >= least);
}

/* It waits for a request, and has time left to do so. */
static bool is_resting(struct http *h) {
    return h->answered && !h->begun && !h->closing && conn_unsent(h->conn) == 0 &&
           net_now(h->conn->net) < h->idle_until;
}

static void extend(struct http *h, uint64_t until) {
    uint64_t at = net_now(h->conn->net) + h->router->timeout_ms;
    conn_deadline(h->conn, at < until ? at : until);
}

/* Waits for the next request once the peer has taken the last answer. */
static void rest(struct http *h) {
    idle_again(h);
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
        refuse(h, 408, "the request came too slowly\n");
    else /* the peer may have the whole answer without having read it yet, and a reset would
            discard it */
        conn_close(c, !h->answered || h->unsent > 0);
}

/* The answer is deferred, and so are the bytes that came after the request. */
static void hold(struct http *h, const char *bytes, size_t len) {
    bool watched = h->later != NULL && h->later->gone != NULL;
    buf_append(&h->rest, bytes, len);
    bool full = h->rest.len > HTTP_HEAD_MAX;
    if (h->rest.failed || (watched && full && !h->later->upgrades)) {
        conn_close(h->conn, true);
        let_go(h);
    } else if (!watched || full) {
        conn_pause(h->conn, true);
    }
}

static void next_request(struct http *h) {
    http_parser_next(&h->parser);
    h->begun = false;
    if (h->body.cap > 0)
        buf_deinit(&h->body);
}

static void on_begin(struct http_parser *p) {
    struct http *h = http_of(p);
    bool first = !p->has_head; /* its time runs since the connection was accepted */
    h->begun = true;
    if (!first)
        conn_deadline(h->conn, net_now(h->conn->net) + h->router->timeout_ms);
    h->passed_on = h->answered = false;
    h->body_seen = 0;
}

/* A method that may be allowed here, but that never has a body. */
static bool takes_none(const llhttp_t *llhttp) {
    return llhttp->method == HTTP_GET || llhttp->method == HTTP_HEAD ||
           llhttp->method == HTTP_OPTIONS;
}

static bool sends_continue(struct http *h) {
    bool asked = h->parser.llhttp.http_minor == 1 &&
                 fields_have(&h->parser.fields, "expect", "100-continue");
    return !asked || conn_send_parts(h->conn, &SLICE("HTTP/1.1 100 Continue\r\n\r\n"), 1);
}

/* Asks the router whether the body is wanted, and how much of it. */
static bool on_body_announced(struct http_parser *p) {
    struct http *h = http_of(p);
    const struct http_router *router = h->router;
    struct http_request request = request_of(h);
    list_remove(&h->link);
    if (p->llhttp.method == HTTP_POST && router->body != NULL)
        p->body_max = router->body(router->owner, &request);
    if (h->answered || h->conn->closed)
        return false;
    if (p->body_max == 0)
        refuse(h, takes_none(&p->llhttp) ? 413 : 405, "no body is taken here\n");
    else if (!http_parser_is_chunked(p) && p->llhttp.content_length > p->body_max)
        refuse(h, 413, "the request's body is too long\n");
    else if (!sends_continue(h))
        conn_close(h->conn, true);
    else {
        uint64_t now = net_now(h->conn->net);
        h->body_until = now + router->body_ms;
        conn_deadline(h->conn, now + (router->timeout_ms < router->body_ms ? router->timeout_ms
                                                                           : router->body_ms));
        return true;
    }
    return false;
}

static bool on_body(struct http_parser *p, struct slice piece) {
    struct http *h = http_of(p);
    if (h->later != NULL && h->later->piece != NULL)
        h->later->piece(h->later, piece);
    else
        buf_slice(&h->body, piece);
    if (h->body.failed)
        refuse(h, 503, "out of memory\n");
    return !h->answered && !h->conn->closed;
}

static const struct http_parser_ops parser_ops = {
    .on_begin = on_begin, .on_body_announced = on_body_announced, .on_body = on_body};

/* Parses up to the end of a request. Returns SIZE_MAX when nothing more is read, or when the
 * request is not whole yet. */
static size_t read_request(struct http *h, const char *bytes, size_t len) {
    bool whole = false;
    size_t used = http_parse(&h->parser, bytes, len, &whole);
    if (used == SIZE_MAX && h->parser.refusal.status != 0)
        refuse(h, h->parser.refusal.status, h->parser.refusal.why);
    return whole ? used : SIZE_MAX;
}

static void take_bytes(struct conn *c, const char *bytes, size_t len) {
    struct http *h = c->peer;
    struct http_receipt *receipt = len > 0 ? take_receipt(h) : NULL;
    if (receipt != NULL)
        receipt->come(receipt);
    while (len > 0 && !h->closing) {
        if (h->held) {
            hold(h, bytes, len);
            return;
        }
        size_t used = read_request(h, bytes, len);
        if (used == SIZE_MAX)
            return;
        bytes += used;
        len -= used;
        if (!route(h)) {
            if (c->peer != h && !c->closed && len > 0) /* the rest belongs to the new layer */
                c->ops->on_bytes(c, bytes, len);
            return;
        }
        next_request(h);
        if (!h->held && !h->closing)
            rest(h);
    }
}

static void on_bytes(struct conn *c, const char *bytes, size_t len);

/* A deferred answer has left: goes on with the bytes that came after its request. */
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
    on_bytes(c, left.data,
             left.len); /* they may be held back once more, or the connection may upgrade */
    buf_deinit(&left);
}

/* An unfinished request, and a TLS connection that has asked for nothing yet, are worth as
 * little as an unfinished message. */
static size_t http_held(const struct conn *c) {
    const struct http *h = c->peer;
    size_t all = h->body.cap + h->rest.cap;
    if (h->begun && !h->held && !h->answered)
        all += http_parser_held(&h->parser);
    if (c->tls != NULL && !h->parser.has_head)
        all += conn_tls_held(c->tls);
    return all;
}

static void http_shed(struct conn *c) {
    conn_close(c, true);
    let_go(c->peer);
    lose_receipt(c->peer);
}

static const struct conn_ops http_ops = {
    .held = http_held,
    .shed = http_shed,
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

struct conn *http_accept(struct net *n, int fd, const struct sockaddr *from,
                         const struct http_router *router) {
    struct http *h = take(n);
    struct conn *c = conn_accept(n, fd, from, &http_ops);
    if (h == NULL || c == NULL) {
        if (h != NULL)
            give(n, h);
        if (c != NULL) {
            c->ops = NULL;
            conn_close(c, true);
        }
        return NULL;
    }
    http_parser_init(&h->parser, &parser_ops);
    h->router = router;
    h->conn = c;
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
    while (!list_empty(&n->http_idle)) {
        struct http *h = container_of(n->http_idle.next, struct http, link);
        list_remove(&h->link);
        if (h->conn->closed)
            continue; /* its room is free already */
        conn_close(h->conn, false);
        return true;
    }
    return false;
}

bool http_end_idle(struct conn *c) {
    const struct http *h = c->peer;
    bool idle = h->answered && !h->held && (h->closing || h->parser.head_bytes == 0);
    if (idle && c->queue->bytes == 0)
        conn_close(c, false); /* no reset: the peer may not have read the answer yet */
    return c->closed;
}

bool http_keeps(const struct http_request *request) {
    const struct http *h = request->http;
    /* A peer that goes on asking without reading the answers is not answered for ever. */
    bool reads_on = request->conn->queue->bytes <= QUEUED_MOST;
    /* The bytes that follow a request for an upgrade may be of the new protocol, even if the
     * upgrade was refused. */
    return reads_on && !request->upgrade && !h->router->draining &&
           h->parser.llhttp.http_minor == 1 &&
           !fields_have(&h->parser.fields, "connection", "close");
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
    conn_deadline(h->conn, 0);
    http_free(h);
    return true;
}
