#include "gateway/node/routes.h"

#include "gateway/doors/json_door.h"
#include "gateway/node/accept.h"
#include "gateway/node/health.h"
#include "gateway/node/metrics_page.h"
#include "gateway/pages/pages.h"
#include "gateway/socketio/eio_answer.h"
#include "gateway/socketio/relay_head.h"

#define PLAIN "text/plain; charset=utf-8"
#define JSON  "application/json"

#define CHANNELS "/channels/"
#define SOCKETIO "/socket.io"

/* --- what is asked of the node --------------------------------------------------------------
 */

static void answer_buf(const struct http_request *request, int status, const char *type,
                       struct buf *body) {
    if (body->failed)
        http_answer(request, 503, PLAIN, SLICE("out of memory\n"), NULL);
    else
        http_answer(request, status, type, buf_bytes(body), "Cache-Control: no-store\r\n");
    buf_deinit(body);
}

/* Any worker answers for all of them, but by its own port for itself. */
static bool is_for_all(const struct node *n, const struct http_request *request) {
    return n->seats != NULL && !request->conn->own;
}

static void healthz(struct node *n, const struct http_request *request) {
    struct buf b;
    buf_init(&b);
    if (is_for_all(n, request))
        health_put_all(n, &b);
    else
        health_put(n, &b);
    answer_buf(request, 200, JSON, &b);
}

static void readyz(struct node *n, const struct http_request *request) {
    struct buf b;
    buf_init(&b);
    bool ready = is_for_all(n, request) ? health_put_all_ready(n, &b) : health_put_ready(n, &b);
    answer_buf(request, ready ? 200 : 503, JSON, &b);
}

static void metrics(struct node *n, const struct http_request *request) {
    struct buf b;
    buf_init(&b);
    if (is_for_all(n, request))
        metrics_page_of_all(n, &b);
    else
        metrics_page(n, &b);
    answer_buf(request, 200, "text/plain; version=0.0.4; charset=utf-8", &b);
}

static void page(struct node *n, const struct http_request *request) {
    pages_answer(request, auth_has_keys(&n->auth));
}

/* A page that was written for Socket.IO's own server loads the client from there. */
static void socketio_client(struct node *n, const struct http_request *request) {
    pages_answer_bundle(&n->bundle, request);
}

static void api(struct node *n, const struct http_request *request) {
    api_route(&n->api, request);
}

/* --- the ways into the doors ----------------------------------------------------------------
 */

/* Refuses what comes from a page that may not use this node. (Engine.IO has an answer of its
 * own for that.) */
static bool is_foreign(struct node *n, const struct http_request *request) {
    if (!origins_refuse(&n->origins, request))
        return false;
    http_answer(request, 403, PLAIN, SLICE("pages of this origin may not connect here\n"),
                NULL);
    return true;
}

static void ws(struct node *n, const struct http_request *request) {
    if (!is_foreign(n, request) && accept_client(n, request))
        json_door_open(&n->domain.clients, &n->handshaking, request);
    else
        metric_handshake(&n->metrics, DOOR_JSON, false);
}

static void raw(struct node *n, const struct http_request *request) {
    size_t head = sizeof CHANNELS - 1;
    struct slice name = {request->path.ptr + head, request->path.len - head};
    if (!is_foreign(n, request) && accept_client(n, request))
        raw_door_route(&n->raw, request, name);
    else
        metric_handshake(&n->metrics, DOOR_RAW, false);
}

/* True for any path that begins so, as with Socket.IO's own server. */
static bool is_socketio(struct slice path) {
    return slice_is(path, SOCKETIO) || slice_starts(path, SLICE(SOCKETIO "/"));
}

/* Requests of a session are let through even while the node drains or is full. */
static bool lets_through(struct node *n, const struct http_request *request, bool begins) {
    if (!begins) {
        bool handed_over = relay_is_handed_over(&n->relay, request);
        if (handed_over)
            accept_node(n, request);
        bool counts = request->upgrade && sio_door_knows(request) && !handed_over;
        return !counts || accept_known_client(n, request);
    }
    if (n->domain.peers.told || request->upgrade)
        return accept_client(n, request);
    /* Other nodes would not know this node yet when the session goes on through them. */
    http_answer(request, 503, PLAIN, SLICE("not ready\n"), NULL);
    return false;
}

static void socketio(struct node *n, const struct http_request *request) {
    struct eio_server *e = &n->sio.server.eio;
    unsigned before = e->count;
    bool begins = !sio_door_knows(request) && !slice_is(request->method, "OPTIONS");
    if (lets_through(n, request, begins))
        eio_server_route(e, request);
    if (begins)
        metric_handshake(&n->metrics, DOOR_SIO, e->count > before);
}

/* --- paths ----------------------------------------------------------------------------------
 */

/* The methods that a path takes. READ: GET and HEAD. PROBED: also OPTIONS, for load balancers,
 * answered as GET. ANY: any method, which the path's function checks itself. */
enum methods { READ, PROBED, ANY };

/* The ports that serve a path, if there are two. */
enum side { OUTSIDE, INSIDE, BOTH };

struct path {
    const char *path; /* if it ends with a slash, also all paths that begin with it */
    enum methods methods;
    enum side side;
    void (*answer)(struct node *n, const struct http_request *request);
};

static const struct path paths[] = {
    {"/ws", ANY, OUTSIDE, ws},          {"/healthz", PROBED, BOTH, healthz},
    {"/readyz", PROBED, BOTH, readyz},  {"/metrics", READ, INSIDE, metrics},
    {CHANNELS, ANY, OUTSIDE, raw},      {"/api/", ANY, INSIDE, api},
    {SOCKETIO, ANY, OUTSIDE, socketio}, {SOCKETIO "/", ANY, OUTSIDE, socketio},
};

static bool path_is(const struct path *p, struct slice path) {
    struct slice known = slice_of(p->path);
    bool open = known.ptr[known.len - 1] == '/';
    return open ? slice_starts(path, known) : slice_eq(path, known);
}

static const struct path *path_find(const struct node *n, struct slice path) {
    static const struct path pages = {"/", READ, OUTSIDE, page};
    static const struct path console = {"/console", READ, INSIDE, page};
    static const struct path icon = {"/favicon.ico", READ, BOTH, page};
    static const struct path client = {SOCKETIO "/", READ, OUTSIDE, socketio_client};
    if (bundle_has_path(path))
        return &client;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (path_is(&paths[i], path))
            return &paths[i];
    }
    if (!pages_have(path))
        return NULL;
    if (slice_starts(path, slice_of(console.path)))
        return n->options->admin_token[0] != '\0' ? &console : NULL;
    return path_is(&icon, path) ? &icon : &pages;
}

/* --- the two ports --------------------------------------------------------------------------
 */

static bool is_elsewhere(const struct node *n, const struct http_request *request) {
    const struct path *p = path_find(n, request->path);
    return p != NULL && p->side == (request->conn->internal ? OUTSIDE : INSIDE);
}

/* Another node hands over requests for sessions of this one, and nothing else. A key that is
 * not (or no longer) this node's was meant for a process that had the address before. */
static bool refuse_handed_over(struct node *n, const struct http_request *request) {
    bool ours = is_socketio(request->path) && sio_door_knows(request);
    if (ours && relay_is_handed_over(&n->relay, request))
        return false;
    if (ours)
        eio_answer_head(request, EIO_E_SID);
    else
        http_answer(request, 404, PLAIN, SLICE("nothing is here\n"), NULL);
    return true;
}

/* Refuses what is only for the other port, where there are two. */
static bool refuse_misdirected(struct node *n, const struct http_request *request) {
    bool marked = relay_head_is_marked(request);
    if (n->internal.state == PORT_NONE && !request->conn->internal)
        return false;
    if (marked && request->conn->internal)
        return refuse_handed_over(n, request);
    if (marked)
        http_answer(request, 400, PLAIN, SLICE(RELAY_HEADER " is for nodes alone\n"), NULL);
    else if (is_elsewhere(n, request))
        http_answer(request, 404, PLAIN, SLICE("nothing is here\n"), NULL);
    else
        return false;
    return true;
}

/* --- what the router asks -------------------------------------------------------------------
 */

size_t routes_body(void *node, const struct http_request *request) {
    struct node *n = node;
    if (refuse_misdirected(n, request))
        return 0;
    const struct path *p = path_find(n, request->path);
    if (p != NULL && p->answer == api)
        return api_body(&n->api, request);
    bool takes = p != NULL && p->answer == socketio;
    return takes ? eio_server_body(&n->sio.server.eio, request) : 0;
}

void routes_lines(void *node, const struct http_request *request, struct buf *out) {
    struct node *n = node;
    if (pages_are_shared(request->path))
        buf_str(out, PAGES_SHARED_LINES);
    else if (is_socketio(request->path))
        eio_server_lines(&n->sio.server.eio, request, out);
}

/* Answers which methods the node takes: HAProxy's health check asks that of "/". */
static void options(const struct http_request *request) {
    const char *extra = "Allow: GET, HEAD, OPTIONS\r\n";
    if (pages_are_shared(request->path))
        extra = "Allow: GET, HEAD, OPTIONS\r\n"
                "Access-Control-Allow-Methods: GET, HEAD\r\n"
                "Access-Control-Allow-Headers: *\r\n"
                "Access-Control-Max-Age: 86400\r\n";
    http_answer(request, 204, NULL, SLICE(""), extra);
}

void routes_answer(void *node, const struct http_request *request) {
    struct node *n = node;
    if (refuse_misdirected(n, request))
        return;
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
