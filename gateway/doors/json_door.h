#ifndef SLUICE_DOORS_JSON_DOOR_H
#define SLUICE_DOORS_JSON_DOOR_H

#include "gateway/client/request.h"
#include "gateway/net/wsock.h"

/* The door `/ws`: JSON events as WebSocket text frames (PROTOCOL.md, "Frames"). */

/* Upgrades the request and returns true, or answers it with the reason why not. */
bool json_door_open(struct clients *clients, struct wsock_shared *shared,
                    const struct http_request *request);

#endif
