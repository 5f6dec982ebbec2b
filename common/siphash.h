#ifndef SLUICE_COMMON_SIPHASH_H
#define SLUICE_COMMON_SIPHASH_H

#include <stdint.h>

#include "common/slice.h"

/*
 * SipHash-1-3 (Aumasson and Bernstein): a hash with a secret key. Somebody that chooses inputs
 * and sees how they spread can find neither the key nor two inputs with the same hash.
 */
struct siphash_key {
    uint64_t k0;
    uint64_t k1;
};

uint64_t siphash(const struct siphash_key *key, struct slice bytes);

#endif
