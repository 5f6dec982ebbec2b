#ifndef SLUICE_NET_ADDRESSES_H
#define SLUICE_NET_ADDRESSES_H

#include "common/list.h"
#include "common/map.h"
#include "gateway/net/conn_address.h"

/* How many of something (connections, sessions) each client's address has, up to a limit. Ports
 * do not count. */
struct addresses {
    struct map counts;
    unsigned most; /* of an address; 0: no limit, nothing is counted */
};

void addresses_init(struct addresses *a, unsigned most);
/* All that entered have left. */
void addresses_deinit(struct addresses *a);

/* One more. False: the address has as many as it may, or there is no memory. */
bool addresses_enter(struct addresses *a, const struct conn_address *of);
/* One less, of those that entered. */
void addresses_leave(struct addresses *a, const struct conn_address *of);

#endif
