#include "gateway/net/conn_out.h"

#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "gateway/tls_memory.h"

#define WRITE_SLICES 64

/* --- what is sent ---------------------------------------------------------------------------
 */

void conn_dirty(struct conn *c) {
    if (list_empty(&c->dirty))
        list_push(&c->net->dirty, &c->dirty);
}

bool conn_send(struct conn *c, struct region r) {
    if (c->closed || c->end_after || !queue_push(&c->queue, &c->net->out, r, c->framed))
        return false;
    if (!c->writing)
        conn_dirty(c);
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
    size_t waits = c->queue.bytes;
    if (uv_fileno((const uv_handle_t *)&c->tcp, &fd) != 0 || ioctl(fd, SIOCOUTQ, &held) != 0)
        held = 0;
    if (c->writing) /* the kernel has taken a part of it */
        waits = waits - c->in_write + uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
    return waits + (size_t)held;
}

void conn_drop_queue(struct conn *c) {
    queue_drop(&c->queue, &c->net->out, c->in_write);
}

void conn_want_drained(struct conn *c) {
    if (c->closed)
        return;
    c->want_drained = true;
    if (!c->writing)
        conn_dirty(c);
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

static void forget_records(struct conn *c) {
    struct conn_tls *t = c->tls;
    tls_memory_take_off(t->writing.cap);
    buf_deinit(&t->writing);
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
    if (c->tls != NULL)
        forget_records(c);
    if (c->closed)
        return;
    if (status < 0) {
        conn_broke(c, status);
        return;
    }
    sent(c, bytes);
    conn_dirty(c);
}

static struct pending_write *take_pending(struct net *n) {
    struct pending_write *p = n->free_writes;
    if (p == NULL)
        return malloc(sizeof *p);
    n->free_writes = p->as.next;
    return p;
}

/* The kernel's buffer is full, so libuv waits for room. bytes: the bytes of the queue that
 * these buffers have. */
static void write_later(struct conn *c, const uv_buf_t bufs[], unsigned count, size_t bytes) {
    struct pending_write *p = take_pending(c->net);
    int status = UV_ENOMEM;
    if (p != NULL) {
        p->bytes = bytes;
        p->conn = c;
        status = uv_write(&p->as.write, (uv_stream_t *)&c->tcp, bufs, count, on_written);
    }
    if (status < 0) {
        free(p);
        conn_broke(c, status);
        return;
    }
    c->writing = true;
    c->in_write = (uint32_t)bytes;
    c->write_left = (uint32_t)uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
}

static void write_queue_later(struct conn *c, size_t burst) {
    uv_buf_t bufs[WRITE_SLICES];
    size_t bytes;
    queue_lags(&c->queue, &c->net->out, burst, net_awake(c->net));
    unsigned count = queue_gather(&c->queue, bufs, WRITE_SLICES, &bytes);
    write_later(c, bufs, count, bytes);
    c->queue.locked = c->writing ? count : 0;
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

static bool write_plain(struct conn *c) {
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
            write_queue_later(c, burst);
            return false;
        }
    }
    return true;
}

/* Writes the records that are there. They hold the first `sealed` bytes of the queue, which
 * count as sent when the kernel has taken all of the records. */
static bool write_records(struct conn *c, size_t sealed, size_t burst) {
    struct conn_tls *t = c->tls;
    uv_buf_t records = uv_buf_init(t->tls.out.data, (unsigned)t->tls.out.len);
    int n = uv_try_write((uv_stream_t *)&c->tcp, &records, 1);
    if (n < 0 && n != UV_EAGAIN) {
        conn_broke(c, n);
        return false;
    }
    size_t took = n > 0 ? (size_t)n : 0;
    if (took == records.len) {
        buf_deinit(&t->tls.out);
        sent(c, sealed);
        return true;
    }
    t->writing = t->tls.out;
    tls_memory_add(t->writing.cap);
    buf_init(&t->tls.out);
    if (c->queue.bytes > 0)
        queue_lags(&c->queue, &c->net->out, burst, net_awake(c->net));
    records = uv_buf_init(t->writing.data + took, (unsigned)(t->writing.len - took));
    write_later(c, &records, 1, sealed);
    if (!c->writing)
        forget_records(c);
    return false;
}

static bool write_sealed(struct conn *c) {
    struct conn_tls *t = c->tls;
    size_t burst = c->queue.bytes;
    for (;;) {
        size_t sealed = conn_tls_seal(t, &c->queue, c->end_after);
        if (sealed == SIZE_MAX || t->tls.out.failed) {
            conn_broke(c, UV_ENOMEM);
            return false;
        }
        if (t->tls.out.len == 0)
            return c->queue.bytes == 0;
        if (!write_records(c, sealed, burst))
            return false;
    }
}

/* Returns false while the kernel has not taken everything. */
static bool conn_write(struct conn *c) {
    return c->tls == NULL ? write_plain(c) : write_sealed(c);
}

void conn_tell_end(struct conn *c) {
    struct conn_tls *t = c->tls;
    if (c->closed || conn_holds_back(c) || t->end == 0 || t->end_told)
        return;
    t->end_told = true;
    c->ops->on_end(c, t->end);
}

void conn_flush(struct conn *c) {
    if (conn_write(c))
        queue_is_empty(c);
    if (c->tls != NULL)
        conn_tell_end(c);
}

bool conn_push(struct conn *c) {
    if (c->closed || c->queue.bytes == 0)
        return false;
    if (!c->writing)
        conn_write(c);
    return true;
}

void conn_end(struct conn *c) {
    if (c->closed || c->end_after)
        return;
    c->end_after = true;
    if (!c->writing)
        conn_dirty(c);
}

void conn_say_last(struct conn *c) {
    struct conn_tls *t = c->tls;
    if (c->queue.bytes == 0)
        tls_end(&t->tls);
    if (!c->writing && t->tls.out.len > 0) {
        uv_buf_t records = uv_buf_init(t->tls.out.data, (unsigned)t->tls.out.len);
        uv_try_write((uv_stream_t *)&c->tcp, &records, 1);
    }
}
