#ifndef SLUICE_CLIENT_AVAILABLE_H
#define SLUICE_CLIENT_AVAILABLE_H

#include "gateway/client/client.h"

/*
 * The event `available`. Clients whose events failed for want of Redis would else have to ask
 * again and again, all ten thousand of them, and still lose the time between two questions.
 * Those that asked for the event and had an event refused since are told.
 */

/* The client has been registered. */
void client_tell_available(struct client *c);
/* Redis can be reached again. */
void clients_tell_available(struct clients *all);

#endif
