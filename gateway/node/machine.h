#ifndef SLUICE_NODE_MACHINE_H
#define SLUICE_NODE_MACHINE_H

#include <stdint.h>

/* The most memory, in bytes, that this process may have: the machine's, or that of the tightest
 * control group (version 1 or 2) that it is in. root: "" for the files of this machine; a test
 * has its own. 0: not known. */
uint64_t machine_memory(const char *root);
/* How many cores this process may use: at most those of its affinity, and of the quota of its
 * control groups (version 2), rounded up. At least 1. */
unsigned machine_cores(const char *root);

#endif
