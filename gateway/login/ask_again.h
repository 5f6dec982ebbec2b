#ifndef SLUICE_LOGIN_ASK_AGAIN_H
#define SLUICE_LOGIN_ASK_AGAIN_H

#include "gateway/client/client.h"

/* For clients.ask_again: asks the back end whether the client may stay as who it is. If so, it
 * goes on with the new answer; else it is closed with 4401. Without an answer, nothing happens.
 * False: no memory. */
bool login_ask_again(struct client *c);

#endif
