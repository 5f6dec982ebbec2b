#ifndef SLUICE_DOORS_SIO_DOOR_H
#define SLUICE_DOORS_SIO_DOOR_H

#include "gateway/client/request.h"
#include "gateway/doors/sio_server.h"

/*
 * The door `/socket.io/`: the events of the chat as Socket.IO events (docs/socketio.md).
 * Each socket of a session, one a namespace, is a client of its own.
 */
struct sio_door {
    struct sio_server server;
    struct clients *clients;
    struct client *acting; /* whom the domain calls the door for just now */
    struct list orphans;   /* sockets whose client has not been told that it is gone */
    struct list waiting;   /* clients that are to be logged in when Redis answers */
    uint64_t waiting_next; /* when they try again */
};

/* Returns NULL, or what is wrong (good until the next call): of the namespaces, or of what the
 * system gives. */
const char *sio_door_init(struct sio_door *d, struct clients *clients, struct net *net,
                          const struct sio_config *config);
/* After the loop has ended. */
void sio_door_deinit(struct sio_door *d);

/* What is wrong with a list of origins, or NULL. */
const char *sio_door_check_origins(const char *list);

/* For net's before_flush. */
void sio_door_flush(struct sio_door *d);

/* True for a request that belongs to a session: it has its id. */
bool sio_door_knows(const struct http_request *request);

/* Sessions, and WebSockets that have not ended their closing. */
unsigned sio_door_count(const struct sio_door *d);

#endif
