#ifndef SLUICE_TESTS_UNHEARD_H
#define SLUICE_TESTS_UNHEARD_H

#include "gateway/presence/registry.h"

/* Events of a lease and of a registry that nobody listens to. */
extern const struct lease_events lease_unheard;
extern const struct registry_events registry_unheard;

#endif
