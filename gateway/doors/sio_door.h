#ifndef SLUICE_DOORS_SIO_DOOR_H
#define SLUICE_DOORS_SIO_DOOR_H

#include "gateway/doors/sio_client.h"

/*
 * The door `/socket.io/`: the events of the chat as Socket.IO ("sio" in names) events
 * (docs/socketio.md). A session has one socket for each namespace, and each socket is a client
 * of its own (sio_client.h).
 */

/* Returns NULL, or what is wrong (valid until the next call): with the namespaces, or with the
 * system. */
const char *sio_door_init(struct sio_door *d, struct clients *clients, struct net *net,
                          const struct sio_config *config);
/* Called after the loop has ended. */
void sio_door_deinit(struct sio_door *d);

/* Called in net's before_flush. */
void sio_door_flush(struct sio_door *d);

/* True for a request that has the id of a session. */
bool sio_door_knows(const struct http_request *request);

/* The number of sessions, and of WebSockets that are still closing. */
unsigned sio_door_count(const struct sio_door *d);

#endif
