#ifndef SLUICE_COMMON_RATE_H
#define SLUICE_COMMON_RATE_H

#include "common/bucket.h"

/*
 * How fast a connection may ask for things. It may spend `rate` units a second, and RATE_BURST
 * times as many at once. What it is charged beyond that is a debt, and until it is paid the
 * connection is not read. The debt is never more than RATE_DEBT_MOST_MS, so no connection is
 * forgotten. A rate of 0 is no limit. Times are in ms.
 */
#define RATE_BURST        3
#define RATE_DEBT_MOST_MS UINT64_C(10000)
#define RATE_ROOM_MS      UINT64_C(250) /* after a pause, room for so long, or for one unit */

/* A bucket counts in 1/1000 ms. */
#define RATE_UNIT  UINT64_C(1000)
#define RATE_DEPTH (RATE_UNIT * 1000 * RATE_BURST)

static inline uint64_t rate_cost(uint64_t rate, uint64_t units) {
    return units * 1000 * RATE_UNIT / rate;
}

/* Spends so many units. False: they are not there, and nothing was spent. What costs more than
 * a whole burst waits for a full bucket. */
static inline bool rate_take(struct bucket *b, uint64_t now, uint64_t rate, uint64_t units) {
    uint64_t cost = rate != 0 ? rate_cost(rate, units) : 0;
    if (rate == 0)
        return true;
    if (!bucket_has(b, now * RATE_UNIT, cost < RATE_DEPTH ? cost : RATE_DEPTH, RATE_DEPTH))
        return false;
    bucket_take(b, now * RATE_UNIT, cost);
    return true;
}

/* Charges what has been spent already. Returns the time before which the connection is not to
 * be read; 0: it has no debt. */
static inline uint64_t rate_charge(struct bucket *b, uint64_t now, uint64_t rate,
                                   uint64_t units) {
    if (rate == 0)
        return 0;
    uint64_t brim = now * RATE_UNIT + RATE_DEPTH;
    uint64_t most = brim + RATE_DEBT_MOST_MS * RATE_UNIT;
    uint64_t room = rate_cost(rate, 1);
    bucket_take(b, now * RATE_UNIT, rate_cost(rate, units));
    if (b->until <= brim)
        return 0;
    if (b->until > most)
        b->until = most;
    if (room < RATE_ROOM_MS * RATE_UNIT)
        room = RATE_ROOM_MS * RATE_UNIT;
    return now + (b->until - brim + room + RATE_UNIT - 1) / RATE_UNIT;
}

#endif
