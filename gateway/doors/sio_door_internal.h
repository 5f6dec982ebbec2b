#ifndef SLUICE_DOORS_SIO_DOOR_INTERNAL_H
#define SLUICE_DOORS_SIO_DOOR_INTERNAL_H

#include "gateway/doors/sio_door.h"

/* What sio_door.c (a client that is there) and sio_connect.c (one that comes) share. */

struct sio_client {
    struct sio_socket sio;
    struct list orphan;  /* in the door's orphans */
    struct list waiting; /* in the door's waiting, for Redis: it is to be logged in */
    struct client client;
    char *auth; /* owned: what it is to be logged in with; NULL: nothing, or it is */
    size_t auth_len;
    uint64_t until;      /* it waits so long */
    bool error_acks : 1; /* wants every failure in the ack */
    bool told : 1;       /* client_gone was called */
    bool done : 1;       /* nothing of the server's refers to it any more */
};

static inline struct sio_client *of_client(const struct client *c) {
    return container_of(c, struct sio_client, client);
}

static inline struct sio_client *of_socket(struct sio_socket *s) {
    return container_of(s, struct sio_client, sio);
}

static inline struct sio_door *door_of(const struct sio_client *k) {
    return k->sio.server->owner;
}

/* The domain is told of other clients' ends later than what is done between these two. */
struct client *sio_act(struct client *c);
void sio_acted(const struct client *c, struct client *before);

extern const struct door sio_door_ops;

/* A client asks to join (struct sio_app). */
void sio_connect(struct sio_socket *s, struct slice auth);
/* The login that its auth asked for has been answered (true) or failed (false: nothing is to be
 * said otherwise). They do nothing, and return false, if there is none under way. */
bool sio_connect_answered(struct sio_client *k);
bool sio_connect_failed(struct sio_client *k, const struct failure *failure);
/* Those that wait for Redis try again, when it is time. */
void sio_connect_flush(struct sio_door *d);

#endif
