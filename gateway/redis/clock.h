#ifndef SLUICE_REDIS_CLOCK_H
#define SLUICE_REDIS_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Redis's clock as seen from here: its distance from a local clock that only rises. The
 * distance is learnt from answers that carry Redis's TIME. All times are in microseconds.
 */
struct redis_clock {
    int64_t ahead; /* Redis's time minus ours, exact to plus or minus `error` */
    uint64_t error;
    uint64_t learnt; /* our time when it was learnt; 0: nothing is known */
};

/*
 * A question was sent at `asked` and was answered at `answered` (our times) with Redis's
 * `time`, which is assumed to be from half way between. The answer counts if it is more exact
 * than the known distance, which gets less exact with age since clocks drift. It also counts if
 * it contradicts the known distance, because then Redis's clock was set. Returns by how much
 * the clock was set; 0 if no change can be told.
 */
int64_t redis_clock_learn(struct redis_clock *c, uint64_t asked, uint64_t answered,
                          uint64_t time);

/* Tells how long before `now` (our time) Redis's clock showed `time`; 0 in place of a negative
 * number. Returns false while the distance is not known. */
bool redis_clock_age(const struct redis_clock *c, uint64_t now, uint64_t time, uint64_t *age);

/* The least that Redis's clock shows at `now` (our time); 0 while the distance is not known. */
uint64_t redis_clock_least(const struct redis_clock *c, uint64_t now);

#endif
