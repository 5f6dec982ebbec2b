#ifndef SLUICE_SOCKETIO_SIO_AGENT_H
#define SLUICE_SOCKETIO_SIO_AGENT_H

#include "gateway/net/http.h"

/*
 * Tells from a session's first request whether its client is the official one for browsers and
 * Node, whose programs ignore an additional argument. The protocol does not tell the client's
 * version. Clients of other languages are not official, nor is a client that cannot be
 * recognised (in React Native).
 */
bool sio_agent_is_official(const struct http_request *request);

#endif
