#ifndef SLUICE_DOORS_SIO_CLIENT_H
#define SLUICE_DOORS_SIO_CLIENT_H

#include "gateway/client/request.h"
#include "gateway/socketio/sio_server.h"

/* A client of the Socket.IO door ("sio" in names): one socket of a session, that is, one
 * namespace. */

/* The door, as its clients see it. */
struct sio_door {
    struct sio_server server;
    struct clients *clients;
    const struct door *ops;
    struct client *acting; /* the client for which the domain calls the door now */
    struct list orphans;   /* sockets whose client has not been told that it is gone */
    struct list waiting;   /* clients that wait for Redis to be logged in */
    uint64_t waiting_next; /* when those clients try again */
};

struct sio_client {
    struct sio_socket sio;
    struct list orphan;  /* in the door's orphans */
    struct list waiting; /* in the door's waiting, until Redis can log it in */
    struct client client;
    char *auth; /* owned: the auth with which it will be logged in; NULL: none, or it is logged
                   in */
    size_t auth_len;
    struct sio_check
        *check;            /* owned: of its token, before a recovery; NULL: none is under way */
    struct sio_hook *hook; /* owned: what the back end is asked, until it is let in; or NULL */
    uint64_t until;        /* when it stops waiting */
    bool guest : 1;        /* it brought no token, and there are guests */
    bool error_acks : 1;   /* wants every failure in the ack */
    bool told : 1;         /* client_gone was called */
    bool done : 1;         /* the Socket.IO server no longer refers to it */
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

/*
 * A message to one client may end the session, and with it the clients of its other namespaces.
 * But the domain expects that a call ends at most the client for which it is made. So clients
 * that end between sio_act(c) and sio_acted(c, the result of sio_act) are told later, before
 * the loop sleeps.
 */
static inline struct client *sio_act(struct client *c) {
    struct sio_door *d = door_of(of_client(c));
    struct client *before = d->acting;
    d->acting = c;
    return before;
}

static inline void sio_acted(const struct client *c, struct client *before) {
    door_of(of_client(c))->acting = before;
}

#endif
