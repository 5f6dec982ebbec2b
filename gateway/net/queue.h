#ifndef SLUICE_NET_QUEUE_H
#define SLUICE_NET_QUEUE_H

#include <uv.h>

#include "gateway/net/slab.h"

/*
 * What waits to be written to one socket: regions of slabs, in order, each held by a reference.
 * Knows no socket. The queues of a loop share a pool, which keeps chunks for the next one and
 * counts the bytes of all.
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
    unsigned head;
    unsigned tail;
    struct out_entry entries[OUT_CHUNK];
};

struct out_pool {
    struct slabs *slabs;
    struct out_chunk *free;
    unsigned free_count;
    uint64_t bytes; /* that wait, in all queues */
};

/* All zeros is empty. */
struct out_queue {
    struct out_chunk *first;
    struct out_chunk *last;
    uint32_t bytes;   /* that wait */
    uint32_t entries; /* each may hold a whole slab */
};

/* Puts a region at the end; one that lies behind the last lengthens it. framed: it is whole
 * WebSocket frames. False: no memory. */
bool queue_push(struct out_queue *q, struct out_pool *pool, struct region r, bool framed);
/* The first bytes, at most `most` pieces of memory, which hold until they are sent or dropped.
 * Returns how many pieces; *bytes: how long they are in all. */
unsigned queue_gather(const struct out_queue *q, uv_buf_t bufs[], unsigned most, size_t *bytes);
/* The first bytes have left: at most as many as wait. */
void queue_sent(struct out_queue *q, struct out_pool *pool, size_t bytes);
/* Forgets all but the first `keep` bytes, rounded up to the end of a frame (or of what is not
 * framed): nothing is left half said. keep: at most as many as wait. */
void queue_drop(struct out_queue *q, struct out_pool *pool, uint32_t keep);
void queue_clear(struct out_queue *q, struct out_pool *pool);

/* Every queue is empty. */
void out_pool_deinit(struct out_pool *pool);

#endif
