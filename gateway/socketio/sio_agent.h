#ifndef SLUICE_SOCKETIO_SIO_AGENT_H
#define SLUICE_SOCKETIO_SIO_AGENT_H

#include "gateway/net/http.h"

/*
 * Tells from a session's first request what its client is: true for the official one of
 * browsers and of Node, whose programs do not mind an argument more. Nothing on the wire tells
 * its version. Those of other languages are not it, also where it cannot be told (in React
 * Native).
 */
bool sio_agent_is_official(const struct http_request *request);

#endif
