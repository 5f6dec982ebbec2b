#ifndef SLUICE_CLIENT_AUTHORIZE_H
#define SLUICE_CLIENT_AUTHORIZE_H

#include "gateway/client/client.h"

/*
 * What a client may do. Every event that has to do with a name asks here, each time: a client
 * that is in a room or topic may have lost the right to it since, by a new token.
 */

/* May the client do this with that name (auth/grant.h)? Always, if identity is off. */
bool authorize(const struct client *c, enum right right, struct slice name);
/* The same for the bearer of a token; who: NULL if identity is off. */
bool authorize_bearer(const struct identity *who, enum right right, struct slice name);
/* May the bearer be in this channel? The inbox needs no right. */
bool authorize_channel(const struct identity *who, struct slice channel);

#endif
