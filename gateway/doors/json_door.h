#ifndef SLUICE_DOORS_JSON_DOOR_H
#define SLUICE_DOORS_JSON_DOOR_H

#include "gateway/client/request.h"
#include "gateway/doors/handshake.h"

/* The door `/ws`: JSON events as WebSocket text frames (PROTOCOL.md, "Frames"). */

/* Upgrades the request, at once or when its token was checked, or answers it with the reason
 * why not. A token gives the client its identity, and is no login. */
void json_door_open(struct clients *clients, struct handshakes *handshakes,
                    const struct http_request *request);

#endif
