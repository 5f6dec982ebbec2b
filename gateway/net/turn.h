#ifndef SLUICE_NET_TURN_H
#define SLUICE_NET_TURN_H

#include "gateway/net/net.h"

/*
 * What happens in a turn of the loop whatever comes: before the loop sleeps, what was queued
 * for each socket is written in one go, within a budget of time; every WHEEL_TICK_MS the
 * deadlines of connections are looked at. Each turn is measured.
 */

/* Begins, after net_init. The loop calls back from now on. Returns 0 or a libuv error. */
int turn_open(struct net *n);
/* Closes its handles; on_closed is called in a later turn, when they are gone. No connection
 * may be left. */
void turn_close(struct net *n, void (*on_closed)(void *owner));

#endif
