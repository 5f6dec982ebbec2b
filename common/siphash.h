#ifndef SLUICE_COMMON_SIPHASH_H
#define SLUICE_COMMON_SIPHASH_H

#include <stdint.h>

#include "common/slice.h"

/*
 * SipHash-1-3 (Aumasson and Bernstein): a hash with a secret key, of which neither the key nor
 * two inputs that meet can be worked out by somebody that chooses inputs and sees how they
 * fall.
 */
struct siphash_key {
    uint64_t k0;
    uint64_t k1;
};

uint64_t siphash(const struct siphash_key *key, struct slice bytes);

#endif
