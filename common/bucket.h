#ifndef SLUICE_COMMON_BUCKET_H
#define SLUICE_COMMON_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A token bucket, kept as the time at which its debt is paid. Taking something out costs time,
 * and `depth` is the most time that may be owed at once. The caller chooses the unit of time,
 * and uses the same one in all calls for a bucket; a unit finer than the clock's lets small
 * costs add up. A zeroed bucket is full.
 */
struct bucket {
    uint64_t until;
};

/* True if so much can be taken out now. */
static inline bool bucket_has(const struct bucket *b, uint64_t now, uint64_t cost,
                              uint64_t depth) {
    uint64_t from = b->until > now ? b->until : now;
    return from + cost <= now + depth;
}

static inline void bucket_take(struct bucket *b, uint64_t now, uint64_t cost) {
    b->until = (b->until > now ? b->until : now) + cost;
}

#endif
