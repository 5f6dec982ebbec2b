#ifndef SLUICE_CORE_MAKING_H
#define SLUICE_CORE_MAKING_H

#include "gateway/core/client.h"

/*
 * Whoever enters a channel that nobody has written to makes its `meta` in Redis, so that there
 * is always a position; it lives for an hour, or while somebody is in it. So that nobody fills
 * Redis with them, a connection makes at most max-subscriptions of them at once and in an hour.
 */
/* May this client enter channels that it is not in? */
bool making_allowed(const struct client *c);
/* It has made one. */
void making_charge(struct client *c);

#endif
