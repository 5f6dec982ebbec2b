#ifndef SLUICE_NET_QUEUE_H
#define SLUICE_NET_QUEUE_H

#include <uv.h>

#include "common/list.h"
#include "gateway/net/slab.h"

/*
 * The bytes that wait for one reader: regions of slabs, in order, each held by a reference. It
 * knows no socket. The queues of a loop share a pool, which keeps free chunks and counts the
 * bytes of all queues.
 *
 * A reader that takes everything at the end of the turn shares its regions with others. A
 * reader that lags (queue_lags) must not hold a whole slab for a few bytes of it. Its regions
 * that are less than half of their slab are copied, one after the other, into slabs of its own.
 * So it holds at most twice its bytes, and a thousand such readers of one busy channel still
 * share.
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
    struct out_queue *free_queues;
    unsigned free_queue_count;
    uint64_t bytes;                        /* bytes that wait, in all queues */
    struct list loose;                     /* lagging queues whose last region may still grow */
    const struct slab *filled[SLAB_LANES]; /* the slabs that were current when they were looked
                                              at */
};

/* All zeros is empty. Of a queue in which nothing waits nobody needs one of their own: all that
 * have nothing to send have queue_nothing. */
struct out_queue {
    struct out_chunk *first; /* or, in the pool, the next queue that is free */
    struct out_chunk *last;
    uint32_t bytes; /* bytes that wait */
    uint32_t entries;
    uint32_t
        burst; /* the most bytes that waited, or, while it lags, that were queued at once */
    uint32_t took_ms;  /* while it lags: net_awake when the reader last took something */
    struct slab *own;  /* its own slab that is not full yet, with a reference; or NULL */
    bool moved;        /* the reader took something since it lags */
    bool lags;         /* the reader could take everything and did not */
    struct list loose; /* in the pool's list; valid while it lags */
};

/*
 * The reader was offered all that waits, `burst` bytes at once, and has not taken all of it.
 * From now on, until nothing waits any more, the queue holds no more memory than it counts.
 * now: net_awake.
 */
void queue_lags(struct out_queue *q, struct out_pool *pool, size_t burst, uint64_t now);
/* The reader of a queue that lags has just taken something. */
static inline void queue_took(struct out_queue *q, uint64_t now) {
    q->took_ms = (uint32_t)now;
    q->moved = true;
}
/* The number that is compared with a limit. Besides its bytes, each region counts for its
 * entry, and for the rest of its slab while that is new. */
#define OUT_ENTRY_COST 256
static inline size_t queue_held(const struct out_queue *q) {
    return (size_t)q->bytes + (size_t)q->entries * OUT_ENTRY_COST;
}

/*
 * True if the reader is too slow for `len` more bytes, so that more than `max` would wait.
 * There are exceptions. In a turn, before the reader could take anything, 4 MiB may be queued,
 * or 1 MiB of what it asks for itself (`asked`). A single message is always queued while less
 * than a quarter of max waits. While the reader is taking, twice max may wait. For a second
 * after it took something (or was first offered it), twice the largest burst may wait, which
 * may be one long message.
 */
bool queue_is_full(const struct out_queue *q, size_t max, size_t len, bool asked, uint64_t now);

/* True if the reader lags so much that it gets no messages that may be lost. */
static inline bool queue_sheds(const struct out_queue *q, size_t max) {
    return q->lags && q->bytes > max / 4;
}

/* Puts a region at the end. A region that lies right after the last one lengthens it. framed:
 * it consists of whole WebSocket frames. Returns false without memory. */
bool queue_push(struct out_queue *q, struct out_pool *pool, struct region r, bool framed);
/* Finds the first bytes, in at most `most` pieces of memory, which are valid until they are
 * sent or dropped. Returns the number of pieces; *bytes is their whole length. */
unsigned queue_gather(const struct out_queue *q, uv_buf_t bufs[], unsigned most, size_t *bytes);
/* The first `bytes` bytes were sent: at most as many as wait. */
void queue_sent(struct out_queue *q, struct out_pool *pool, size_t bytes);
/* The first frame that waits, in a queue where all is framed and no frame was partly sent. The
 * caller passes its length to queue_sent. The region has no reference of its own. len 0: no
 * frame waits. */
struct region queue_first(const struct out_queue *q);
/* Forgets all but the first `keep` bytes (at most as many as wait), rounded up to the end of a
 * frame, or of a region that is not framed. So nothing is sent in part. */
void queue_drop(struct out_queue *q, struct out_pool *pool, uint32_t keep);
void queue_clear(struct out_queue *q, struct out_pool *pool);

/* A queue in which nothing waits, and which nobody may write to. */
struct out_queue *queue_nothing(void);
/* An empty queue, or NULL without memory. */
struct out_queue *queue_take(struct out_pool *pool);
/* Gives an empty one back. */
void queue_give(struct out_pool *pool, struct out_queue *q);

void out_pool_init(struct out_pool *pool, struct slabs *slabs);
/* Called at the end of a turn: lagging queues release the slab that became full in it. */
void out_pool_settle(struct out_pool *pool);
/* Called when every queue is empty. */
void out_pool_deinit(struct out_pool *pool);

#endif
