#ifndef SLUICE_NET_ADDRESSES_H
#define SLUICE_NET_ADDRESSES_H

#include "common/list.h"
#include "common/map.h"
#include "gateway/net/conn_address.h"

/* Counts how many of something (connections, sessions) each client's address has, up to a
 * limit. Ports are ignored. All addresses of an IPv6 network of 64 bits count as one, since a
 * subscriber has as many. */
struct addresses {
    struct map counts;
    unsigned most; /* for one address; 0: no limit, and nothing is counted */
};

void addresses_init(struct addresses *a, unsigned most);
/* Called when all that entered have left. */
void addresses_deinit(struct addresses *a);

/* Counts one more. Returns false when the address has as many as it may, or without memory. */
bool addresses_enter(struct addresses *a, const struct conn_address *of);
/* Counts one less, for an address that entered. */
void addresses_leave(struct addresses *a, const struct conn_address *of);

#endif
