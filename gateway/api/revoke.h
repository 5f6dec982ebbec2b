#ifndef SLUICE_API_REVOKE_H
#define SLUICE_API_REVOKE_H

#include "gateway/api/ask.h"

/*
 * The requests that end connections. A script tells all nodes, which close them
 * (client/revocation.h).
 */

/* POST /users/{id}/revoke {"before"?}: the tokens that were issued before that second are no
 * good any more; by default all those that were issued up to now. */
void api_revoke_post(struct api_call *c);
/* POST /users/{id}/disconnect: the connections are closed, no more. */
void api_disconnect_post(struct api_call *c);
/* POST /sockets/{socket}/disconnect: that connection. */
void api_socket_disconnect_post(struct api_call *c);
/* POST /rooms/{room}/disconnect {"except"?}: all that are in the room. */
void api_room_disconnect_post(struct api_call *c);

#endif
