#ifndef SLUICE_COMMON_RANDOM_H
#define SLUICE_COMMON_RANDOM_H

#include <stdint.h>

/* The next of a row of numbers that differ (splitmix64): for names, epochs, jitter and hash
 * seeds; not for secrets. *state: seeded by whoever owns it. */
static inline uint64_t random_next(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

#endif
