#ifndef SLUICE_DOORS_SIO_CONNECT_H
#define SLUICE_DOORS_SIO_CONNECT_H

#include "gateway/doors/sio_client.h"

/*
 * How a client joins a namespace. Its `auth` may say what it was (pid, offset: recovery), else
 * who it is (userId, ...: a login before anything else), and how it is spoken to (recovery,
 * errors). The answer to CONNECT waits for all of that.
 */

/* A client asks to join (struct sio_app). */
void sio_connect(struct sio_socket *s, struct slice auth);
/* The login that its auth asked for has been answered, or has failed. True: nothing else is to
 * be said of that. They do nothing, and return false, if no such login is under way. */
bool sio_connect_answered(struct sio_client *k);
bool sio_connect_failed(struct sio_client *k, const struct failure *failure);
/* Those that wait for Redis try again, when it is time. */
void sio_connect_flush(struct sio_door *d);

#endif
