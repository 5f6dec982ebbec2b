#include "gateway/net/queue.h"

#include <stdlib.h>

#define CHUNKS_KEPT 4096

static struct out_chunk *chunk_take(struct out_pool *pool) {
    struct out_chunk *chunk = pool->free;
    if (chunk != NULL) {
        pool->free = chunk->next;
        pool->free_count--;
    } else {
        chunk = malloc(sizeof *chunk);
    }
    if (chunk != NULL) {
        chunk->next = NULL;
        chunk->head = chunk->tail = 0;
    }
    return chunk;
}

static void chunk_give(struct out_pool *pool, struct out_chunk *chunk) {
    if (pool->free_count >= CHUNKS_KEPT) {
        free(chunk);
        return;
    }
    chunk->next = pool->free;
    pool->free = chunk;
    pool->free_count++;
}

void out_pool_deinit(struct out_pool *pool) {
    while (pool->free != NULL) {
        struct out_chunk *chunk = pool->free;
        pool->free = chunk->next;
        free(chunk);
    }
    pool->free_count = 0;
}

/* What waits changed by whole numbers of bytes: so does the sum of all. */
static void set_bytes(struct out_queue *q, struct out_pool *pool, uint32_t bytes) {
    pool->bytes += (uint64_t)bytes - q->bytes;
    q->bytes = bytes;
}

static struct out_entry *first_of(const struct out_queue *q) {
    return q->first != NULL ? &q->first->entries[q->first->head] : NULL;
}

static struct out_entry *last_of(const struct out_queue *q) {
    return q->last != NULL ? &q->last->entries[q->last->tail - 1] : NULL;
}

static bool append(struct out_queue *q, struct out_pool *pool, struct out_entry e) {
    if (q->last == NULL || q->last->tail == OUT_CHUNK) {
        struct out_chunk *chunk = chunk_take(pool);
        if (chunk == NULL)
            return false;
        if (q->last != NULL)
            q->last->next = chunk;
        else
            q->first = chunk;
        q->last = chunk;
    }
    q->last->entries[q->last->tail++] = e;
    q->entries++;
    slab_ref(e.slab);
    return true;
}

bool queue_push(struct out_queue *q, struct out_pool *pool, struct region r, bool framed) {
    struct out_entry *e = last_of(q);
    if (e != NULL && e->slab == r.slab && e->at + e->len == r.at && e->framed == framed)
        e->len += r.len;
    else if (!append(q, pool, (struct out_entry){r.slab, r.at, r.len, 0, framed}))
        return false;
    set_bytes(q, pool, q->bytes + r.len);
    return true;
}

unsigned queue_gather(const struct out_queue *q, uv_buf_t bufs[], unsigned most,
                      size_t *bytes) {
    unsigned n = 0;
    *bytes = 0;
    for (struct out_chunk *chunk = q->first; chunk != NULL && n < most; chunk = chunk->next) {
        for (unsigned i = chunk->head; i < chunk->tail && n < most; i++) {
            struct out_entry *e = &chunk->entries[i];
            bufs[n] = uv_buf_init(e->slab->bytes + e->at + e->sent, e->len - e->sent);
            *bytes += bufs[n++].len;
        }
    }
    return n;
}

static void shift(struct out_queue *q, struct out_pool *pool) {
    struct out_chunk *chunk = q->first;
    slab_unref(pool->slabs, chunk->entries[chunk->head].slab);
    q->entries--;
    if (++chunk->head < chunk->tail)
        return;
    q->first = chunk->next;
    if (q->first == NULL)
        q->last = NULL;
    chunk_give(pool, chunk);
}

void queue_sent(struct out_queue *q, struct out_pool *pool, size_t bytes) {
    set_bytes(q, pool, q->bytes - (uint32_t)bytes);
    while (bytes > 0) {
        struct out_entry *e = first_of(q);
        size_t left = e->len - e->sent;
        if (bytes < left) {
            e->sent += (uint32_t)bytes;
            return;
        }
        bytes -= left;
        shift(q, pool);
    }
}

/* --- dropping -------------------------------------------------------------------------------
 */

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

/* Lets go of a chunk's entries from the `keep`th on, and of all chunks behind it. */
static void cut(struct out_queue *q, struct out_pool *pool, struct out_chunk *chunk,
                unsigned keep) {
    for (unsigned i = keep; i < chunk->tail; i++, q->entries--)
        slab_unref(pool->slabs, chunk->entries[i].slab);
    chunk->tail = keep;
    struct out_chunk *next = chunk->next;
    chunk->next = NULL;
    q->last = chunk;
    while (next != NULL) {
        struct out_chunk *gone = next;
        next = gone->next;
        for (unsigned i = gone->head; i < gone->tail; i++, q->entries--)
            slab_unref(pool->slabs, gone->entries[i].slab);
        chunk_give(pool, gone);
    }
}

void queue_drop(struct out_queue *q, struct out_pool *pool, uint32_t keep) {
    const struct out_entry *first = first_of(q);
    if (keep == 0 && (first == NULL || frame_end(first, first->sent) == first->sent)) {
        queue_clear(q, pool); /* nothing is half gone */
        return;
    }
    uint32_t kept = 0;
    for (struct out_chunk *chunk = q->first; chunk != NULL; chunk = chunk->next) {
        for (unsigned i = chunk->head; i < chunk->tail; i++) {
            struct out_entry *e = &chunk->entries[i];
            uint32_t left = e->len - e->sent;
            if (kept + left < keep) {
                kept += left;
                continue;
            }
            e->len = frame_end(e, e->sent + (keep - kept));
            kept += e->len - e->sent;
            cut(q, pool, chunk, i + 1);
            set_bytes(q, pool, kept);
            return;
        }
    }
}

void queue_clear(struct out_queue *q, struct out_pool *pool) {
    while (q->first != NULL)
        shift(q, pool);
    set_bytes(q, pool, 0);
}
