#include "gateway/net/http_later.h"

#include "gateway/net/http_state.h"

static void defer(const struct http_request *request, struct http_later *later) {
    struct http *h = request->http;
    later->http = h;
    h->later = later;
    h->held = true;
    h->later_head = slice_is(request->method, "HEAD");
    h->later_keep = http_keeps(request);
    list_remove(&h->link);
}

void http_hold(const struct http_request *request, struct http_later *later) {
    later->upgrades = true;
    defer(request, later);
}

void http_defer(const struct http_request *request, struct http_later *later,
                uint64_t timeout_ms) {
    struct http *h = request->http;
    defer(request, later);
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

void http_pause_body(struct http_later *later, bool pause) {
    if (later->http != NULL)
        conn_pause(later->http->conn, pause);
}

struct http_later *http_claim(const struct http_request *request) {
    struct http_later *watched = request->http->watched;
    request->http->watched = NULL;
    return watched;
}

bool http_is_watched(const struct http_request *request) {
    return request->http->watched != NULL;
}

void http_await_receipt(const struct http_later *later, struct http_receipt *receipt) {
    receipt->http = later->http;
    if (receipt->http != NULL)
        receipt->http->receipt = receipt;
}

void http_drop_receipt(struct http_receipt *receipt) {
    if (receipt->http != NULL)
        receipt->http->receipt = NULL;
    receipt->http = NULL;
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
    bool keep = h->later_keep && !h->router->draining && (status < 400 || later->keep_errors);
    h->passed_on = later->passed_on;
    http_put_answer(h, status, type, body, h->later_head, keep, extra);
    if (h->closing)
        conn_pause(h->conn, false); /* to see the peer's end */
    else
        conn_want_drained(h->conn);
    return !h->conn->closed;
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
    conn_pause(c, false);
    http_free(h);
    return c;
}
