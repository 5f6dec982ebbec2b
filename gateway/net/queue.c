#include "gateway/net/queue.h"

#include <stdlib.h>
#include <string.h>

#define CHUNKS_KEPT 1024 /* and as many queues; the others go back to malloc */
#define OWN_LEAST   1024 /* the least bytes of a queue's own slab */
#define SLOW_MS     1000 /* how long a reader may take nothing of a burst over the limit */
#define TURN_MOST   (4U << 20) /* bytes that may be queued in a turn, whatever the limit is */
#define ASKED_MOST  (1U << 20) /* the same for what the reader itself asks for */
#define MOVING_MS   100        /* a reader that took something within this time is taking */
#define QUEUE_MOST  (1U << 30) /* bytes of any queue: sums stay below 2^32 */

static struct out_chunk *chunk_take(struct out_pool *pool) {
    struct out_chunk *chunk = pool->free;
    if (chunk != NULL) {
        pool->free = chunk->next;
        pool->free_count--;
    } else {
        chunk = malloc(sizeof *chunk);
    }
    if (chunk != NULL) {
        chunk->next = chunk->prev = NULL;
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

struct out_queue *queue_nothing(void) {
    static struct out_queue nothing;
    return &nothing;
}

struct out_queue *queue_take(struct out_pool *pool) {
    struct out_queue *q = pool->free_queues;
    if (q == NULL)
        return calloc(1, sizeof *q);
    pool->free_queues = (struct out_queue *)(void *)q->first;
    pool->free_queue_count--;
    memset(q, 0, sizeof *q);
    return q;
}

void queue_give(struct out_pool *pool, struct out_queue *q) {
    if (pool->free_queue_count >= CHUNKS_KEPT) {
        free(q);
        return;
    }
    q->first = (struct out_chunk *)(void *)pool->free_queues;
    pool->free_queues = q;
    pool->free_queue_count++;
}

void out_pool_init(struct out_pool *pool, struct slabs *slabs) {
    *pool = (struct out_pool){.slabs = slabs};
    list_init(&pool->loose);
}

void out_pool_deinit(struct out_pool *pool) {
    while (pool->free != NULL) {
        struct out_chunk *chunk = pool->free;
        pool->free = chunk->next;
        free(chunk);
    }
    while (pool->free_queues != NULL)
        free(queue_take(pool));
    pool->free_count = 0;
}

/* Sets the bytes that wait, and keeps the pool's sum in step. */
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
        chunk->prev = q->last;
        q->last = chunk;
    }
    q->last->entries[q->last->tail++] = e;
    q->entries++;
    slab_ref(e.slab);
    return true;
}

static void settle_last(struct out_queue *q, struct out_pool *pool);

static void lag_on(struct out_queue *q, struct out_pool *pool, bool grows) {
    if (!grows)
        settle_last(q, pool);
    if (list_empty(&q->loose))
        list_push(&pool->loose, &q->loose);
}

/* Runs for each delivery. No function is called when the region continues the last one and the
 * reader keeps up. */
bool queue_push(struct out_queue *q, struct out_pool *pool, struct region r, bool framed) {
    struct out_entry *e = last_of(q);
    bool grows =
        e != NULL && e->slab == r.slab && e->at + e->len == r.at && e->framed == framed;
    if (q->lags)
        lag_on(q, pool, grows);
    if (grows)
        e->len += r.len;
    else if (!append(q, pool, (struct out_entry){r.slab, r.at, r.len, 0, framed}))
        return false;
    if (r.len > q->burst)
        q->burst = r.len;
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
    else
        q->first->prev = NULL;
    chunk_give(pool, chunk);
}

/* Nothing waits any more. */
static void catch_up(struct out_queue *q, struct out_pool *pool) {
    q->burst = 0;
    if (!q->lags)
        return;
    q->lags = false;
    list_remove(&q->loose);
    if (q->own != NULL)
        slab_unref(pool->slabs, q->own);
    q->own = NULL;
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
    if (q->bytes == 0)
        catch_up(q, pool);
}

/* --- readers that lag -----------------------------------------------------------------------
 */

static bool is_wasteful(const struct out_entry *e) {
    return !e->slab->own && e->len < e->slab->size / 2;
}

/* Room at the end of the queue's own slab, or in a new one, which grows with what waits. */
static struct slab *own_room(struct out_queue *q, struct out_pool *pool, uint32_t len) {
    struct slab *own = q->own;
    if (own != NULL && own->size - own->used >= len)
        return own;
    size_t size = q->bytes / 4;
    size = size < OWN_LEAST ? OWN_LEAST : size > SLAB_BYTES ? SLAB_BYTES : size;
    struct slab *made = slab_make(pool->slabs, len > size ? len : size);
    if (made == NULL)
        return NULL;
    made->own = true;
    if (own != NULL)
        slab_unref(pool->slabs, own);
    return q->own = made;
}

/* Puts an entry at the end, or lengthens the last one by it. */
static bool add(struct out_queue *q, struct out_pool *pool, struct out_entry more) {
    struct out_entry *e = last_of(q);
    if (e == NULL || e->slab != more.slab || e->at + e->len != more.at ||
        e->framed != more.framed)
        return append(q, pool, more);
    e->len += more.len;
    return true;
}

/* Puts an entry at the end and takes over its reference. If the entry would waste its slab, its
 * bytes are copied; without memory for a copy it stays as it is. There is a chunk for it. */
static void put_back(struct out_queue *q, struct out_pool *pool, struct out_entry e) {
    struct slab *own = is_wasteful(&e) ? own_room(q, pool, e.len) : NULL;
    if (own == NULL) {
        add(q, pool, e);
        slab_unref(pool->slabs, e.slab);
        return;
    }
    memcpy(own->bytes + own->used, e.slab->bytes + e.at, e.len);
    add(q, pool, (struct out_entry){own, own->used, e.len, e.sent, e.framed});
    own->used += e.len;
    slab_unref(pool->slabs, e.slab);
}

static void settle_last(struct out_queue *q, struct out_pool *pool) {
    struct out_chunk *chunk = q->last;
    if (chunk == NULL || !is_wasteful(last_of(q)))
        return;
    struct out_entry e = chunk->entries[--chunk->tail];
    q->entries--;
    if (chunk->tail == chunk->head) {
        q->last = chunk->prev;
        if (q->last != NULL)
            q->last->next = NULL;
        else
            q->first = NULL;
        chunk_give(pool, chunk);
    }
    put_back(q, pool, e);
}

static void settle_all(struct out_queue *q, struct out_pool *pool) {
    struct out_chunk *chunk = q->first;
    q->first = q->last = NULL;
    q->entries = 0;
    while (chunk != NULL) {
        struct out_chunk was = *chunk;
        chunk_give(pool, chunk); /* so that put_back finds a free chunk at any rate */
        for (unsigned i = was.head; i < was.tail; i++)
            put_back(q, pool, was.entries[i]);
        chunk = was.next;
    }
}

void queue_lags(struct out_queue *q, struct out_pool *pool, size_t burst, uint64_t now) {
    if (q->lags) {
        settle_last(q, pool);
        return;
    }
    q->lags = true;
    q->burst = (uint32_t)(burst > q->burst ? burst : q->burst);
    queue_took(q, now);
    q->moved = false;
    list_init(&q->loose);
    settle_all(q, pool);
}

bool queue_is_full(const struct out_queue *q, size_t max, size_t len, bool asked,
                   uint64_t now) {
    size_t held = queue_held(q);
    if (held + len > QUEUE_MOST)
        return true;
    if (held + len <= max || held <= max / 4)
        return false;
    uint32_t since = q->lags ? (uint32_t)now - q->took_ms : 0;
    size_t turn = asked ? ASKED_MOST : TURN_MOST;
    size_t most = q->lags || max > turn ? max : turn;
    if (q->lags && q->moved && since < MOVING_MS)
        most = 2 * max;
    if (since < SLOW_MS && most < 2 * (size_t)q->burst)
        most = 2 * (size_t)q->burst;
    return held + len > most;
}

void out_pool_settle(struct out_pool *pool) {
    struct slab *const *current = pool->slabs->current;
    if (pool->filled[SLAB_PLAIN] == current[SLAB_PLAIN] &&
        pool->filled[SLAB_PACKED] == current[SLAB_PACKED])
        return;
    pool->filled[SLAB_PLAIN] = current[SLAB_PLAIN];
    pool->filled[SLAB_PACKED] = current[SLAB_PACKED];
    while (!list_empty(&pool->loose)) {
        struct out_queue *q = container_of(pool->loose.next, struct out_queue, loose);
        list_remove(&q->loose);
        settle_last(q, pool);
    }
}

/* --- dropping -------------------------------------------------------------------------------
 */

/* The length of the frame that begins there (RFC 6455, 5.2). A server's frames are unmasked. */
static uint32_t frame_len(const char *at) {
    const unsigned char *b = (const unsigned char *)at;
    uint32_t len = b[1] & 0x7fU;
    if (len == 126)
        return 4 + ((uint32_t)b[2] << 8 | b[3]);
    if (len == 127)
        return 10 + ((uint32_t)b[6] << 24 | (uint32_t)b[7] << 16 | (uint32_t)b[8] << 8 | b[9]);
    return 2 + len;
}

struct region queue_first(const struct out_queue *q) {
    const struct out_entry *e = first_of(q);
    if (e == NULL)
        return (struct region){NULL, 0, 0};
    uint32_t at = e->at + e->sent;
    return (struct region){e->slab, at, frame_len(e->slab->bytes + at)};
}

/* The end of the frame that holds the byte before `upto`. */
static uint32_t frame_end(const struct out_entry *e, uint32_t upto) {
    uint32_t at = 0;
    if (!e->framed)
        return e->len;
    while (at < upto)
        at += frame_len(e->slab->bytes + e->at + at);
    return at;
}

/* Releases a chunk's entries from the `keep`th on, and all chunks after it. */
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
        queue_clear(q, pool); /* nothing was partly sent */
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
    catch_up(q, pool);
}
