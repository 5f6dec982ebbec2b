#include "gateway/net/conn_out.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "gateway/tls_memory.h"

#define WRITE_SLICES 64

/* --- what is sent ---------------------------------------------------------------------------
 */

void conn_dirty(struct conn *c) {
    if (!list_empty(&c->dirty) && !c->wide)
        return;
    list_remove(&c->dirty);
    list_push(&c->net->dirty, &c->dirty);
    c->wide = false;
}

void conn_watch(struct conn *c) {
    unsigned wanted = (c->reading ? POLLER_READ : 0U) | (c->writing ? POLLER_WRITE : 0U);
    if (c->closed || c->lost || wanted == c->watched)
        return;
    if (poller_watch(&c->net->poller, c->fd, c->watched, wanted, c)) {
        c->watched = (unsigned char)(wanted & 3U);
        return;
    }
    c->lost = true; /* nothing would ever be heard of it */
    c->writing = false;
    conn_dirty(c);
}

/* --- the queue ------------------------------------------------------------------------------
 */

void conn_free_queue(struct conn *c) {
    if (c->queue == queue_nothing())
        return;
    queue_clear(c->queue, &c->net->out);
    queue_give(&c->net->out, c->queue);
    c->queue = queue_nothing();
}

static bool has_queue(struct conn *c) {
    if (c->queue == queue_nothing()) {
        struct out_queue *q = queue_take(&c->net->out);
        if (q == NULL)
            return false;
        c->queue = q;
    }
    return true;
}

static bool put(struct conn *c, struct region r) {
    return !c->closed && !c->end_after && has_queue(c) &&
           queue_push(c->queue, &c->net->out, r, c->framed);
}

bool conn_send(struct conn *c, struct region r) {
    if (!put(c, r))
        return false;
    if (!c->writing)
        conn_dirty(c);
    return true;
}

bool conn_send_wide(struct conn *c, struct region r) {
    if (!put(c, r))
        return false;
    if (c->writing || !list_empty(&c->dirty))
        return true;
    c->wide = true;
    list_push(&c->net->wide, &c->dirty);
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

bool conn_is_full(struct conn *c, size_t len) {
    if (queue_held(c->queue) + len <= c->net->max_queue)
        return false; /* nearly always */
    return queue_is_full(c->queue, c->net->max_queue, len, c->asking, net_awake(c->net));
}

size_t conn_unsent(const struct conn *c) {
    int held = 0;
    if (ioctl(c->fd, SIOCOUTQ, &held) != 0)
        held = 0;
    return c->queue->bytes + (size_t)held;
}

/* Bytes that are encrypted already belong to a record that is partly sent. */
void conn_drop_queue(struct conn *c) {
    if (c->queue->bytes > 0)
        queue_drop(c->queue, &c->net->out, c->tls != NULL ? (uint32_t)c->tls->sealed : 0);
    if (c->queue->bytes == 0)
        conn_free_queue(c);
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
    if (bytes == 0)
        return;
    queue_sent(c->queue, &c->net->out, bytes);
    if (c->queue->bytes == 0)
        conn_free_queue(c);
    else
        queue_took(c->queue, net_awake(c->net));
}

static void conn_broke(struct conn *c, int status) {
    if (!c->closed)
        c->ops->on_end(c, status);
}

/* Returns how many bytes the kernel took, which may be none, or SIZE_MAX when the connection is
 * broken, which is told then. */
static size_t write_some(struct conn *c, const uv_buf_t bufs[], unsigned count) {
    ssize_t n;
    do {
        n = writev(c->fd, (const struct iovec *)(const void *)bufs, (int)count);
    } while (n < 0 && errno == EINTR);
    if (n >= 0)
        return (size_t)n;
    if (errno == EAGAIN || errno == ENOBUFS)
        return 0;
    conn_broke(c, uv_translate_sys_error(errno));
    return SIZE_MAX;
}

/* The kernel's buffer is full. */
static void wait_for_room(struct conn *c, size_t burst) {
    if (c->queue->bytes > 0)
        queue_lags(c->queue, &c->net->out, burst, net_awake(c->net));
    c->writing = true;
    conn_watch(c);
}

static void shut_down(struct conn *c) {
    c->ended = true;
    if (shutdown(c->fd, SHUT_WR) != 0)
        conn_broke(c, UV_ENOTCONN);
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
    size_t burst = c->queue->bytes;
    while (c->queue->bytes > 0) {
        uv_buf_t bufs[WRITE_SLICES];
        size_t bytes;
        unsigned count = queue_gather(c->queue, bufs, WRITE_SLICES, &bytes);
        size_t n = write_some(c, bufs, count);
        if (n == SIZE_MAX)
            return false;
        sent(c, n);
        if (n < bytes) {
            wait_for_room(c, burst);
            return false;
        }
    }
    return true;
}

static void forget_records(struct conn_tls *t) {
    tls_memory_take_off(t->writing.cap);
    buf_deinit(&t->writing);
    t->written = t->sealed = 0;
}

/* Writes what is left of the records. They hold the first `sealed` bytes of the queue, which
 * count as sent when the kernel has taken all of the records. Returns false while it has not.
 */
static bool write_records(struct conn *c, size_t burst) {
    struct conn_tls *t = c->tls;
    size_t left = t->writing.len - t->written, sealed = t->sealed;
    uv_buf_t records = uv_buf_init(t->writing.data + t->written, (unsigned)left);
    size_t n = write_some(c, &records, 1);
    if (n == SIZE_MAX)
        return false;
    t->written += n;
    if (n < left) {
        wait_for_room(c, burst);
        return false;
    }
    forget_records(t);
    sent(c, sealed);
    return true;
}

static bool write_sealed(struct conn *c) {
    struct conn_tls *t = c->tls;
    size_t burst = c->queue->bytes;
    for (;;) {
        if (t->writing.len > 0 && !write_records(c, burst))
            return false;
        size_t sealed = conn_tls_seal(t, c->queue, c->end_after);
        if (sealed == SIZE_MAX || t->tls.out.failed) {
            conn_broke(c, UV_ENOMEM);
            return false;
        }
        if (t->tls.out.len == 0)
            return c->queue->bytes == 0;
        t->writing = t->tls.out;
        t->sealed = sealed;
        tls_memory_add(t->writing.cap);
        buf_init(&t->tls.out);
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
    if (c->lost) {
        conn_broke(c, c->connecting ? UV_ECONNREFUSED : UV_ENOMEM);
        return;
    }
    bool all = conn_write(c);
    conn_watch(c); /* WRITE no more, if all was taken */
    if (all)
        queue_is_empty(c);
    if (c->tls != NULL)
        conn_tell_end(c);
}

bool conn_push(struct conn *c) {
    if (c->closed || c->queue->bytes == 0)
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
    if (c->queue->bytes == 0)
        tls_end(&t->tls);
    if (c->writing || t->writing.len > 0 || t->tls.out.len == 0)
        return;
    ssize_t all = write(c->fd, t->tls.out.data, t->tls.out.len);
    (void)all; /* nobody waits for it */
}
