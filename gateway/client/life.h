#ifndef SLUICE_CLIENT_LIFE_H
#define SLUICE_CLIENT_LIFE_H

#include "gateway/client/client.h"

/* The beginning and the end of a client. */

/* The arguments are borrowed. The caller sets the other
 * members of *all. */
void clients_init(struct clients *all, struct slabs *slabs, struct hub *hub,
                  struct leases *leases, const struct options *options, struct metrics *metrics,
                  const struct registry_events *events, void *owner);
/* Fires the timers that are due. */
void clients_tick(struct clients *all, uint64_t now);

/* Makes a zeroed struct a client. The door owns one reference. */
void client_open(struct client *c, struct clients *all, const struct door *door);
/* The connection is over. The client leaves its channels and the registry, and the door's
 * reference is dropped. May free it. */
void client_gone(struct client *c);

#endif
