#include "gateway/node/drain.h"

#include "gateway/net/turn.h"
#include "gateway/node/ports.h"

#define STEP_MS    50
#define GRACE_MS   2000 /* after the drain period, for clients that do not answer the close */
#define GOODBYE_MS 1000
#define SETTLE_MS  100  /* without a new connection, after which the ports can be closed */
#define LEAVE_MS   1000 /* after which the ports are closed anyway */
#define QUIET_MS   2    /* for clients that are just connecting */

/* Counts WebSockets, polled sessions, and sessions of other nodes that are served through this
 * one. */
static unsigned clients_left(const struct node *n) {
    return n->sockets.count + sio_door_count(&n->sio) + relay_count(&n->relay);
}

/* --- the end --------------------------------------------------------------------------------
 */

/* The loop ends when nothing is open any more. */
static void part_closed(void *owner) {
    (void)owner;
}

static void close_all(struct node *n) {
    node_state_set(n, NODE_CLOSING);
    for (int i = 0; i < 3; i++)
        uv_close((uv_handle_t *)&n->signals[i], NULL);
    uv_close((uv_handle_t *)&n->timer, NULL);
    auth_close(&n->auth);
    hooks_close(&n->hooks);
    domain_close(&n->domain, part_closed);
    turn_close(&n->net, part_closed);
}

static void close_when_empty(struct node *n) {
    bool done = n->said_goodbye && n->port.state == PORT_CLOSED;
    if (n->state == NODE_LEAVING && done && n->net.count == 0)
        close_all(n);
}

/* --- leaving: the lease, then the ports -----------------------------------------------------
 */

static void on_goodbye(void *owner) {
    struct node *n = owner;
    n->said_goodbye = true;
    close_when_empty(n);
}

static void reset_all(struct node *n) {
    n->gone_quiet = true;
    for (struct list *at = n->net.conns.next, *next; at != &n->net.conns; at = next) {
        next = at->next;
        struct conn *c = container_of(at, struct conn, link);
        bool answered = conn_push(c); /* just now, as a poll is when its session ends */
        conn_close(c, !answered);
    }
}

/* Returns false when some connections have a request under way, or have not sent one yet. */
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

static void close_ports(struct node *n) {
    n->relay.stopped = true;
    ports_close(n);
}

static void on_leaving(uv_timer_t *timer);

/* Closes the ports at a moment when no connection comes in. Such a moment comes sooner or
 * later, because a proxy that got a 503 stays away for a while. */
static void step_ports(struct node *n, uint64_t elapsed) {
    uint64_t quiet = uv_now(&n->loop) - n->last_accept;
    if (n->port.state == PORT_QUIET) {
        close_ports(n);
    } else if (n->port.state == PORT_OPEN && (quiet >= SETTLE_MS || elapsed >= LEAVE_MS)) {
        ports_quiet(n);
        uv_timer_start(&n->timer, on_leaving, QUIET_MS, STEP_MS);
    }
}

/* First the ports are closed. Then connections that have not sent a request yet have a little
 * time for it. Then all that are left are reset. */
static void on_leaving(uv_timer_t *timer) {
    struct node *n = timer->data;
    uint64_t elapsed = uv_now(&n->loop) - n->leave_began;
    step_ports(n, elapsed);
    if (n->port.state == PORT_CLOSED && !n->gone_quiet &&
        (close_idle(n) || elapsed >= LEAVE_MS + SETTLE_MS))
        reset_all(n);
    if (elapsed >= GOODBYE_MS)
        n->said_goodbye = true;
    close_when_empty(n);
}

/* The last client is gone, or the node does not wait for it. */
static void leave(struct node *n, bool at_once) {
    if (n->state != NODE_DRAINING)
        return;
    node_state_set(n, NODE_LEAVING);
    n->router.draining = true;
    n->leave_began = uv_now(&n->loop);
    while (eio_server_close_one(&n->sio.server.eio, WS_CODE_RESTART, "restart"))
        continue;
    if (at_once) {
        close_ports(n);
        reset_all(n);
    }
    uv_timer_start(&n->timer, on_leaving, STEP_MS, STEP_MS);
    webhooks_leave(&n->webhooks);
    domain_bye(&n->domain, on_goodbye);
}

void drain_connection_gone(struct node *n) {
    if (clients_left(n) == 0 && n->state == NODE_DRAINING)
        leave(n, false);
    close_when_empty(n);
}

/* --- draining -------------------------------------------------------------------------------
 */

static void stop_now(struct node *n) {
    if (n->state == NODE_SERVING)
        node_state_set(n, NODE_DRAINING);
    domain_drain(&n->domain);
    leave(n, true);
}

static bool close_one(struct node *n) {
    static const char why[] = "restart";
    struct list *all = &n->domain.clients.registry.all.list;
    if (!list_empty(all)) {
        client_close(client_at(all->next), WS_CODE_RESTART, why);
        return true;
    }
    return raw_door_close_one(&n->raw, WS_CODE_RESTART, why) ||
           eio_server_close_one(&n->sio.server.eio, WS_CODE_RESTART, why) ||
           relay_close_one(&n->relay);
}

/* Spreads the closes over the drain period, so that the clients do not all come back at once.
 */
static void on_drain(uv_timer_t *timer) {
    struct node *n = timer->data;
    uint64_t elapsed = uv_now(&n->loop) - n->drain_began;
    uint64_t period = n->options->drain;
    uint64_t due = elapsed >= period ? n->drain_total : n->drain_total * elapsed / period;
    bool more = true;
    while (n->drain_closed < due && more) {
        more = close_one(n);
        n->drain_closed++;
    }
    if (elapsed >= period)
        while (close_one(n))
            n->drain_closed++;
    /* The end of a polled session closes no connection, so no event would report it. */
    if (elapsed >= period + GRACE_MS)
        stop_now(n);
    else if (clients_left(n) == 0)
        leave(n, false);
}

/* The ports stay open meanwhile. /readyz and new clients are answered with 503, so that a proxy
 * takes the next node. All other requests are answered as before, but each answer ends its
 * connection. */
void drain_begin(struct node *n) {
    if (n->state != NODE_SERVING)
        return;
    node_state_set(n, NODE_DRAINING);
    domain_drain(&n->domain);
    n->drain_began = uv_now(&n->loop);
    n->relay.draining = true;
    n->router.draining = true;
    n->drain_total = n->sockets.count + n->sio.server.eio.count + relay_count(&n->relay);
    uv_timer_start(&n->timer, on_drain, 0, STEP_MS);
    if (clients_left(n) == 0)
        leave(n, false);
}

void drain_hurry(struct node *n) {
    if (n->state <= NODE_DRAINING)
        stop_now(n);
    else if (n->state == NODE_LEAVING)
        n->leave_began = 0; /* the ports have waited long enough */
}
