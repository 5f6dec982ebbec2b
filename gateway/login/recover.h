#ifndef SLUICE_LOGIN_RECOVER_H
#define SLUICE_LOGIN_RECOVER_H

#include "gateway/session/session.h"

/*
 * Makes a client that has just been opened, with a session, what another one was. Returns false
 * if pid is none. Else `done` is called once, perhaps before it returns, but not if the client
 * goes before: with true, and the session has the pid given; or with false, and it is a new
 * one. No event of the client may come before; what it missed follows when done has returned.
 */
bool recover_client(struct client *c, struct slice pid, struct slice offset,
                    void (*done)(struct client *c, bool recovered));
/* Redis is up: those that wait for it try again. */
void recover_waiting(struct sessions *all);
/* Ends those that have waited for Redis long enough; now: UINT64_MAX ends all. */
void recover_tick(struct sessions *all, uint64_t now);

#endif
