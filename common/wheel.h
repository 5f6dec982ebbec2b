#ifndef SLUICE_COMMON_WHEEL_H
#define SLUICE_COMMON_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A timer wheel has many coarse deadlines in one array, so that a connection needs no timer of
 * its own. Time is in milliseconds of any monotonic clock; a deadline fires at most one tick
 * late, never early. Adding and removing is O(1).
 */
#define WHEEL_SLOTS   512
#define WHEEL_TICK_MS 50

struct wheel_timer {
    struct wheel_timer *next; /* NULL while not set */
    struct wheel_timer *prev;
    uint64_t deadline;
};

struct wheel {
    struct wheel_timer slots[WHEEL_SLOTS]; /* list heads */
    uint64_t tick;                         /* the last tick that was run */
    unsigned count;
};

void wheel_init(struct wheel *w, uint64_t now);
/* Sets or moves a timer (zeroed before its first use). The caller owns its memory and clears it
 * before it is freed. */
void wheel_set(struct wheel *w, struct wheel_timer *t, uint64_t deadline);
/* Takes a timer out; does nothing if it is not set. */
void wheel_clear(struct wheel *w, struct wheel_timer *t);
static inline bool wheel_is_set(const struct wheel_timer *t) {
    return t->next != 0;
}
/*
 * Fires what is due at `now`. A fired timer is no longer set when it is called; the callback
 * may set and clear any timer, this one included (a deadline in the past fires in the next
 * tick).
 */
void wheel_run(struct wheel *w, uint64_t now, void (*fire)(void *arg, struct wheel_timer *t),
               void *arg);

#endif
