#ifndef SLUICE_CLIENT_LIMITS_H
#define SLUICE_CLIENT_LIMITS_H

#include "gateway/client/client.h"

/* The limits of a connection over time. */

/* An event came, by its row. True: it is over rate-limit. False: it is within it, and is
 * charged. Both cost something: a client that goes on over the rate is read more slowly. */
bool limits_over_rate(struct client *c, const struct event_row *row);
/* Charges so many units of rate-limit for what was done already. */
void limits_charge(struct client *c, uint64_t units);

/* cut: an append took old messages out, because of log-bytes. Counts it. */
void limits_appended(struct client *c, bool cut);

/*
 * When a client enters a channel to which nobody has written, the channel's `meta` is made in
 * Redis, so that there is always a position. It lives for an hour, or as long as a connection
 * is in the channel. So that no client fills Redis with them, a connection makes at most
 * max-subscriptions of them at once, and as many in an hour.
 */
/* May this client enter channels that it is not in? */
bool limits_may_make(const struct client *c);
/* The client has made the `meta` of a channel. */
void limits_made(struct client *c);

#endif
