#ifndef SLUICE_NET_TURN_H
#define SLUICE_NET_TURN_H

#include "gateway/net/net.h"

/*
 * The work of every turn of the loop. Before the loop sleeps, what was queued for each socket
 * is written at once, within a budget of time. Every WHEEL_TICK_MS the deadlines of the
 * connections are checked. Each turn is measured.
 */

/* Called after net_init. From now on the loop calls back. Returns 0 or a libuv error. */
int turn_open(struct net *n);
/* Closes its handles; on_closed is called in a later turn, when they are gone. No connection
 * may be left. */
void turn_close(struct net *n, void (*on_closed)(void *owner));

#endif
