#ifndef SLUICE_DOORS_SIO_DOOR_H
#define SLUICE_DOORS_SIO_DOOR_H

#include "gateway/doors/sio_client.h"

/*
 * The door `/socket.io/`: the events of the chat as Socket.IO events (docs/socketio.md). Each
 * socket of a session, one a namespace, is a client of its own (sio_client.h).
 */

/* Returns NULL, or what is wrong (good until the next call): of the namespaces, or of what the
 * system gives. */
const char *sio_door_init(struct sio_door *d, struct clients *clients, struct net *net,
                          const struct sio_config *config);
/* After the loop has ended. */
void sio_door_deinit(struct sio_door *d);

/* For net's before_flush. */
void sio_door_flush(struct sio_door *d);

/* True for a request that belongs to a session: it has its id. */
bool sio_door_knows(const struct http_request *request);

/* Sessions, and WebSockets that have not ended their closing. */
unsigned sio_door_count(const struct sio_door *d);

#endif
