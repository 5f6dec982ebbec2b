#ifndef SLUICE_PRESENCE_HEARTBEAT_H
#define SLUICE_PRESENCE_HEARTBEAT_H

#include "gateway/presence/registry.h"

/*
 * Heartbeats of connections, and scores of users. A connection that has sent one heartbeat must
 * go on to send them. A score is the time at which a user was last known to be online. By it,
 * overdue.h finds users that no node keeps online any more.
 */

/* An event came from the connection. beats: it is a heartbeat. If the connection was taken out
 * of the registry for its silence, it is registered again. */
void heartbeat_heard(struct registration *g, bool beats);
/* The connection has logged in. If it has sent a heartbeat, its timer starts. */
void heartbeat_hold(struct registration *g);
/* The connection's timer has fired, after its login. A connection that was silent for too long,
 * or has lingered long enough, is taken out of the registry. May free it. */
void heartbeat_timer(struct registration *g);
/* Writes scores: of the connections that sent a heartbeat since the last call, and of a share
 * of the others, so that each has its turn within score-interval. */
void heartbeat_scores(struct registry *r, uint64_t elapsed_ms);

#endif
