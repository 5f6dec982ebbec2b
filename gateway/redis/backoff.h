#ifndef SLUICE_REDIS_BACKOFF_H
#define SLUICE_REDIS_BACKOFF_H

#include <stdint.h>

/*
 * How long a link waits before it tries again. A Redis that cannot be reached is tried at once,
 * then every 50 to 100 ms for 10 s, so that the end of a short outage is seen soon, and then
 * ever more rarely. A Redis that answers and refuses is tried ever more rarely from the start,
 * since a refusal does not end within milliseconds. All waits have jitter, so that the nodes of
 * a cluster do not all try at the same moment.
 */
struct backoff {
    uint64_t since;    /* loop time of the first failure in a row; 0: none yet */
    unsigned rare;     /* attempts since the 10 s were over */
    unsigned refusals; /* in a row */
};

enum setback {
    SETBACK_FELL,   /* a link that worked has fallen: a new row begins */
    SETBACK_AWAY,   /* not reached, or fallen while it greeted */
    SETBACK_REFUSED /* it answers, but refuses the link */
};

/* Returns the ms to wait after a setback at `now` (loop time, not 0). most: the longest wait,
 * in ms. */
uint64_t backoff_after(struct backoff *b, enum setback what, uint64_t now, uint64_t most);

#endif
