#ifndef SLUICE_LOGIN_AUTHENTICATE_H
#define SLUICE_LOGIN_AUTHENTICATE_H

#include "gateway/client/request.h"

/*
 * Who an event speaks for: the bearer of the token that it brings. The check of a token may
 * take its time, for a key that is not here yet; the event is held until then.
 */

/* data: the event's, valid until it returns. who: a reference for the callee; NULL if identity
 * is off. */
typedef void (*authenticated)(struct request *r, struct json_value data, struct identity *who);

/*
 * Checks the token (JSON_NONE: none) of an event with this data, and then calls `then`, perhaps
 * before it returns; or the request fails as unauthorized. Without a token, an event speaks for
 * the bearer of the token that the client has shown already. A client that has shown a token
 * may show another one of the same user only. If it is logged in, Redis is asked whether the
 * user's tokens were revoked; else the login itself asks. The request must not have a state
 * yet.
 */
void authenticate(struct request *r, struct json_value data, struct json_value token,
                  authenticated then);

/* The client, which is logged in, has this identity from now on (takes over the reference). It
 * leaves the channels in which it may not be any more, and is told of each. May end it. */
void authenticate_anew(struct client *c, struct identity *who);

#endif
