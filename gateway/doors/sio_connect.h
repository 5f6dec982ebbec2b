#ifndef SLUICE_DOORS_SIO_CONNECT_H
#define SLUICE_DOORS_SIO_CONNECT_H

#include "gateway/doors/sio_client.h"

/*
 * How a client joins a namespace. Its `auth` may name its earlier session (pid, offset:
 * recovery), or else its user (userId or, with identity on, token: a login before anything
 * else), and may set options (recovery, errors). CONNECT is answered when all of that is done.
 * With identity on, a recovery needs a token of the user whose session it is, or else the
 * session of a guest, where there are guests. A guest is logged in by CONNECT, too.
 */

/* A client asks to join (struct sio_app). */
void sio_connect(struct sio_socket *s, struct slice auth);
/* The login for which its auth asked was answered, or has failed. They return true if the
 * client needs no other answer. If no such login is under way they do nothing, and return
 * false. */
bool sio_connect_answered(struct sio_client *k);
bool sio_connect_failed(struct sio_client *k, const struct failure *failure);
/* The client is going. The check of its token, if one is under way, is given up. */
void sio_connect_cancel(struct sio_client *k);
/* Clients that wait for Redis try again when it is time. */
void sio_connect_flush(struct sio_door *d);

#endif
