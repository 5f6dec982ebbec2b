#include "gateway/node/node_internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "common/log_out.h"
#include "gateway/doors/json_door.h"
#include "gateway/listen.h"
#include "gateway/node/reload.h"

#define DRAIN_STEP_MS 50
#define GRACE_MS      2000 /* after the drain period, for those that do not answer the close */
#define GOODBYE_MS    1000
#define SETTLE_MS     100  /* without a new connection: the port can go */
#define LEAVE_MS      1000 /* it goes anyway */
#define QUIET_MS      2    /* for those that were just connecting */
#define LOG_END_MS    100  /* for whoever reads the log to take its end */

static void stop_now(struct node *n);
static void on_leaving(uv_timer_t *timer);

void node_state_set(struct node *n, enum node_state to) {
    static const char *const names[] = {"starting", "serving", "draining", "leaving",
                                        "closing"};
    LOG(LOG_INFO, "node_state", "from", names[n->state], "to", names[to], NULL);
    n->state = to;
}

bool node_is_ready(const struct node *n) {
    return n->state == NODE_SERVING && redis_up(&n->domain.redis) && n->domain.lease.held;
}

/* --- accepting ------------------------------------------------------------------------------
 */

bool node_count_address(struct node *n, struct conn *c) {
    if (conn_address_is_none(&c->address))
        return true;
    if (!c->counted)
        c->counted = addresses_enter(&n->addresses, &c->address);
    return c->counted;
}

void node_forget_address(struct node *n, struct conn *c) {
    if (c->counted)
        addresses_leave(&n->addresses, &c->address);
    c->counted = false;
}

/* Above the most connections a few more are taken, to be told so by HTTP, and for those who ask
 * after the node's health. So that clients cannot keep these, those that wait without a request
 * make room, the oldest first. */
void node_on_connection(uv_stream_t *listener, int status) {
    struct node *n = listener->data;
    n->last_accept = uv_now(&n->loop);
    uint64_t most = n->most_connections + DESCRIPTORS_KEPT / 2;
    bool full = status == 0 && n->net.count >= most && !http_close_idle(&n->net);
    struct conn *c = status == 0 ? http_accept(&n->net, listener, &n->router) : NULL;
    if (c != NULL && full)
        conn_close(c, true);
    bool failed = c == NULL || full;
    metric_handshake(&n->metrics, DOOR_HTTP, !failed);
    const char *why = full         ? "max-connections"
                      : status < 0 ? uv_strerror(status)
                                   : "it was gone again, or no memory";
    if (failed && !n->accept_failed)
        LOG(LOG_WARN, "connection_refused", "why", why, "connections",
            log_text("%u", n->net.count), NULL);
    n->accept_failed = failed; /* one line for a row of them */
}

/* --- stopping -------------------------------------------------------------------------------
 */

static void handle_closed(uv_handle_t *handle) {
    struct node *n = handle->data;
    n->handles--;
}

static void part_closed(void *owner) {
    struct node *n = owner;
    n->handles--;
}

static void close_all(struct node *n) {
    node_state_set(n, NODE_CLOSING);
    n->handles += 3 + 1 + 2;
    for (int i = 0; i < 3; i++)
        uv_close((uv_handle_t *)&n->signals[i], handle_closed);
    uv_close((uv_handle_t *)&n->timer, handle_closed);
    domain_close(&n->domain, part_closed);
    net_close(&n->net, part_closed);
}

static void reset_all(struct node *n) {
    for (struct list *at = n->net.conns.next, *next; at != &n->net.conns; at = next) {
        next = at->next;
        struct conn *c = container_of(at, struct conn, link);
        bool answered = conn_push(c); /* just now: a poll, that its session is over */
        conn_close(c, !answered);
    }
}

static void close_when_empty(struct node *n) {
    bool done = n->said_goodbye && n->port == PORT_CLOSED;
    if (n->state == NODE_LEAVING && done && n->net.count == 0)
        close_all(n);
}

static void on_goodbye(void *owner) {
    struct node *n = owner;
    n->said_goodbye = true;
    close_when_empty(n);
}

/* WebSockets, sessions that are polled, and those of other nodes that are served through this
 * one. */
static unsigned clients_left(const struct node *n) {
    return n->sockets.count + sio_door_count(&n->sio) + relay_count(&n->relay);
}

static bool close_idle(struct node *n) {
    bool all = true;
    for (struct list *at = n->net.conns.next, *next; at != &n->net.conns; at = next) {
        next = at->next;
        struct conn *c = container_of(at, struct conn, link);
        if (c->door == DOOR_HTTP && !c->closed)
            all = http_end_idle(c) && all;
    }
    return all;
}

static void close_port(struct node *n) {
    if (n->port == PORT_OPEN)
        listen_quiet(&n->listener);
    n->port = PORT_CLOSED;
    n->relay.stopped = true;
    uv_close((uv_handle_t *)&n->listener, handle_closed);
}

/* The port goes in a moment when nobody is at the door, soon or late: a proxy that got a 503
 * stays away for a while. */
static void step_port(struct node *n, uint64_t elapsed) {
    uint64_t quiet = uv_now(&n->loop) - n->last_accept;
    if (n->port == PORT_QUIET) {
        close_port(n);
    } else if (n->port == PORT_OPEN && (quiet >= SETTLE_MS || elapsed >= LEAVE_MS)) {
        n->port = PORT_QUIET;
        listen_quiet(&n->listener);
        uv_timer_start(&n->timer, on_leaving, QUIET_MS, DRAIN_STEP_MS);
    }
}

/* First the port goes; then who has connected and not asked yet has a little time to do it;
 * then whoever is left. */
static void on_leaving(uv_timer_t *timer) {
    struct node *n = timer->data;
    uint64_t elapsed = uv_now(&n->loop) - n->leave_began;
    step_port(n, elapsed);
    if (n->port == PORT_CLOSED && !n->gone_quiet &&
        (close_idle(n) || elapsed >= LEAVE_MS + SETTLE_MS)) {
        n->gone_quiet = true;
        reset_all(n);
    }
    if (elapsed >= GOODBYE_MS)
        n->said_goodbye = true;
    close_when_empty(n);
}

/* The last client is gone: the lease goes, the port, then the process. */
static void leave(struct node *n, bool at_once) {
    if (n->state != NODE_DRAINING)
        return;
    node_state_set(n, NODE_LEAVING);
    n->router.draining = true;
    n->leave_began = uv_now(&n->loop);
    while (eio_server_close_one(&n->sio.server.eio, WS_CODE_RESTART, "restart"))
        continue;
    if (at_once) {
        close_port(n);
        n->gone_quiet = true;
        reset_all(n);
    }
    uv_timer_start(&n->timer, on_leaving, DRAIN_STEP_MS, DRAIN_STEP_MS);
    domain_bye(&n->domain, on_goodbye);
}

void node_on_gone(void *owner, struct conn *c) {
    struct node *n = owner;
    node_forget_address(n, c);
    if (clients_left(n) == 0 && n->state == NODE_DRAINING)
        leave(n, false);
    close_when_empty(n);
}

static bool close_one(struct node *n, uint16_t code, const char *reason) {
    struct list *all = &n->domain.clients.registry.all.list;
    if (!list_empty(all)) {
        client_close(client_at(all->next), code, reason);
        return true;
    }
    return raw_door_close_one(&n->raw, code, reason) ||
           eio_server_close_one(&n->sio.server.eio, code, reason) || relay_close_one(&n->relay);
}

/* Spreads the closes over the drain period, so that those who come back do not come at once. */
static void on_drain(uv_timer_t *timer) {
    struct node *n = timer->data;
    uint64_t elapsed = uv_now(&n->loop) - n->drain_began;
    uint64_t period = n->options->drain;
    uint64_t due = elapsed >= period ? n->drain_total : n->drain_total * elapsed / period;
    bool more = true;
    while (n->drain_closed < due && more) {
        more = close_one(n, WS_CODE_RESTART, "restart");
        n->drain_closed++;
    }
    if (elapsed >= period)
        while (close_one(n, WS_CODE_RESTART, "restart"))
            n->drain_closed++;
    /* A polled session's end closes no connection that would tell of it. */
    if (elapsed >= period + GRACE_MS)
        stop_now(n);
    else if (clients_left(n) == 0)
        leave(n, false);
}

static void stop_now(struct node *n) {
    if (n->state == NODE_SERVING)
        node_state_set(n, NODE_DRAINING);
    domain_drain(&n->domain);
    leave(n, true);
}

/* The port stays open meanwhile: it answers /readyz and new clients with 503, so that a proxy
 * takes the next node, and everything else as ever, but each answer ends its connection. */
static void drain(struct node *n) {
    if (n->state != NODE_SERVING)
        return;
    node_state_set(n, NODE_DRAINING);
    domain_drain(&n->domain);
    n->drain_began = uv_now(&n->loop);
    n->relay.draining = true;
    n->router.draining = true;
    n->drain_total = n->sockets.count + n->sio.server.eio.count + relay_count(&n->relay);
    uv_timer_start(&n->timer, on_drain, 0, DRAIN_STEP_MS);
    if (clients_left(n) == 0)
        leave(n, false);
}

void node_on_signal(uv_signal_t *handle, int number) {
    struct node *n = handle->data;
    LOG(LOG_INFO, "signal", "number", log_text("%d", number), NULL);
    if (number == SIGHUP)
        node_reload(n);
    else if (number == SIGTERM)
        drain(n);
    else if (n->state <= NODE_DRAINING)
        stop_now(n);
    else if (n->state == NODE_LEAVING)
        n->leave_began = 0; /* no more patience */
}

/* --- the whole ------------------------------------------------------------------------------
 */

/* Process 1 of a container is not ended by a signal that it does not handle. */
static void end_early(int number) {
    (void)number;
    _exit(0);
}

int node_run(struct options *options) {
    struct node *n = calloc(1, sizeof *n);
    if (n == NULL || uv_loop_init(&n->loop) != 0) {
        fprintf(stderr, "sluice: start: out of memory\n");
        return 1;
    }
    signal(SIGTERM, end_early);
    signal(SIGINT, end_early);
    uv_timeval64_t now = {.tv_sec = 0};
    uv_gettimeofday(&now);
    n->started_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_usec;
    n->options = options;
    if (node_start(n) != 0)
        _exit(1); /* nothing was begun that would have to be undone */
    uv_run(&n->loop, UV_RUN_DEFAULT);
    sio_door_deinit(&n->sio);
    relay_deinit(&n->relay);
    domain_deinit(&n->domain);
    api_deinit(&n->api);
    bundle_deinit(&n->bundle);
    raw_door_deinit(&n->raw);
    net_deinit(&n->net);
    ws_pool_deinit(&n->sockets.pool);
    addresses_deinit(&n->addresses);
    int status = uv_loop_close(&n->loop);
    if (status != 0)
        LOG(LOG_ERROR, "loop_close", "why", uv_strerror(status), NULL);
    free(n);
    log_out_finish(LOG_END_MS);
    return status == 0 ? 0 : 1;
}
