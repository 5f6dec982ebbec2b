#ifndef SLUICE_SOCKETIO_EIO_SERVER_H
#define SLUICE_SOCKETIO_EIO_SERVER_H

#include "gateway/socketio/eio_session.h"

/*
 * An Engine.IO v4 server at one path of the port: its sessions (eio_session.h), and the
 * requests that begin, carry and upgrade them.
 */

/* The config is copied. */
void eio_server_init(struct eio_server *e, struct net *net, const struct eio_config *config,
                     const struct eio_ops *ops, void *owner);
/* No connection may be left. Calls on_gone and on_free for the sessions that are left. */
void eio_server_deinit(struct eio_server *e);

/* The owner of the port calls these: for requests for the path (any method), for the head of a
 * request with a body (struct http_router), in net's before_flush and in net's on_tick. */
void eio_server_route(struct eio_server *e, const struct http_request *request);
size_t eio_server_body(struct eio_server *e, const struct http_request *request);
void eio_server_flush(struct eio_server *e);
void eio_server_tick(struct eio_server *e, uint64_t now);

/* Appends the header lines that every answer to such a request has (struct http_router). They
 * tell which pages may read it. */
void eio_server_lines(const struct eio_server *e, const struct http_request *request,
                      struct buf *out);

/* Ends one session, so that all can be drained one by one. False: none is left. */
bool eio_server_close_one(struct eio_server *e, uint16_t code, const char *reason);

#endif
