#ifndef SLUICE_CONFORMANCE_ECHO_H
#define SLUICE_CONFORMANCE_ECHO_H

#include "gateway/socketio/sio_server.h"

/* The applications of the conformance program: each sends back what it gets. */

/* Raw Engine.IO: every message comes back as it is. */
extern const struct eio_ops echo_eio_ops;

/*
 * Socket.IO. Joining is answered by the event "auth" with the handshake's payload. "message" is
 * answered by "message-back" with the same arguments, "message-with-ack" acknowledged with
 * them. "message-to-ack" is answered by the same event with an id, and the ack to that by
 * "message-acked"; "disconnect-me" by a disconnect; behind "hold-me" nothing is heard for a
 * moment; "tell-when-drained" is answered by "drained" when all that was sent has left.
 * "refuse": true in a handshake's payload refuses it.
 */
extern const struct sio_app echo_sio_app;

/* The owner of the Socket.IO server. */
struct echo {
    struct list waiting; /* sockets whose "auth" has not left */
    struct list held;    /* sockets that are held back */
};
void echo_init(struct echo *e);
/* For net's on_tick. */
void echo_tick(struct echo *e, uint64_t now);

/* WebSocket: text and binary messages come back. Answers the request. */
void echo_ws_open(struct wsock_shared *shared, const struct http_request *request);

#endif
