#include "gateway/socketio/eio_server.h"

#include "gateway/socketio/eio_answer.h"
#include "gateway/socketio/eio_origin.h"
#include "gateway/socketio/eio_polling.h"
#include "gateway/socketio/eio_socket.h"

#define MAX_FRAGMENTS 16384

/* --- sessions -------------------------------------------------------------------------------
 */

void eio_server_init(struct eio_server *e, struct net *net, const struct eio_config *config,
                     const struct eio_ops *ops, void *owner) {
    *e = (struct eio_server){.net = net, .config = *config, .ops = ops, .owner = owner};
    /* A browser that asked for a subprotocol (option `protocols` of the client) and got none
     * fails the WebSocket. */
    e->sockets =
        (struct wsock_shared){.net = net, .close_timeout_ms = config->close_timeout_ms};
    ws_pool_init(&e->sockets.pool, config->max_payload, MAX_FRAGMENTS);
    e->sockets.pool.deflate = &net->deflate;
    wheel_init(&e->wheel, net_now(net));
    list_init(&e->dirty);
    list_init(&e->gone);
    map_init(&e->sessions);
    addresses_init(&e->polled, config->max_polled);
}

bool eio_server_close_one(struct eio_server *e, uint16_t code, const char *reason) {
    struct map_node *first = map_next(&e->sessions, NULL);
    if (first == NULL)
        return false;
    eio_close(container_of(first, struct eio_session, node), code, reason);
    return true;
}

static void free_gone(struct eio_server *e) {
    while (!list_empty(&e->gone)) {
        struct eio_session *s = container_of(e->gone.next, struct eio_session, link);
        list_remove(&s->link);
        if (s->carrier->free != NULL)
            s->carrier->free(s);
        e->count--;
        e->ops->on_free(s);
    }
}

void eio_server_deinit(struct eio_server *e) {
    while (eio_server_close_one(e, WS_CODE_GOING_AWAY, ""))
        continue;
    free_gone(e);
    map_deinit(&e->sessions);
    addresses_deinit(&e->polled);
    ws_pool_deinit(&e->sockets.pool);
}

void eio_server_flush(struct eio_server *e) {
    struct list work;
    list_init(&work);
    list_splice(&work, &e->dirty);
    while (!list_empty(&work)) {
        struct eio_session *s = container_of(work.next, struct eio_session, link);
        list_remove(&s->link);
        if (s->carrier->flush != NULL)
            s->carrier->flush(s);
    }
    free_gone(e);
}

static void on_timer(void *arg, struct wheel_timer *t) {
    (void)arg;
    eio_on_timer(container_of(t, struct eio_session, timer));
}

void eio_server_tick(struct eio_server *e, uint64_t now) {
    wheel_run(&e->wheel, now, on_timer, e);
}

/* --- is a request in order? -----------------------------------------------------------------
 */

/* A request that is valid. */
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

/* Returns the error of a request; EIO_ERROR_COUNT: it is valid. */
static enum eio_error check(struct eio_server *e, const struct http_request *request,
                            struct call *call) {
    struct slice transport = eio_query(request->query, "transport");
    struct slice sid = eio_query(request->query, "sid");
    *call = (struct call){.websocket = slice_is(transport, "websocket")};
    if (origins_refuse(e->config.origins, request))
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

/* --- the way of a request -------------------------------------------------------------------
 */

/* The node that a sid names, if it is another node and the request may go to it; otherwise
 * empty. */
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
        eio_origin_preflight(e->config.origins, request);
        return;
    }
    enum eio_error error = check(e, request, &call);
    if (goes_elsewhere(e, request, error, false))
        return;
    if (error != EIO_ERROR_COUNT)
        eio_answer_error(request, error);
    else if (call.session == NULL && is_full(e))
        http_answer_and_keep(request, 503, EIO_TEXT_TYPE, SLICE("too many sessions\n"), NULL);
    else if (call.session == NULL && call.websocket)
        eio_socket_open(e, request);
    else if (call.session == NULL)
        eio_polling_open(e, request);
    else if (call.websocket)
        eio_socket_open_probe(call.session, request);
    else if (slice_is(request->method, "GET"))
        eio_polling_get(call.session, request);
    else
        eio_polling_post(call.session, request);
}

/* A body is to come. It is read only if there is a session for it, and one at a time. */
size_t eio_server_body(struct eio_server *e, const struct http_request *request) {
    struct call call;
    enum eio_error error = check(e, request, &call);
    bool posts = slice_is(request->method, "POST") && !call.websocket;
    if (goes_elsewhere(e, request, error, true))
        return e->config.max_payload;
    if (error == EIO_ERROR_COUNT && posts && eio_polling_body(call.session, request))
        return eio_most(call.session, true);
    eio_answer_head(request, error != EIO_ERROR_COUNT ? error : EIO_E_REQUEST);
    return 0;
}

void eio_server_lines(const struct eio_server *e, const struct http_request *request,
                      struct buf *out) {
    eio_origin_lines(e->config.origins, request, out);
}
