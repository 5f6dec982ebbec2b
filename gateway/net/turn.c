#include "gateway/net/turn.h"

#include "gateway/net/conn.h"

#define FLUSH_BUDGET_NS 5000000ULL
#define WIDE_BUDGET_NS  500000ULL /* for what goes to many, while others wait for little */
#define DIRECT_MS       100       /* so long after something was sent to few */
#define LOOK_COST       16        /* writes between two looks at the clock */
#define SEALED_BYTES    2048      /* bytes that are encrypted in the time of a write */
#define AWAKE_MOST_MS   100       /* counted for one turn at most; ticks come more often */

/* --- the turn -------------------------------------------------------------------------------
 */

static void on_again(uv_idle_t *idle) {
    (void)idle; /* only keeps the loop from sleeping */
}

/* A turn ends where the loop is about to sleep, whether or not it does. The time that it slept
 * is not counted. */
static void measure_turn(struct net *n) {
    uint64_t now = uv_hrtime();
    uint64_t waited = uv_metrics_idle_time(n->loop);
    uint64_t took = now - n->turn_began;
    uint64_t slept = waited - n->turn_waited;
    metrics_turn(n->metrics, took > slept ? (took - slept) / 1000 : 0);
    n->turn_began = now;
    n->turn_waited = waited;
}

static void count_awake(struct net *n) {
    uint64_t passed = net_now(n) - n->awake_at;
    n->awake_ms += passed < AWAKE_MOST_MS ? passed : AWAKE_MOST_MS;
    n->awake_at += passed;
}

/* What a flush costs, about, in writes of little: encryption is what takes long. */
static size_t cost_of(const struct conn *c) {
    return c->tls == NULL ? 1 : 4 + c->queue->bytes / SEALED_BYTES;
}

/* Writes connections of the list for so long; the others come first in the next turn. */
static void flush(struct net *n, struct list *dirty, uint64_t budget) {
    uint64_t until = uv_hrtime() + budget;
    list_splice(&n->flushing, dirty);
    for (size_t cost = 0; !list_empty(&n->flushing);) {
        struct conn *c = container_of(n->flushing.next, struct conn, dirty);
        list_remove(&c->dirty);
        c->wide = false;
        cost += cost_of(c);
        if (!c->closed && !c->writing)
            conn_flush(c);
        if (cost < LOOK_COST)
            continue;
        if (uv_hrtime() > until)
            break;
        cost = 0;
    }
}

/* What is left of a list goes before what was put into it meanwhile. */
static void put_back(struct net *n, struct list *dirty) {
    struct list later;
    list_init(&later);
    list_splice(&later, dirty);
    list_splice(dirty, &n->flushing);
    list_splice(dirty, &later);
}

/* A message to ten thousand is tens of thousands of microseconds of writes. Who is sent
 * something for themselves does not wait for them, and turns are short while there are such. */
static void flush_all(struct net *n) {
    if (!list_empty(&n->dirty))
        n->direct_at = net_now(n);
    flush(n, &n->dirty, FLUSH_BUDGET_NS);
    put_back(n, &n->dirty);
    bool direct = net_now(n) - n->direct_at < DIRECT_MS;
    flush(n, &n->wide, direct ? WIDE_BUDGET_NS : FLUSH_BUDGET_NS);
    put_back(n, &n->wide);
}

static void on_prepare(uv_prepare_t *prepare) {
    struct net *n = prepare->data;
    count_awake(n);
    n->before_flush(n->owner);
    conn_shake_on(n);
    flush_all(n);
    n->before_flush(n->owner); /* once more, because a drained socket asks for its next page */
    out_pool_settle(&n->out);
    slabs_rest(&n->slabs);
    bool left = !list_empty(&n->dirty) || !list_empty(&n->wide) || !list_empty(&n->closing);
    if (!left && !n->again_wanted)
        uv_idle_stop(&n->again);
    else
        uv_idle_start(&n->again, on_again);
    n->again_wanted = false;
    measure_turn(n);
}

/* --- deadlines ------------------------------------------------------------------------------
 */

static void fire(void *arg, struct wheel_timer *t) {
    struct conn *c = container_of(t, struct conn, timer);
    (void)arg;
    c->ops->on_deadline(c);
}

static void on_check(uv_check_t *check) {
    conn_bury(check->data);
}

static void on_tick(uv_timer_t *timer);

/* Ticks at the wheel's own times. A timer that repeats would drift, and be up to a tick late.
 */
static int tick_later(struct net *n) {
    return uv_timer_start(&n->tick, on_tick, WHEEL_TICK_MS - uv_now(n->loop) % WHEEL_TICK_MS,
                          0);
}

static void on_tick(uv_timer_t *timer) {
    struct net *n = timer->data;
    wheel_run(&n->wheel, uv_now(n->loop), fire, n);
    conn_tick(n);
    n->on_tick(n->owner, uv_now(n->loop));
    if (!uv_is_closing((uv_handle_t *)timer))
        tick_later(n);
}

/* --- life -----------------------------------------------------------------------------------
 */

int turn_open(struct net *n) {
    uv_prepare_init(n->loop, &n->prepare);
    uv_idle_init(n->loop, &n->again);
    uv_timer_init(n->loop, &n->tick);
    uv_check_init(n->loop, &n->check);
    n->handles = 5;
    n->prepare.data = n->again.data = n->tick.data = n->check.data = n;
    uv_prepare_start(&n->prepare, on_prepare);
    uv_check_start(&n->check, on_check);
    n->turn_began = uv_hrtime();
    int status = tick_later(n);
    if (status == 0)
        status = poller_open(&n->poller, n->loop, conn_ready);
    return status == 0 ? uv_loop_configure(n->loop, UV_METRICS_IDLE_TIME) : status;
}

static void one_closed(struct net *n) {
    if (--n->handles == 0)
        n->on_closed(n->owner);
}

static void on_handle_closed(uv_handle_t *handle) {
    one_closed(handle->data);
}

static void on_poller_closed(uv_handle_t *handle) {
    one_closed(container_of(handle->data, struct net, poller));
}

void turn_close(struct net *n, void (*on_closed)(void *owner)) {
    n->on_closed = on_closed;
    uv_close((uv_handle_t *)&n->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&n->again, on_handle_closed);
    uv_close((uv_handle_t *)&n->tick, on_handle_closed);
    uv_close((uv_handle_t *)&n->check, on_handle_closed);
    poller_close(&n->poller, on_poller_closed);
}
