#include <stdio.h>

#include "common/json.h"
#include "common/log.h"
#include "common/utf8.h"
#include "gateway/doors/json_door.h"
#include "gateway/node/node.h"
#include "gateway/pages/pages.h"

/* The paths of the port: probes, metrics, the page, and the ways into the doors. */

#define PLAIN "text/plain; charset=utf-8"
#define JSON  "application/json"

static void answer_buf(const struct http_request *request, int status, const char *type,
                       struct buf *body) {
    if (body->failed)
        http_answer(request, 503, PLAIN, SLICE("out of memory\n"), NULL);
    else
        http_answer(request, status, type, buf_bytes(body), "Cache-Control: no-store\r\n");
    buf_deinit(body);
}

static void healthz(struct node *n, const struct http_request *request) {
    struct buf b;
    buf_init(&b);
    buf_str(&b, "{\"status\":\"ok\",\"node\":");
    json_escape(&b, slice_of(n->id));
    buf_str(&b, ",\"incarnation\":");
    json_escape(&b, slice_of(n->domain.lease.incarnation));
    buf_str(&b, ",\"address\":");
    json_escape(&b, slice_of(n->address));
    buf_printf(&b, ",\"version\":\"%s\",\"connections\":%u}\n", SLUICE_VERSION, n->net.count);
    answer_buf(request, 200, JSON, &b);
}

/* What it is about Redis, in words. The text may be Redis's own. */
static void put_trouble(const struct node *n, struct buf *b) {
    const struct redis *r = &n->domain.redis;
    const char *why = redis_trouble(r);
    buf_str(b, ",\"detail\":");
    if (why == NULL)
        why = r->error_text[0] != '\0' ? r->error_text : "the node has no lease yet";
    json_escape(b, utf8_valid(slice_of(why)) ? slice_of(why) : SLICE("not UTF-8"));
}

static void readyz(struct node *n, const struct http_request *request) {
    bool ready = node_is_ready(n);
    struct buf b;
    buf_init(&b);
    if (ready) {
        buf_str(&b, "{\"ready\":true}\n");
    } else {
        bool serving = n->state == NODE_SERVING;
        buf_printf(&b, "{\"ready\":false,\"reason\":\"%s\"", serving ? "redis" : "draining");
        if (serving)
            put_trouble(n, &b);
        buf_str(&b, "}\n");
    }
    answer_buf(request, ready ? 200 : 503, JSON, &b);
}

static void metrics(struct node *n, const struct http_request *request) {
    struct buf b;
    buf_init(&b);
    metrics_page(n, &b);
    answer_buf(request, 200, "text/plain; version=0.0.4; charset=utf-8", &b);
}

static void page(struct node *n, const struct http_request *request) {
    (void)n;
    pages_answer(request);
}

/* A page that was written for Socket.IO's own server loads the client from there. */
static void socketio_client(struct node *n, const struct http_request *request) {
    pages_answer_bundle(&n->bundle, request);
}

static void warn_once(bool *told, const char *event, const struct conn_address *from,
                      const char *value) {
    char text[CONN_ADDRESS_SIZE];
    conn_address_text(from, text);
    LOG(*told ? LOG_DEBUG : LOG_WARN, event, "from", text, "value", value, NULL);
    *told = true;
}

/* The client's address is the socket's, or what a proxy in front says, if that is believed: of
 * each request, as a proxy may send those of several clients over one connection. */
static void learn_address(struct node *n, const struct http_request *request) {
    const char *name = n->options->real_address_header;
    struct conn *c = request->conn;
    struct conn_address from, address;
    struct buf hops;
    if (name[0] == '\0' || !conn_peer(c, &from))
        return;
    buf_init(&hops);
    http_header_join(request, name, &hops);
    if (hops.failed) { /* better no limit of its own than a stranger's */
        buf_deinit(&hops);
        return;
    }
    address = from;
    if (hops.len > 1 && !proxies_have(&n->proxies, &from))
        warn_once(&n->told_untrusted, "real_address_not_trusted", &from, hops.data);
    else if (hops.len > 1 && !proxies_follow(&n->proxies, slice_of(hops.data), &address))
        warn_once(&n->told_unreadable, "real_address_unreadable", &from, hops.data);
    buf_deinit(&hops);
    if (memcmp(address.ip, c->address.ip, sizeof address.ip) == 0)
        return;
    node_forget_address(n, c);
    c->address = address;
}

/* A polled session has a connection only now and then, but counts as if it had one. One that
 * waits without a request makes room. */
static bool is_full(struct node *n) {
    unsigned clients = n->sockets.count + n->sio.server.eio.count;
    return clients >= n->most_connections ||
           (n->net.count > n->most_connections && !http_close_idle(&n->net));
}

static bool turned_away(struct node *n, const struct http_request *request) {
    learn_address(n, request);
    if (n->state != NODE_SERVING)
        http_answer(request, 503, PLAIN, SLICE("draining\n"), NULL);
    else if (is_full(n))
        http_answer(request, 503, PLAIN, SLICE("this node is full\n"), NULL);
    else if (!node_count_address(n, request->conn))
        /* No 503: a proxy would take the node for ill and ask the next one. */
        http_answer(request, 429, PLAIN, SLICE("too many connections from your address\n"),
                    NULL);
    else
        return false;
    return true;
}

static void ws(struct node *n, const struct http_request *request) {
    bool open =
        !turned_away(n, request) && json_door_open(&n->domain.clients, &n->sockets, request);
    metric_handshake(&n->metrics, DOOR_JSON, open);
}

static void raw(struct node *n, const struct http_request *request) {
    struct slice name = {request->path.ptr + 10, request->path.len - 10};
    bool open = !turned_away(n, request) && raw_door_open(&n->raw, request, name);
    metric_handshake(&n->metrics, DOOR_RAW, open);
}

/* As Socket.IO's own server has it, whatever follows. */
static bool is_socketio(struct slice path) {
    return slice_is(path, "/socket.io") || slice_starts(path, SLICE("/socket.io/"));
}

/* What belongs to a session is let through while the node drains, and when it is full. */
static void socketio(struct node *n, const struct http_request *request) {
    struct eio_server *e = &n->sio.server.eio;
    unsigned before = e->count;
    bool knows = sio_door_knows(request);
    bool begins = !knows && !slice_is(request->method, "OPTIONS");
    /* Another node that hands an upgrade over has counted its client itself. */
    bool counts = knows && request->upgrade && !relay_is_handed_over(&n->relay, request);
    if (counts)
        learn_address(n, request);
    if (counts && !node_count_address(n, request->conn))
        http_answer(request, 429, PLAIN, SLICE("too many connections from your address\n"),
                    NULL);
    else if (begins && !n->domain.peers.told && !request->upgrade)
        /* The others would not know this node yet when the session goes on through them. */
        http_answer(request, 503, PLAIN, SLICE("not ready\n"), NULL);
    else if (!begins || !turned_away(n, request))
        eio_server_route(e, request);
    if (begins)
        metric_handshake(&n->metrics, DOOR_SIO, e->count > before);
}

static void api(struct node *n, const struct http_request *request) {
    api_route(&n->api, request);
}

/* What a path looks at itself, beside GET and HEAD. */
enum methods { READ, PROBED, ANY };

struct path {
    const char *path;
    enum methods methods; /* PROBED: OPTIONS is answered as GET, for load balancers */
    void (*answer)(struct node *n, const struct http_request *request);
};

static const struct path paths[] = {
    {"/ws", ANY, ws},
    {"/healthz", PROBED, healthz},
    {"/readyz", PROBED, readyz},
    {"/metrics", READ, metrics},
};

static const struct path *path_find(const struct node *n, struct slice path) {
    static const struct path channels = {"/channels/", ANY, raw};
    static const struct path calls = {"/api/", ANY, api};
    static const struct path pages = {"/", READ, page};
    static const struct path sio = {"/socket.io/", ANY, socketio};
    static const struct path client = {"/socket.io/", READ, socketio_client};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (slice_is(path, paths[i].path))
            return &paths[i];
    }
    if (slice_starts(path, slice_of(channels.path)))
        return &channels;
    if (slice_starts(path, slice_of(calls.path)))
        return &calls;
    if (bundle_has_path(path))
        return &client;
    if (is_socketio(path))
        return &sio;
    if (slice_starts(path, SLICE("/console")) && !api_is_on(&n->api))
        return NULL;
    return pages_have(path) ? &pages : NULL;
}

size_t http_door_body(void *owner, const struct http_request *request) {
    struct node *n = owner;
    const struct path *p = path_find(n, request->path);
    bool takes = p != NULL && p->answer == socketio;
    return takes ? eio_server_body(&n->sio.server.eio, request) : 0;
}

void http_door_lines(void *owner, const struct http_request *request, struct buf *out) {
    struct node *n = owner;
    if (pages_are_shared(request->path))
        buf_str(out, PAGES_SHARED_LINES);
    else if (is_socketio(request->path))
        eio_server_lines(&n->sio.server.eio, request, out);
}

/* What may be asked of it: HAProxy's health check asks that of "/". */
static void options(const struct http_request *request) {
    const char *extra = "Allow: GET, HEAD, OPTIONS\r\n";
    if (pages_are_shared(request->path))
        extra = "Allow: GET, HEAD, OPTIONS\r\n"
                "Access-Control-Allow-Methods: GET, HEAD\r\n"
                "Access-Control-Allow-Headers: *\r\n"
                "Access-Control-Max-Age: 86400\r\n";
    http_answer(request, 204, NULL, SLICE(""), extra);
}

void http_door_route(void *owner, const struct http_request *request) {
    struct node *n = owner;
    const struct path *p = path_find(n, request->path);
    bool asks = slice_is(request->method, "OPTIONS");
    bool reads = slice_is(request->method, "GET") || slice_is(request->method, "HEAD");
    if (asks && (slice_is(request->path, "*") || (p != NULL && p->methods == READ)))
        options(request);
    else if (p == NULL)
        http_answer(request, 404, PLAIN, SLICE("nothing is here\n"), NULL);
    else if (p->methods != ANY && !reads && !(asks && p->methods == PROBED))
        http_answer(request, 405, PLAIN, SLICE("this path is only read\n"),
                    "Allow: GET, HEAD, OPTIONS\r\n");
    else
        p->answer(n, request);
}
