#ifndef SLUICE_SOCKETIO_EIO_SOCKET_H
#define SLUICE_SOCKETIO_EIO_SOCKET_H

#include "gateway/socketio/eio_session.h"

/*
 * The WebSockets of Engine.IO sessions. A WebSocket carries a session, or it is the probe of a
 * polled session, which is to carry the session later.
 */

/* Begins a session on a WebSocket; answers the request. */
void eio_socket_open(struct eio_server *e, const struct http_request *request);
/* Opens a probe of a session, and answers the request. A second probe is closed at once. */
void eio_socket_open_probe(struct eio_session *s, const struct http_request *request);

#endif
