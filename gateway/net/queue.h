#ifndef SLUICE_NET_QUEUE_H
#define SLUICE_NET_QUEUE_H

#include <uv.h>

#include "common/list.h"
#include "gateway/net/slab.h"

/*
 * What waits for one reader: regions of slabs, in order, each held by a reference. Knows no
 * socket. The queues of a loop share a pool, which keeps chunks for the next one and counts the
 * bytes of all.
 *
 * A reader that takes all at the end of the turn shares its regions with others. One that does
 * not (queue_lags) must not hold a whole slab for a few bytes of it: its regions that are less
 * than half of their slab are copied, one after the other, into slabs of its own. So it holds
 * at most twice its bytes, and a thousand such readers of one busy channel still share.
 */
struct out_entry {
    struct slab *slab;
    uint32_t at;   /* a frame begins here */
    uint32_t len;  /* from `at` */
    uint32_t sent; /* from `at`; only the first entry of a queue has any */
    bool framed;   /* whole WebSocket frames, not HTTP */
};

#define OUT_CHUNK 5
struct out_chunk {
    struct out_chunk *next;
    struct out_chunk *prev;
    unsigned head;
    unsigned tail;
    struct out_entry entries[OUT_CHUNK];
};

struct out_pool {
    struct slabs *slabs;
    struct out_chunk *free;
    unsigned free_count;
    uint64_t bytes;            /* that wait, in all queues */
    struct list loose;         /* queues that lag and whose last region may still grow */
    const struct slab *filled; /* the slab that was current when they were looked at */
};

/* All zeros is empty. */
struct out_queue {
    struct out_chunk *first;
    struct out_chunk *last;
    uint32_t bytes; /* that wait */
    uint32_t entries;
    uint32_t locked; /* the first entries, which a write under way has: they stay as they are */
    uint32_t burst;  /* the longest that waits, or, while it lags, was queued at once */
    uint32_t took_ms;  /* while it lags: net_awake when the reader last took something */
    struct slab *own;  /* what of its own is not full yet, with a reference; or NULL */
    bool moved;        /* it took something since it lags */
    bool lags;         /* the reader had its chance and has not taken all */
    struct list loose; /* in the pool's; valid while it lags */
};

/*
 * The reader was given all that waits, `burst` bytes at once, and has not taken it (yet): from
 * now on what it holds is what it counts. Until nothing waits any more. now: net_awake.
 */
void queue_lags(struct out_queue *q, struct out_pool *pool, size_t burst, uint64_t now);
/* The reader of a queue that lags has just taken something. */
static inline void queue_took(struct out_queue *q, uint64_t now) {
    q->took_ms = (uint32_t)now;
    q->moved = true;
}
/* What counts against a limit: a region counts beside its bytes for its entry, and for the rest
 * of its slab while it is new. */
#define OUT_ENTRY_COST 256
static inline size_t queue_held(const struct out_queue *q) {
    return (size_t)q->bytes + (size_t)q->entries * OUT_ENTRY_COST;
}

/*
 * True if the reader is too slow for `len` more bytes: more than `max` would wait. Not for what
 * a turn queues before the reader had its chance (4 MiB; 1 MiB of what it asks for itself:
 * asked), nor for a single message while less than a quarter of max waits. While it is taking,
 * twice max may wait; and for a second after it took something (or was first given it) twice
 * the largest burst, which may be one long message.
 */
bool queue_is_full(const struct out_queue *q, size_t max, size_t len, bool asked, uint64_t now);

/* True if the reader lags so much that what may be lost is not for it. */
static inline bool queue_sheds(const struct out_queue *q, size_t max) {
    return q->lags && q->bytes > max / 4;
}

/* Puts a region at the end; one that lies right after the last lengthens it. framed: it is
 * whole WebSocket frames. False: no memory. */
bool queue_push(struct out_queue *q, struct out_pool *pool, struct region r, bool framed);
/* The first bytes, at most `most` pieces of memory, which hold until they are sent or dropped.
 * Returns how many pieces; *bytes: how long they are in all. */
unsigned queue_gather(const struct out_queue *q, uv_buf_t bufs[], unsigned most, size_t *bytes);
/* The first bytes have left: at most as many as wait. */
void queue_sent(struct out_queue *q, struct out_pool *pool, size_t bytes);
/* The first frame that waits, of a queue in which all are framed and none has begun to leave;
 * its length is what queue_sent is told. No reference of its own. len 0: none waits. */
struct region queue_first(const struct out_queue *q);
/* Forgets all but the first `keep` bytes, rounded up to the end of a frame (or of what is not
 * framed): nothing is left half said. keep: at most as many as wait. */
void queue_drop(struct out_queue *q, struct out_pool *pool, uint32_t keep);
void queue_clear(struct out_queue *q, struct out_pool *pool);

void out_pool_init(struct out_pool *pool, struct slabs *slabs);
/* The turn is over: queues that lag let go of the slab that was full in it. */
void out_pool_settle(struct out_pool *pool);
/* Every queue is empty. */
void out_pool_deinit(struct out_pool *pool);

#endif
