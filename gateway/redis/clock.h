#ifndef SLUICE_REDIS_CLOCK_H
#define SLUICE_REDIS_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Redis's clock as seen from here: how far it is from a local one that only rises, learnt from
 * answers that carry Redis's TIME. All times in microseconds.
 */
struct redis_clock {
    int64_t ahead; /* Redis's time less ours, give or take `error` */
    uint64_t error;
    uint64_t learnt; /* our time; 0: nothing is known */
};

/*
 * A question left at `asked` and was answered, with Redis's `time`, at `answered` (ours). Taken
 * to be read half way between. The answer counts if it is more exact than what is known (which
 * ages: clocks drift), or contradicts it: then somebody set Redis's clock. Returns by how much
 * it was set, 0 if it was not as far as one can tell.
 */
int64_t redis_clock_learn(struct redis_clock *c, uint64_t asked, uint64_t answered,
                          uint64_t time);

/* How long before `now` (ours) Redis's clock showed `time`; 0 rather than a negative one.
 * False: it is not known yet. */
bool redis_clock_age(const struct redis_clock *c, uint64_t now, uint64_t time, uint64_t *age);

#endif
