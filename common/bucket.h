#ifndef SLUICE_COMMON_BUCKET_H
#define SLUICE_COMMON_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A token bucket, kept as the time at which it will be empty. What is taken out costs time, and
 * `depth` is the time that may be owed at once. The unit of time is the caller's, the same in
 * all calls of a bucket; a finer one than the clock's lets small costs add up. A zeroed bucket
 * is full.
 */
struct bucket {
    uint64_t until;
};

/* Can so much be taken out now? */
static inline bool bucket_has(const struct bucket *b, uint64_t now, uint64_t cost,
                              uint64_t depth) {
    uint64_t from = b->until > now ? b->until : now;
    return from + cost <= now + depth;
}

static inline void bucket_take(struct bucket *b, uint64_t now, uint64_t cost) {
    b->until = (b->until > now ? b->until : now) + cost;
}

#endif
