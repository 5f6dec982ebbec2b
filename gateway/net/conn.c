#include "gateway/net/conn.h"

#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "common/log.h"

#define FLUSH_BUDGET_NS 5000000ULL
#define WRITE_SLICES    64
#define CHUNKS_KEPT     4096
#define ENTRY_COST                                                                             \
    256 /* what a queued region counts beside its bytes: it may hold a whole slab */

/* A write that the kernel did not take at once. Pooled: few connections have one. */
struct pending_write {
    union {
        uv_write_t write;
        struct pending_write *next;
    } as;
    struct conn *conn;
    size_t bytes;
};

/* --- the queue ------------------------------------------------------------------------------
 */

static struct out_chunk *chunk_take(struct net *n) {
    struct out_chunk *chunk = n->free_chunks;
    if (chunk != NULL) {
        n->free_chunks = chunk->next;
        n->free_chunk_count--;
    } else {
        chunk = malloc(sizeof *chunk);
    }
    if (chunk != NULL) {
        chunk->next = NULL;
        chunk->head = chunk->tail = 0;
    }
    return chunk;
}

static void chunk_give(struct net *n, struct out_chunk *chunk) {
    if (n->free_chunk_count >= CHUNKS_KEPT) {
        free(chunk);
        return;
    }
    chunk->next = n->free_chunks;
    n->free_chunks = chunk;
    n->free_chunk_count++;
}

static struct out_entry *queue_first(struct conn *c) {
    return c->first != NULL ? &c->first->entries[c->first->head] : NULL;
}

static void queue_shift(struct conn *c) {
    struct out_chunk *chunk = c->first;
    slab_unref(&c->net->slabs, chunk->entries[chunk->head].slab);
    c->entries--;
    if (++chunk->head < chunk->tail)
        return;
    c->first = chunk->next;
    if (c->first == NULL)
        c->last = NULL;
    chunk_give(c->net, chunk);
}

static bool queue_push(struct conn *c, struct out_entry e) {
    if (c->last == NULL || c->last->tail == OUT_CHUNK) {
        struct out_chunk *chunk = chunk_take(c->net);
        if (chunk == NULL)
            return false;
        if (c->last != NULL)
            c->last->next = chunk;
        else
            c->first = chunk;
        c->last = chunk;
    }
    c->last->entries[c->last->tail++] = e;
    c->entries++;
    slab_ref(e.slab);
    return true;
}

/* What waits in the queue changed by whole numbers of bytes: so does the sum of all. */
static void queued_set(struct conn *c, uint32_t bytes) {
    c->net->queued += (uint64_t)bytes - c->queued;
    c->queued = bytes;
}

static void queue_clear(struct conn *c) {
    while (c->first != NULL)
        queue_shift(c);
    queued_set(c, 0);
}

/* The end of the frame that holds the byte before `upto`; RFC 6455, 5.2: a server's frames are
 * unmasked. */
static uint32_t frame_end(const struct out_entry *e, uint32_t upto) {
    uint32_t at = 0;
    if (!e->framed)
        return e->len;
    while (at < upto) {
        const unsigned char *b = (const unsigned char *)e->slab->bytes + e->at + at;
        uint32_t len = b[1] & 0x7fU;
        uint32_t head = 2;
        if (len == 126) {
            head = 4;
            len = (uint32_t)b[2] << 8 | b[3];
        } else if (len == 127) {
            head = 10;
            len = (uint32_t)b[6] << 24 | (uint32_t)b[7] << 16 | (uint32_t)b[8] << 8 | b[9];
        }
        at += head + len;
    }
    return at;
}

static void queue_cut(struct conn *c, struct out_chunk *chunk, unsigned keep) {
    for (unsigned i = keep; i < chunk->tail; i++, c->entries--)
        slab_unref(&c->net->slabs, chunk->entries[i].slab);
    chunk->tail = keep;
    struct out_chunk *next = chunk->next;
    chunk->next = NULL;
    c->last = chunk;
    while (next != NULL) {
        struct out_chunk *gone = next;
        next = gone->next;
        for (unsigned i = gone->head; i < gone->tail; i++, c->entries--)
            slab_unref(&c->net->slabs, gone->entries[i].slab);
        chunk_give(c->net, gone);
    }
}

void conn_drop_queue(struct conn *c) {
    uint32_t keep = c->in_write;
    const struct out_entry *first = queue_first(c);
    if (keep == 0 && (first == NULL || frame_end(first, first->sent) == first->sent)) {
        queue_clear(c); /* nothing is half gone */
        return;
    }
    uint32_t kept = 0;
    for (struct out_chunk *chunk = c->first; chunk != NULL; chunk = chunk->next) {
        for (unsigned i = chunk->head; i < chunk->tail; i++) {
            struct out_entry *e = &chunk->entries[i];
            uint32_t left = e->len - e->sent;
            if (kept + left < keep) {
                kept += left;
                continue;
            }
            e->len = frame_end(e, e->sent + (keep - kept));
            kept += e->len - e->sent;
            queue_cut(c, chunk, i + 1);
            queued_set(c, kept);
            return;
        }
    }
}

static void make_dirty(struct conn *c) {
    if (list_empty(&c->dirty))
        list_push(&c->net->dirty, &c->dirty);
}

bool conn_send(struct conn *c, struct region r) {
    if (c->closed || c->end_after)
        return false;
    struct out_chunk *last = c->last;
    struct out_entry *e = last != NULL ? &last->entries[last->tail - 1] : NULL;
    if (e != NULL && e->slab == r.slab && e->at + e->len == r.at && e->framed == c->framed)
        e->len += r.len;
    else if (!queue_push(c, (struct out_entry){r.slab, r.at, r.len, 0, c->framed}))
        return false;
    queued_set(c, c->queued + r.len);
    if (!c->writing)
        make_dirty(c);
    return true;
}

bool conn_send_parts(struct conn *c, const struct slice parts[], size_t count) {
    struct slabs *slabs = &c->net->slabs;
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += parts[i].len;
    if (len == 0)
        return true;
    char *at = slabs_reserve(slabs, len);
    if (at == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0)
            memcpy(at, parts[i].ptr, parts[i].len);
        at += parts[i].len;
    }
    return conn_send(c, slabs_commit(slabs, len));
}

bool conn_is_full(const struct conn *c, size_t len) {
    size_t held = (size_t)c->queued + (size_t)c->entries * ENTRY_COST;
    return held > c->net->max_queue / 4 && held + len > c->net->max_queue;
}

size_t conn_unsent(const struct conn *c) {
    uv_os_fd_t fd;
    int held = 0;
    if (uv_fileno((const uv_handle_t *)&c->tcp, &fd) != 0 || ioctl(fd, SIOCOUTQ, &held) != 0)
        held = 0;
    return (size_t)c->queued + (size_t)held;
}

void conn_want_drained(struct conn *c) {
    if (c->closed)
        return;
    c->want_drained = true;
    if (!c->writing)
        make_dirty(c);
}

/* --- flushing -------------------------------------------------------------------------------
 */

static void queue_sent(struct conn *c, size_t bytes) {
    queued_set(c, c->queued - (uint32_t)bytes);
    metric_add(c->net->metrics, METRIC_SENT_BYTES, bytes);
    while (bytes > 0) {
        struct out_entry *e = queue_first(c);
        size_t left = e->len - e->sent;
        if (bytes < left) {
            e->sent += (uint32_t)bytes;
            return;
        }
        bytes -= left;
        queue_shift(c);
    }
}

static unsigned queue_gather(struct conn *c, uv_buf_t bufs[WRITE_SLICES], size_t *bytes) {
    unsigned n = 0;
    *bytes = 0;
    for (struct out_chunk *chunk = c->first; chunk != NULL && n < WRITE_SLICES;
         chunk = chunk->next) {
        for (unsigned i = chunk->head; i < chunk->tail && n < WRITE_SLICES; i++) {
            struct out_entry *e = &chunk->entries[i];
            bufs[n] = uv_buf_init(e->slab->bytes + e->at + e->sent, e->len - e->sent);
            *bytes += bufs[n++].len;
        }
    }
    return n;
}

static void conn_broke(struct conn *c, int status) {
    if (!c->closed)
        c->ops->on_end(c, status);
}

static void on_written(uv_write_t *write, int status) {
    struct pending_write *p = container_of(write, struct pending_write, as.write);
    struct conn *c = p->conn;
    size_t bytes = p->bytes;
    struct net *n = c->net;
    p->as.next = n->free_writes;
    n->free_writes = p;
    c->writing = false;
    c->in_write = 0;
    if (c->closed)
        return;
    if (status < 0) {
        conn_broke(c, status);
        return;
    }
    queue_sent(c, bytes);
    make_dirty(c);
}

/* The kernel's buffer is full: libuv waits for room. */
static void write_later(struct conn *c) {
    struct net *n = c->net;
    struct pending_write *p = n->free_writes;
    if (p != NULL)
        n->free_writes = p->as.next;
    else
        p = malloc(sizeof *p);
    uv_buf_t bufs[WRITE_SLICES];
    int status = UV_ENOMEM;
    if (p != NULL) {
        unsigned count = queue_gather(c, bufs, &p->bytes);
        p->conn = c;
        status = uv_write(&p->as.write, (uv_stream_t *)&c->tcp, bufs, count, on_written);
    }
    if (status < 0) {
        free(p);
        conn_broke(c, status);
        return;
    }
    c->writing = true;
    c->in_write = (uint32_t)p->bytes;
}

static void on_shutdown(uv_shutdown_t *request, int status) {
    (void)status; /* a broken connection is seen by the read side */
    free(request);
}

static void shut_down(struct conn *c) {
    uv_shutdown_t *request = malloc(sizeof *request);
    c->ended = true;
    if (request == NULL || uv_shutdown(request, (uv_stream_t *)&c->tcp, on_shutdown) < 0) {
        free(request);
        conn_broke(c, UV_ENOTCONN);
    }
}

static void queue_is_empty(struct conn *c) {
    if (c->end_after && !c->ended)
        shut_down(c);
    if (c->closed || !c->want_drained)
        return;
    c->want_drained = false;
    c->ops->on_drained(c);
}

/* False: it is not all with the kernel (yet). */
static bool conn_write(struct conn *c) {
    while (c->queued > 0) {
        uv_buf_t bufs[WRITE_SLICES];
        size_t bytes;
        unsigned count = queue_gather(c, bufs, &bytes);
        int n = uv_try_write((uv_stream_t *)&c->tcp, bufs, count);
        if (n < 0 && n != UV_EAGAIN) {
            conn_broke(c, n);
            return false;
        }
        if (n > 0)
            queue_sent(c, (size_t)n);
        if (n < 0 || (size_t)n < bytes) {
            write_later(c);
            return false;
        }
    }
    return true;
}

static void conn_flush(struct conn *c) {
    if (conn_write(c))
        queue_is_empty(c);
}

bool conn_push(struct conn *c) {
    if (c->closed || c->queued == 0)
        return false;
    if (!c->writing)
        conn_write(c);
    return true;
}

static void on_again(uv_idle_t *idle) {
    (void)idle; /* only keeps the loop from sleeping */
}

/* A turn ends where the loop is about to sleep, or not to. What it slept is not its work. */
static void measure_turn(struct net *n) {
    uint64_t now = uv_hrtime();
    uint64_t waited = uv_metrics_idle_time(n->loop);
    uint64_t took = now - n->turn_began;
    uint64_t slept = waited - n->turn_waited;
    metrics_turn(n->metrics, took > slept ? (took - slept) / 1000 : 0);
    n->turn_began = now;
    n->turn_waited = waited;
}

static void on_prepare(uv_prepare_t *prepare) {
    struct net *n = prepare->data;
    n->before_flush(n->owner);
    uint64_t until = uv_hrtime() + FLUSH_BUDGET_NS;
    list_splice(&n->flushing, &n->dirty);
    for (unsigned done = 1; !list_empty(&n->flushing); done++) {
        struct conn *c = container_of(n->flushing.next, struct conn, dirty);
        list_remove(&c->dirty);
        if (!c->closed && !c->writing)
            conn_flush(c);
        if (done % 64 == 0 && uv_hrtime() > until)
            break;
    }
    n->before_flush(n->owner); /* once more: a drained socket asks for its next page */
    /* What the budget left goes first in the next turn. */
    list_splice(&n->flushing, &n->dirty);
    list_splice(&n->dirty, &n->flushing);
    if (list_empty(&n->dirty) && !n->again_wanted)
        uv_idle_stop(&n->again);
    else
        uv_idle_start(&n->again, on_again);
    n->again_wanted = false;
    measure_turn(n);
}

/* --- reading --------------------------------------------------------------------------------
 */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    static char shared[65536]; /* every read is used up before the next one of the loop */
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(shared, sizeof shared);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    struct conn *c = (struct conn *)(void *)stream;
    if (c->closed || n == 0)
        return;
    if (n < 0) {
        c->ops->on_end(c, (int)n);
        return;
    }
    metric_add(c->net->metrics, METRIC_RECEIVED_BYTES + c->door, (uint64_t)n);
    c->ops->on_bytes(c, buf->base, (size_t)n);
}

void conn_pause(struct conn *c, bool pause) {
    if (c->closed || c->paused == pause)
        return;
    c->paused = pause;
    if (c->connecting)
        return; /* it reads when it stands */
    if (pause)
        uv_read_stop((uv_stream_t *)&c->tcp);
    else
        uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

/* --- life -----------------------------------------------------------------------------------
 */

static void on_handle_closed(uv_handle_t *handle) {
    struct conn *c = (struct conn *)(void *)handle;
    struct net *n = c->net;
    queue_clear(c);
    list_remove(&c->link);
    n->count--;
    n->doors[c->door]--;
    if (c->ops != NULL)
        c->ops->on_closed(c);
    n->on_gone(n->owner, c);
    free(c);
}

static void turn_away(struct net *n, uv_stream_t *listener);

static void on_turned_away(uv_handle_t *handle) {
    struct net *n = handle->data;
    bool next = n->turn_next;
    n->turning_away = n->turn_next = false;
    if (next)
        turn_away(n, n->turned_from);
}

/* Takes a connection that there is no memory for off the listener, which accepts no other one
 * before, and closes it. */
static void turn_away(struct net *n, uv_stream_t *listener) {
    n->turned_from = listener;
    n->turn_next = n->turning_away;
    if (n->turning_away || uv_tcp_init(n->loop, &n->turned_away) < 0)
        return;
    n->turning_away = true;
    n->turned_away.data = n;
    uv_accept(listener, (uv_stream_t *)&n->turned_away);
    uv_close((uv_handle_t *)&n->turned_away, on_turned_away);
}

static struct conn *conn_make(struct net *n, enum door_kind door) {
    struct conn *c = calloc(1, sizeof *c);
    if (c == NULL || uv_tcp_init(n->loop, &c->tcp) < 0) {
        free(c);
        return NULL;
    }
    c->net = n;
    list_init(&c->dirty);
    list_push(&n->conns, &c->link);
    n->count++;
    c->door = (unsigned char)door;
    n->doors[door]++;
    return c;
}

struct conn *conn_accept(struct net *n, uv_stream_t *listener, const struct conn_ops *ops) {
    struct sockaddr_storage from;
    int size = sizeof from;
    struct conn *c = conn_make(n, DOOR_HTTP);
    if (c == NULL) {
        turn_away(n, listener);
        return NULL;
    }
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) < 0 ||
        uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&from, &size) < 0) {
        conn_close(c, false);
        return NULL;
    }
    c->ops = ops;
    conn_address_set(&c->address, (const struct sockaddr *)&from);
    uv_tcp_nodelay(&c->tcp, 1);
    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    return c;
}

static void on_connected(uv_connect_t *request, int status) {
    struct conn *c = (struct conn *)(void *)request->handle;
    free(request);
    c->connecting = false;
    if (c->closed)
        return;
    if (status < 0)
        c->ops->on_end(c, status);
    else if (!c->paused)
        uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

struct conn *conn_connect(struct net *n, const struct conn_address *to,
                          const struct conn_ops *ops, void *peer) {
    struct sockaddr_storage at;
    uv_connect_t *request = malloc(sizeof *request);
    struct conn *c = request != NULL ? conn_make(n, DOOR_PEER) : NULL;
    if (c == NULL) {
        free(request);
        return NULL;
    }
    conn_address_get(to, &at);
    if (uv_tcp_connect(request, &c->tcp, (struct sockaddr *)&at, on_connected) < 0) {
        free(request);
        conn_close(c, false);
        return NULL;
    }
    c->address = *to;
    c->connecting = true;
    uv_tcp_nodelay(&c->tcp, 1);
    conn_take(c, ops, peer);
    return c;
}

void conn_enter(struct conn *c, enum door_kind door) {
    c->net->doors[c->door]--;
    c->door = (unsigned char)door;
    c->net->doors[door]++;
}

void conn_end(struct conn *c) {
    if (c->closed || c->end_after)
        return;
    c->end_after = true;
    if (!c->writing)
        make_dirty(c);
}

void conn_close(struct conn *c, bool reset) {
    if (c->closed)
        return;
    c->closed = true;
    list_remove(&c->dirty);
    wheel_clear(&c->net->wheel, &c->timer);
    if (!reset || uv_tcp_close_reset(&c->tcp, on_handle_closed) < 0)
        uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
}

void conn_deadline(struct conn *c, uint64_t at) {
    if (at == 0 || c->closed)
        wheel_clear(&c->net->wheel, &c->timer);
    else
        wheel_set(&c->net->wheel, &c->timer, at);
}

/* --- what they share ------------------------------------------------------------------------
 */

static void fire(void *arg, struct wheel_timer *t) {
    struct conn *c = container_of(t, struct conn, timer);
    (void)arg;
    c->ops->on_deadline(c);
}

static void on_tick(uv_timer_t *timer);

/* At the wheel's own times: a timer that repeats drifts, and is up to a tick behind them. */
static int tick_later(struct net *n) {
    return uv_timer_start(&n->tick, on_tick, WHEEL_TICK_MS - uv_now(n->loop) % WHEEL_TICK_MS,
                          0);
}

static void on_tick(uv_timer_t *timer) {
    struct net *n = timer->data;
    wheel_run(&n->wheel, uv_now(n->loop), fire, n);
    n->on_tick(n->owner, uv_now(n->loop));
    if (!uv_is_closing((uv_handle_t *)timer))
        tick_later(n);
}

int net_init(struct net *n, uv_loop_t *loop, size_t max_queue, struct metrics *metrics,
             void *owner) {
    memset(n, 0, sizeof *n);
    n->loop = loop;
    n->max_queue = max_queue;
    n->metrics = metrics;
    n->owner = owner;
    list_init(&n->conns);
    list_init(&n->dirty);
    list_init(&n->flushing);
    wheel_init(&n->wheel, uv_now(loop));
    uv_prepare_init(loop, &n->prepare);
    uv_idle_init(loop, &n->again);
    uv_timer_init(loop, &n->tick);
    n->handles = 3;
    n->prepare.data = n->again.data = n->tick.data = n;
    uv_prepare_start(&n->prepare, on_prepare);
    n->turn_began = uv_hrtime();
    int status = tick_later(n);
    return status == 0 ? uv_loop_configure(loop, UV_METRICS_IDLE_TIME) : status;
}

static void on_net_handle_closed(uv_handle_t *handle) {
    struct net *n = handle->data;
    if (--n->handles == 0)
        n->on_closed(n->owner);
}

void net_close(struct net *n, void (*on_closed)(void *owner)) {
    n->on_closed = on_closed;
    uv_close((uv_handle_t *)&n->prepare, on_net_handle_closed);
    uv_close((uv_handle_t *)&n->again, on_net_handle_closed);
    uv_close((uv_handle_t *)&n->tick, on_net_handle_closed);
}

void net_deinit(struct net *n) {
    slabs_deinit(&n->slabs);
    while (n->free_chunks != NULL) {
        struct out_chunk *chunk = n->free_chunks;
        n->free_chunks = chunk->next;
        free(chunk);
    }
    while (n->free_writes != NULL) {
        struct pending_write *p = n->free_writes;
        n->free_writes = p->as.next;
        free(p);
    }
}
