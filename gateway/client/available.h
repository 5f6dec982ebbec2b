#ifndef SLUICE_CLIENT_AVAILABLE_H
#define SLUICE_CLIENT_AVAILABLE_H

#include "gateway/client/client.h"

/*
 * The event `available`: Redis can be reached again. It is sent to clients that asked for it at
 * login, and of which an event was refused since they last got it. Without it, all clients
 * whose events failed would have to try again and again, and still lose the time between two
 * tries.
 */

/* Tells one client, which has just been registered. */
void client_tell_available(struct client *c);
/* Tells all clients. */
void clients_tell_available(struct clients *all);

#endif
