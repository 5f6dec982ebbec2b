#include "gateway/redis/backoff.h"

#include <stdbool.h>
#include <uv.h>

#define EAGER_MS      10000
#define EAGER_LEAST   50 /* ms between two attempts at first, plus up to as much again */
#define RARE_FIRST    100
#define REFUSED_FIRST 50

static uint64_t random_below(uint64_t n) {
    unsigned bits = 0;
    uv_random(NULL, NULL, &bits, sizeof bits, 0, NULL);
    return bits % n;
}

/* A random time from half of a bound to all of it. The bound doubles with each attempt. */
static uint64_t doubled(uint64_t first, unsigned times, uint64_t most) {
    uint64_t bound = first;
    for (unsigned i = 0; i < times && bound < most; i++)
        bound *= 2;
    if (bound > most)
        bound = most;
    return bound / 2 + random_below(bound / 2 + 1);
}

uint64_t backoff_after(struct backoff *b, enum setback what, uint64_t now, uint64_t most) {
    if (what == SETBACK_FELL)
        *b = (struct backoff){.since = 0};
    bool first = b->since == 0;
    if (first)
        b->since = now;
    if (what == SETBACK_REFUSED)
        return doubled(REFUSED_FIRST, b->refusals++, most);
    b->refusals = 0;
    if (first)
        return 0;
    if (now - b->since < EAGER_MS)
        return EAGER_LEAST + random_below(EAGER_LEAST);
    return doubled(RARE_FIRST, b->rare++, most);
}
