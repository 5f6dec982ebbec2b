#ifndef SLUICE_CLIENT_LIFE_H
#define SLUICE_CLIENT_LIFE_H

#include "gateway/client/client.h"

/* The beginning and the end of a client. */

/* What is given is borrowed; rows: of all events, as in EVENT_TABLE. The lease's options are
 * the clients'. */
void clients_init(struct clients *all, struct slabs *slabs, struct hub *hub,
                  struct lease *lease, struct metrics *metrics,
                  const struct registry_events *events, void *owner);
/* Fires the timers that are due. */
void clients_tick(struct clients *all, uint64_t now);

/* A zeroed struct becomes a client; one reference is the door's. */
void client_open(struct client *c, struct clients *all, const struct door *door);
/* The connection is over: the client leaves all that it is in, and the door's reference is
 * dropped. May free it. */
void client_gone(struct client *c);

#endif
