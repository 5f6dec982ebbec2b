#ifndef SLUICE_CLIENT_LIMITS_H
#define SLUICE_CLIENT_LIMITS_H

#include "gateway/client/client.h"

/* What a connection may do in a time. */

/* An event came. True: it is over rate-limit; else it counts. */
bool limits_over_rate(struct client *c);

/*
 * A client that enters a channel to which nobody has written makes its `meta` in Redis, so that
 * there is always a position; it lives for an hour, or while somebody is in it. So that nobody
 * fills Redis with them, a connection makes at most max-subscriptions of them at once and in an
 * hour.
 */
/* May this client enter channels that it is not in? */
bool limits_may_make(const struct client *c);
/* It has made one. */
void limits_made(struct client *c);

#endif
