#ifndef SLUICE_SOCKETIO_EIO_ORIGIN_H
#define SLUICE_SOCKETIO_EIO_ORIGIN_H

#include "gateway/net/http.h"

/*
 * Decides which pages of other origins may use an Engine.IO server, and writes the header lines
 * that tell browsers so (CORS).
 *
 * `origins` is a list separated by commas. With a list, a page whose origin is neither in the
 * list nor this host's own is refused, also over WebSocket. "*" admits any page. With "" an
 * answer names no origin, so browsers do not show it to pages of other origins.
 */

/* Returns what is wrong with a list (valid until the next call), or NULL. */
const char *eio_origin_check(const char *origins);

/* True for a request from a page that may not use the server. */
bool eio_origin_is_forbidden(const char *origins, const struct http_request *request);

/* Appends the header lines that every answer to the request has. */
void eio_origin_lines(const char *origins, const struct http_request *request, struct buf *out);

/* Answers OPTIONS. */
void eio_origin_preflight(const char *origins, const struct http_request *request);

#endif
