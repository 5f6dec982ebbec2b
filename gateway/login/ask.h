#ifndef SLUICE_LOGIN_ASK_H
#define SLUICE_LOGIN_ASK_H

#include "gateway/login/login.h"

/*
 * What a login asks for: by the fields of `login` and `join`, whose handlers (client/request.h)
 * are here, or as a recovery knows it.
 */

/* Logs a client in as one that was recovered. done: once, perhaps before it returns; but for
 * LOGIN_DONE the client is not logged in. What is given must hold until then. */
void login_recover(struct client *c, const struct recovered *what,
                   void (*done)(void *arg, enum login_end how), void *arg);

#endif
