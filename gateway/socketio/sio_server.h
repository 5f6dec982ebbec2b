#ifndef SLUICE_SOCKETIO_SIO_SERVER_H
#define SLUICE_SOCKETIO_SIO_SERVER_H

#include "gateway/socketio/eio_server.h"
#include "gateway/socketio/sio_socket.h"

/*
 * A Socket.IO v5 server over Engine.IO sessions: it reads packets, gathers their attachments,
 * and hands them to the socket of their namespace (sio_socket.h).
 *
 * A packet that is not valid, or not valid here (an event for a namespace that was not joined,
 * an attachment that was not announced), closes the session.
 */

/* Returns NULL, or what is wrong with the config (valid until the next call). */
const char *sio_server_init(struct sio_server *v, struct net *net,
                            const struct sio_config *config, const struct sio_app *app,
                            void *owner);
/* No connection may be left. Calls on_disconnect and on_free for the sockets that are left. */
void sio_server_deinit(struct sio_server *v);
/* Called in net's before_flush. For everything else the owner of the port calls the functions
 * of eio_server.h, with &v->eio. */
void sio_server_flush(struct sio_server *v);

#endif
