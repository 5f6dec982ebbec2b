#ifndef SLUICE_REDIS_BACKOFF_H
#define SLUICE_REDIS_BACKOFF_H

#include <stdint.h>

/*
 * How long a link waits before it tries again. What cannot be reached is tried at once, then
 * every 50 to 100 ms for 10 s, so that the end of a short outage is seen soon; then ever more
 * rarely. What answers and refuses is tried ever more rarely from the start: it will not change
 * its mind within milliseconds. All waits have jitter: a cluster's nodes must not knock all at
 * once.
 */
struct backoff {
    uint64_t since;    /* loop time of the first failure in a row; 0: none yet */
    unsigned rare;     /* attempts since the 10 s were over */
    unsigned refusals; /* in a row */
};

enum setback {
    SETBACK_FELL,   /* a link that stood has fallen: the row begins with it */
    SETBACK_AWAY,   /* not reached, or fallen in the middle */
    SETBACK_REFUSED /* it answers, but does not let us work */
};

/* ms to wait after a setback at `now` (loop time, not 0). most: the longest wait, in ms. */
uint64_t backoff_after(struct backoff *b, enum setback what, uint64_t now, uint64_t most);

#endif
