#ifndef SLUICE_SOCKETIO_EIO_SERVER_H
#define SLUICE_SOCKETIO_EIO_SERVER_H

#include "gateway/socketio/eio_session.h"

/*
 * An Engine.IO v4 server at one path of the port: its sessions (eio_session.h), and the
 * requests that begin them, carry them, and upgrade them.
 */

/* The config is copied. */
void eio_server_init(struct eio_server *e, struct net *net, const struct eio_config *config,
                     const struct eio_ops *ops, void *owner);
/* No connection may be left. Calls on_gone and on_free for the sessions that are. */
void eio_server_deinit(struct eio_server *e);

/* For the owner of the port: requests for the path (any method), the head of one with a body
 * (struct http_router), net's before_flush and net's on_tick. */
void eio_server_route(struct eio_server *e, const struct http_request *request);
size_t eio_server_body(struct eio_server *e, const struct http_request *request);
void eio_server_flush(struct eio_server *e);
void eio_server_tick(struct eio_server *e, uint64_t now);

/* Header lines that every answer to such a request has (struct http_router): which pages may
 * read it. */
void eio_server_lines(const struct eio_server *e, const struct http_request *request,
                      struct buf *out);

/* Ends one session, if one is left: to drain them one by one. False: none is left. */
bool eio_server_close_one(struct eio_server *e, uint16_t code, const char *reason);

#endif
