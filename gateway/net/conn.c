#include "gateway/net/conn.h"

#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "gateway/read_buffer.h"

#define WRITE_SLICES 64

/* --- what is sent ---------------------------------------------------------------------------
 */

static void make_dirty(struct conn *c) {
    if (list_empty(&c->dirty))
        list_push(&c->net->dirty, &c->dirty);
}

bool conn_send(struct conn *c, struct region r) {
    if (c->closed || c->end_after || !queue_push(&c->queue, &c->net->out, r, c->framed))
        return false;
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

/* A running uv_write is reported when the kernel has taken all of it, which may take long. So
 * this looks how much it has taken so far. */
static void look_at_write(struct conn *c) {
    size_t left = c->writing ? uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp) : 0;
    if (left >= c->write_left)
        return;
    c->write_left = (uint32_t)left;
    queue_took(&c->queue, net_awake(c->net));
}

bool conn_is_full(struct conn *c, size_t len) {
    if (queue_held(&c->queue) + len <= c->net->max_queue)
        return false; /* nearly always */
    look_at_write(c);
    return queue_is_full(&c->queue, c->net->max_queue, len, c->asking, net_awake(c->net));
}

size_t conn_unsent(const struct conn *c) {
    uv_os_fd_t fd;
    int held = 0;
    if (uv_fileno((const uv_handle_t *)&c->tcp, &fd) != 0 || ioctl(fd, SIOCOUTQ, &held) != 0)
        held = 0;
    return (size_t)c->queue.bytes + (size_t)held;
}

void conn_drop_queue(struct conn *c) {
    queue_drop(&c->queue, &c->net->out, c->in_write);
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

static void sent(struct conn *c, size_t bytes) {
    metric_add(c->net->metrics, METRIC_SENT_BYTES, bytes);
    queue_sent(&c->queue, &c->net->out, bytes);
    queue_took(&c->queue, net_awake(c->net));
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
    c->in_write = c->write_left = c->queue.locked = 0;
    if (c->closed)
        return;
    if (status < 0) {
        conn_broke(c, status);
        return;
    }
    sent(c, bytes);
    make_dirty(c);
}

/* The kernel's buffer is full, so libuv waits for room. burst: the bytes that were offered to
 * it. */
static void write_later(struct conn *c, size_t burst) {
    struct net *n = c->net;
    queue_lags(&c->queue, &n->out, burst, net_awake(n));
    struct pending_write *p = n->free_writes;
    if (p != NULL)
        n->free_writes = p->as.next;
    else
        p = malloc(sizeof *p);
    uv_buf_t bufs[WRITE_SLICES];
    unsigned count = 0;
    int status = UV_ENOMEM;
    if (p != NULL) {
        count = queue_gather(&c->queue, bufs, WRITE_SLICES, &p->bytes);
        p->conn = c;
        status = uv_write(&p->as.write, (uv_stream_t *)&c->tcp, bufs, count, on_written);
    }
    if (status < 0) {
        free(p);
        conn_broke(c, status);
        return;
    }
    c->writing = true;
    c->in_write = c->write_left = (uint32_t)p->bytes;
    c->queue.locked = count;
}

static void on_shutdown(uv_shutdown_t *request, int status) {
    (void)status; /* the read side notices a broken connection */
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

/* Returns false while the kernel has not taken everything. */
static bool conn_write(struct conn *c) {
    size_t burst = c->queue.bytes;
    while (c->queue.bytes > 0) {
        uv_buf_t bufs[WRITE_SLICES];
        size_t bytes;
        unsigned count = queue_gather(&c->queue, bufs, WRITE_SLICES, &bytes);
        int n = uv_try_write((uv_stream_t *)&c->tcp, bufs, count);
        if (n < 0 && n != UV_EAGAIN) {
            conn_broke(c, n);
            return false;
        }
        if (n > 0)
            sent(c, (size_t)n);
        if (n < 0 || (size_t)n < bytes) {
            write_later(c, burst);
            return false;
        }
    }
    return true;
}

void conn_flush(struct conn *c) {
    if (conn_write(c))
        queue_is_empty(c);
}

bool conn_push(struct conn *c) {
    if (c->closed || c->queue.bytes == 0)
        return false;
    if (!c->writing)
        conn_write(c);
    return true;
}

/* --- reading --------------------------------------------------------------------------------
 */

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    struct conn *c = (struct conn *)(void *)stream;
    if (c->closed || n == 0)
        return;
    if (n < 0) {
        c->ops->on_end(c, (int)n);
        return;
    }
    metric_add(c->net->metrics, METRIC_RECEIVED_BYTES + c->door, (uint64_t)n);
    c->asking = true;
    c->ops->on_bytes(c, buf->base, (size_t)n);
    c->asking = false;
}

/* A connection that is not read for a time. Few are. */
struct conn_slowed {
    struct list link; /* in net->slowed */
    struct conn *conn;
    uint64_t until;
};

static void update_reading(struct conn *c, bool before) {
    bool after = conn_holds_back(c);
    if (c->closed || c->connecting || before == after)
        return; /* reading begins when it is established */
    if (after)
        uv_read_stop((uv_stream_t *)&c->tcp);
    else
        uv_read_start((uv_stream_t *)&c->tcp, read_buffer, on_read);
}

void conn_pause(struct conn *c, bool pause) {
    bool before = conn_holds_back(c);
    if (c->closed)
        return;
    c->paused = pause;
    update_reading(c, before);
}

static void forget_slowed(struct conn *c) {
    if (c->slowed == NULL)
        return;
    list_remove(&c->slowed->link);
    free(c->slowed);
    c->slowed = NULL;
}

bool conn_slow(struct conn *c, uint64_t until) {
    bool before = conn_holds_back(c), first = c->slowed == NULL;
    if (c->closed)
        return false;
    if (until == 0) {
        forget_slowed(c);
    } else if (first) {
        c->slowed = malloc(sizeof *c->slowed);
        if (c->slowed == NULL)
            return false;
        list_push(&c->net->slowed, &c->slowed->link);
        c->slowed->conn = c;
    }
    if (c->slowed != NULL)
        c->slowed->until = until;
    update_reading(c, before);
    return first && until != 0;
}

void conn_tick(struct net *n) {
    for (struct list *at = n->slowed.next, *next; at != &n->slowed; at = next) {
        const struct conn_slowed *s = container_of(at, struct conn_slowed, link);
        next = at->next;
        if (net_now(n) >= s->until)
            conn_slow(s->conn, 0); /* reads nothing in this call */
    }
}

/* --- life -----------------------------------------------------------------------------------
 */

static void on_handle_closed(uv_handle_t *handle) {
    struct conn *c = (struct conn *)(void *)handle;
    struct net *n = c->net;
    queue_clear(&c->queue, &n->out);
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
    uv_stream_t *next = n->turn_next[0];
    n->turning_away = false;
    n->turn_next[0] = n->turn_next[1];
    n->turn_next[1] = NULL;
    if (next != NULL)
        turn_away(n, next);
}

/* Accepts a connection for which there is no memory, and closes it. The listener accepts no
 * other connection until it is taken. */
static void turn_away(struct net *n, uv_stream_t *listener) {
    if (n->turning_away)
        n->turn_next[n->turn_next[0] != NULL] = listener;
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

bool conn_peer(const struct conn *c, struct conn_address *out) {
    struct sockaddr_storage from;
    int size = sizeof from;
    if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&from, &size) < 0)
        return false;
    conn_address_set(out, (const struct sockaddr *)&from);
    return true;
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
    uv_read_start((uv_stream_t *)&c->tcp, read_buffer, on_read);
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
    else if (!conn_holds_back(c))
        uv_read_start((uv_stream_t *)&c->tcp, read_buffer, on_read);
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
    forget_slowed(c);
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
