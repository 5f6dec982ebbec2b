#ifndef SLUICE_COMMON_HASH_H
#define SLUICE_COMMON_HASH_H

#include "common/slice.h"

/* FNV-1a, for hashes where nobody gains by finding two inputs with the same one. Begin with
 * HASH_EMPTY. */
#define HASH_EMPTY 0xcbf29ce484222325ULL
static inline uint64_t hash_add(uint64_t hash, const void *bytes, size_t len) {
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3ULL;
    return hash;
}

#endif
