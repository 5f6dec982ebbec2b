#ifndef SLUICE_COMMON_RANDOM_H
#define SLUICE_COMMON_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Random bytes of the kernel's generator (getrandom). Each byte is given out once, so bytes
 * that others may see tell nothing about bytes that they may not see, such as the keys of hash
 * maps. It never fails: without random bytes the program ends, since nothing would be safe.
 */
void random_bytes(void *out, size_t len);
uint64_t random_u64(void);

#endif
