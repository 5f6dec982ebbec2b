#ifndef SLUICE_CLIENT_BEARER_H
#define SLUICE_CLIENT_BEARER_H

#include "gateway/client/client.h"

/*
 * The token of a client, and its end. A client is told some time before its token ends
 * (`token_expiring`), so that it can send another one (`refresh`). When the token has ended,
 * and jwt-leeway after it, the client is told so, and closed with 4401.
 *
 * What the back end has said of a client (`connect-hook`) may end, too. Then it is asked again,
 * by clients.ask_again.
 *
 * Only a client that is logged in is watched. Its timer is in clients.expiries. The end of a
 * token is a time of the wall clock, which may be set; so the timer looks at it every 10 s.
 */

/* Sets the identity of a client, and lets go of the one before. Takes over the reference; who
 * may be NULL. */
void client_identify(struct client *c, struct identity *who);
/* Watches the end of the client's token, if it has one that is not watched yet. To be called
 * after the client was answered. May close the client, if there is no memory. */
void client_watch(struct client *c);
/* The question of clients.ask_again has ended. */
void bearer_asked(struct client *c);
/* A timer of clients.expiries has fired. */
void bearer_timer(void *owner, struct wheel_timer *t);
/* The connection is over. */
void bearer_gone(struct client *c);

/* When the token was issued, as the scripts want it: in ms; empty: it does not say so, or it is
 * a guest; "-": there is none, since identity is off. who may be NULL. */
struct slice bearer_iat(const struct identity *who, char out[DIGITS_SIZE]);

#endif
