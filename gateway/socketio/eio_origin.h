#ifndef SLUICE_SOCKETIO_EIO_ORIGIN_H
#define SLUICE_SOCKETIO_EIO_ORIGIN_H

#include "gateway/net/http.h"
#include "gateway/net/origin.h"

/* What browsers ask an Engine.IO server, and read in its answers, about pages of other origins
 * (CORS). net/origin.h decides which pages may use it. */

/* Appends the header lines that every answer to the request has. */
void eio_origin_lines(const struct origins *o, const struct http_request *request,
                      struct buf *out);

/* Answers OPTIONS. */
void eio_origin_preflight(const struct origins *o, const struct http_request *request);

#endif
