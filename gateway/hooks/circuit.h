#ifndef SLUICE_HOOKS_CIRCUIT_H
#define SLUICE_HOOKS_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether a back end is asked at all. The circuit opens when half of its calls failed, of at
 * least CIRCUIT_LEAST in CIRCUIT_WINDOW seconds. Then nothing is sent for CIRCUIT_OPEN_MS, and
 * after that one call at a time, on trial. Any good one closes it. Times are ms of a monotonic
 * clock. A zeroed circuit is closed.
 */
#define CIRCUIT_LEAST   5
#define CIRCUIT_WINDOW  10
#define CIRCUIT_OPEN_MS 5000

enum circuit_state { CIRCUIT_CLOSED, CIRCUIT_OPEN, CIRCUIT_TRYING };

struct circuit {
    enum circuit_state state;
    uint64_t until; /* OPEN: when the next trial may be */
    struct circuit_second {
        uint64_t second;
        unsigned calls;
        unsigned failed;
    } seconds[CIRCUIT_WINDOW]; /* of the last seconds, each at its number modulo the count */
};

/* May a call be sent now? */
bool circuit_lets(const struct circuit *c, uint64_t now);
/* One is sent that it lets. Returns true if that is on trial. */
bool circuit_sent(struct circuit *c);
/* How a call has ended that was sent. Returns true if the state is another one now. */
bool circuit_tell(struct circuit *c, uint64_t now, bool good, bool trial);
/* A call on trial was given up: the next one is on trial. */
void circuit_forget(struct circuit *c, bool trial);

#endif
