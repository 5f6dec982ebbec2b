#include "gateway/node/accept.h"

#include "common/log.h"

#define PLAIN "text/plain; charset=utf-8"

/* --- connections ----------------------------------------------------------------------------
 */

/* Logs one line for a row of failures. */
static void tell_failure(struct node *n, bool failed, const char *why) {
    if (failed && !n->accept_failed)
        LOG(LOG_WARN, "connection_refused", "why", why, "connections",
            log_text("%u", n->net.open), NULL);
    n->accept_failed = failed;
}

static bool count_socket(struct node *n, struct conn *c);

/* Returns false when the connection should speak TLS and cannot. */
static bool make_secure(const struct node *n, struct conn *c) {
    SSL_CTX *context = n->secure.server;
    return n->options->tls_cert[0] == '\0' || (context != NULL && conn_secure(c, context));
}

/* Above max-connections a few more connections are taken, so that they can be told so by HTTP,
 * and so that the node's health can be asked for. Clients cannot occupy these, because
 * connections that wait without a request are closed to make room, the oldest first. */
void accept_connection(struct port *port, int fd, const struct sockaddr *from) {
    struct node *n = port->owner;
    n->last_accept = uv_now(&n->loop);
    uint64_t most = n->most_connections + DESCRIPTORS_KEPT / 2;
    bool full = fd >= 0 && n->net.open >= most && !http_close_idle(&n->net);
    struct conn *c = fd >= 0 ? http_accept(&n->net, fd, from, &n->router) : NULL;
    if (c != NULL) {
        c->own = port == &n->own;
        c->internal = c->own || port == &n->internal;
    }
    bool plain = c != NULL && !c->internal && !make_secure(n, c);
    if (c != NULL && (full || plain))
        conn_close(c, true);
    else if (c != NULL && !count_socket(n, c))
        return;
    bool failed = c == NULL || full || plain;
    metric_handshake(&n->metrics, DOOR_HTTP, !failed);
    tell_failure(n, failed, full ? "max-connections" : fd < 0 ? uv_strerror(fd) : "no memory");
}

/* --- addresses ------------------------------------------------------------------------------
 */

void accept_forget(struct node *n, struct conn *c) {
    if (c->counted)
        addresses_leave(&n->addresses, &c->address);
    c->counted = false;
}

static void tell_too_many(struct node *n) {
    metric_limited(&n->metrics, LIMIT_PER_ADDRESS);
}

/* True if clients come through the socket's other end, as the option real-address-header says:
 * then their own addresses count, which each request tells. */
static bool is_proxy(const struct node *n, const struct conn_address *from) {
    return n->options->real_address_header[0] != '\0' && proxies_have(&n->proxies, from);
}

/* Counts a connection from its beginning, since one that asks for nothing costs as much. On the
 * internal port there are no clients: other nodes, and those who watch, may share an address.
 * Returns false when its address has too many: it is then closed, without waiting for a
 * request. */
static bool count_socket(struct node *n, struct conn *c) {
    static const char answer[] = "HTTP/1.1 429 Too Many Requests\r\n"
                                 "Content-Length: 0\r\nConnection: close\r\n\r\n";
    struct slice bytes = slice_of(answer);
    if (c->internal || conn_address_is_none(&c->address) || is_proxy(n, &c->address))
        return true;
    c->counted = addresses_enter(&n->addresses, &c->address);
    if (c->counted)
        return true;
    tell_too_many(n);
    metric_handshake(&n->metrics, DOOR_HTTP, false);
    if (conn_send_parts(c, &bytes, 1))
        conn_push(c);
    conn_close(c, false);
    return false;
}

static void warn_once(bool *told, const char *event, const struct conn_address *from,
                      const char *value) {
    char text[CONN_ADDRESS_SIZE];
    conn_address_text(from, text);
    LOG(*told ? LOG_DEBUG : LOG_WARN, event, "from", text, "value", value, NULL);
    *told = true;
}

/* Fills in the client's address: the socket's, or the one that a trusted proxy in front tells.
 * False: the address stays as it is. */
static bool read_address(struct node *n, const struct http_request *request,
                         struct conn_address *out) {
    const char *name = n->options->real_address_header;
    struct conn_address from;
    struct buf hops;
    if (name[0] == '\0' || !conn_peer(request->conn, &from))
        return false;
    buf_init(&hops);
    http_header_join(request, name, &hops);
    bool read = !hops.failed; /* better no limit for this address than that of another */
    *out = from;
    if (read && hops.len > 1 && !proxies_have(&n->proxies, &from))
        warn_once(&n->told_untrusted, "real_address_not_trusted", &from, hops.data);
    else if (read && hops.len > 1 && !proxies_follow(&n->proxies, slice_of(hops.data), out))
        warn_once(&n->told_unreadable, "real_address_unreadable", &from, hops.data);
    buf_deinit(&hops);
    return read;
}

/* Called for each request, since a proxy may send requests of several clients over one
 * connection. */
static void learn_address(struct node *n, const struct http_request *request) {
    struct conn *c = request->conn;
    struct conn_address address;
    if (!read_address(n, request, &address) ||
        memcmp(address.ip, c->address.ip, sizeof address.ip) == 0)
        return;
    accept_forget(n, c);
    c->address = address;
}

/* Returns false when the request was refused because its address has too many connections. */
static bool count_address(struct node *n, const struct http_request *request) {
    struct conn *c = request->conn;
    if (c->counted || conn_address_is_none(&c->address))
        return true;
    c->counted = addresses_enter(&n->addresses, &c->address);
    if (c->counted)
        return true;
    tell_too_many(n);
    /* Not 503, because a proxy would take the node for ill and ask the next one. */
    http_answer(request, 429, PLAIN, SLICE("too many connections from your address\n"), NULL);
    return false;
}

/* --- clients --------------------------------------------------------------------------------
 */

/* A polled session has a connection only from time to time, but counts as if it had one. A
 * connection that waits without a request is closed to make room. */
static bool is_full(struct node *n) {
    unsigned clients = n->sockets.count + n->sio.server.eio.count;
    return clients >= n->most_connections ||
           (n->net.open > n->most_connections && !http_close_idle(&n->net));
}

#define SECOND UINT64_C(1000000) /* the bucket counts in microseconds */

/* The connection is closed, so that a flood pays for a new one each time. That of a proxy
 * stays: the next request on it may be another client's. */
static void refuse_for_rate(struct node *n, const struct http_request *request) {
    struct conn_address from;
    bool stays = conn_peer(request->conn, &from) && is_proxy(n, &from);
    (stays ? http_answer_and_keep : http_answer)(
        request, 503, PLAIN, SLICE("too many begin at once\n"), "Retry-After: 1\r\n");
}

/* Returns false when the request was refused because too many begin at once. */
static bool within_rate(struct node *n, const struct http_request *request) {
    uint64_t rate = n->options->accept_rate;
    uint64_t now = uv_now(&n->loop) * 1000;
    if (rate == 0)
        return true;
    if (!bucket_has(&n->handshakes, now, SECOND / rate, SECOND)) {
        metric_limited(&n->metrics, LIMIT_ACCEPT_RATE);
        refuse_for_rate(n, request);
        return false;
    }
    bucket_take(&n->handshakes, now, SECOND / rate);
    return true;
}

static void refuse_for_memory(struct node *n, const struct http_request *request) {
    metric_limited(&n->metrics, LIMIT_MEMORY);
    http_answer(request, 503, PLAIN, SLICE("this node is short of memory\n"),
                "Retry-After: 1\r\n");
}

bool accept_client(struct node *n, const struct http_request *request) {
    learn_address(n, request);
    if (n->state != NODE_SERVING)
        http_answer(request, 503, PLAIN, SLICE("draining\n"), NULL);
    else if (is_full(n))
        http_answer(request, 503, PLAIN, SLICE("this node is full\n"), NULL);
    else if (n->memory.is_short)
        refuse_for_memory(n, request);
    else
        return count_address(n, request) && within_rate(n, request);
    return false;
}

void accept_node(struct node *n, const struct http_request *request) {
    accept_forget(n, request->conn);
}

bool accept_known_client(struct node *n, const struct http_request *request) {
    learn_address(n, request);
    return count_address(n, request);
}
