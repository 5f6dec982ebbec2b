#ifndef SLUICE_PRESENCE_HEARTBEAT_H
#define SLUICE_PRESENCE_HEARTBEAT_H

#include "gateway/presence/registry.h"

/*
 * Connections that are held to their heartbeat, and the scores of users: when each was last
 * heard of, for whoever looks for users that no node keeps.
 */

/* An event came. beats: it is a heartbeat, and from now on the connection is held to it. A
 * connection that was silent is registered again. */
void heartbeat_heard(struct registration *g, bool beats);
/* It has logged in: if it has sent a heartbeat, it is held to it. */
void heartbeat_hold(struct registration *g);
/* Its timer has fired, after its login: silent for too long, it is taken out of the registry;
 * or it has lingered long enough. May free it. */
void heartbeat_timer(struct registration *g);
/* Writes the scores that are due: of those who sent a heartbeat since the last time, and of a
 * share of the others, so that each of them has its turn within score-interval. */
void heartbeat_scores(struct registry *r, uint64_t elapsed_ms);

#endif
