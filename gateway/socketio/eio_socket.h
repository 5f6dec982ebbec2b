#ifndef SLUICE_SOCKETIO_EIO_SOCKET_H
#define SLUICE_SOCKETIO_EIO_SOCKET_H

#include "gateway/socketio/eio_session.h"

/*
 * WebSockets of Engine.IO sessions: one carries a session, or it is the probe of a polled
 * session that is to become that.
 */

/* Begins a session on a WebSocket; answers the request. */
void eio_socket_open(struct eio_server *e, const struct http_request *request);
/* A probe of a session; answers the request. A second one is closed at once. */
void eio_socket_open_probe(struct eio_session *s, const struct http_request *request);

#endif
