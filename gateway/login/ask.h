#ifndef SLUICE_LOGIN_ASK_H
#define SLUICE_LOGIN_ASK_H

#include "gateway/login/login.h"

/*
 * The beginning of a login: finds out which user and which channels are asked for. They come
 * from the fields of `login` and `join`, whose handlers (client/request.h) are here, or from a
 * recovery.
 */

/* Logs a client in with the state of a session that is recovered. who: the bearer of the token
 * that the client came with, borrowed; NULL if identity is off. done is called once, perhaps
 * before it returns. The client is logged in only after LOGIN_DONE. `what` must stay valid
 * until done is called. */
void login_recover(struct client *c, const struct recovered *what, struct identity *who,
                   void (*done)(void *arg, enum login_end how), void *arg);

/* Enters a room of which the user is a member, from a position on. Nothing is answered: the
 * client was told so. r: a request that the node itself made (client_act), and that has no
 * state yet. */
void login_enter(struct request *r, struct slice room, const struct position *since);

#endif
