#ifndef SLUICE_PRESENCE_USER_LEASE_H
#define SLUICE_PRESENCE_USER_LEASE_H

#include "gateway/cluster/leases.h"

/* This node's lease in the partition where the user's keys are. */
struct lease *lease_of_user(const struct leases *l, struct slice user);

#endif
