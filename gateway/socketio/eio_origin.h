#ifndef SLUICE_SOCKETIO_EIO_ORIGIN_H
#define SLUICE_SOCKETIO_EIO_ORIGIN_H

#include "gateway/net/http.h"

/*
 * Which pages of other origins may use an Engine.IO server, and what its answers tell browsers
 * of that (CORS).
 *
 * `origins` is a list separated by commas. With a list, a page of another origin that is not
 * this host's own is refused, by WebSocket, too. "*" admits any page. With "" an answer names
 * no origin, so browsers keep it from pages of other origins.
 */

/* Returns what is wrong with a list (good until the next call), or NULL. */
const char *eio_origin_check(const char *origins);

/* True for a request of a page that may not use the server. */
bool eio_origin_is_forbidden(const char *origins, const struct http_request *request);

/* Appends the header lines that every answer to the request has. */
void eio_origin_lines(const char *origins, const struct http_request *request, struct buf *out);

/* Answers OPTIONS. */
void eio_origin_preflight(const char *origins, const struct http_request *request);

#endif
