#ifndef SLUICE_COMMON_RANDOM_H
#define SLUICE_COMMON_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Random bytes of the kernel's generator (getrandom), each given out once: so nothing that
 * others may see tells anything of what they may not, such as the keys of hash maps. There are
 * always some: without them the program ends, since nothing would be safe.
 */
void random_bytes(void *out, size_t len);
uint64_t random_u64(void);

#endif
