#ifndef SLUICE_LOGIN_RECOVER_H
#define SLUICE_LOGIN_RECOVER_H

#include "gateway/session/session.h"

/*
 * Recovers a session for a client that has just been opened, with a session of its own. who:
 * the bearer of the token that the client came with; only a session of that user is recovered,
 * in the channels that the bearer may be in. NULL: identity is off. It is borrowed. Returns
 * false if pid cannot be a pid. Otherwise `done` is called once, perhaps before it returns,
 * unless the client goes first. done(true): the client has the former session, with the pid
 * given. done(false): it has a new session. The client must not have any event before. The
 * messages that it missed follow after done has returned.
 */
bool recover_client(struct client *c, struct slice pid, struct slice offset,
                    struct identity *who, void (*done)(struct client *c, bool recovered));
/* Redis is up. Recoveries that wait for it try again. */
void recover_waiting(struct sessions *all);
/* Ends recoveries that have waited for Redis too long, and lets others try again. now: loop
 * time; UINT64_MAX ends all. */
void recover_tick(struct sessions *all, uint64_t now);

#endif
