#ifndef SLUICE_DATA_QUIET_H
#define SLUICE_DATA_QUIET_H

#include "gateway/data/store.h"

/* Fails the store if nodes of the deployment run: if a lease was renewed less than so long ago,
 * by the clock of its Redis. Returns false if it has failed. */
bool quiet_check(struct store *s, uint64_t timeout_ms);

#endif
