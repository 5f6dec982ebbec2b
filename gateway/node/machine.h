#ifndef SLUICE_NODE_MACHINE_H
#define SLUICE_NODE_MACHINE_H

#include <stdint.h>

/* The most memory, in bytes, that this process may have: the machine's, or that of the tightest
 * control group (version 1 or 2) that it is in. root: "" for the files of this machine; a test
 * has its own. 0: not known. */
uint64_t machine_memory(const char *root);

#endif
