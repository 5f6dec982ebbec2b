#ifndef SLUICE_NET_HTTP_HEAD_H
#define SLUICE_NET_HTTP_HEAD_H

#include <stdbool.h>

#include "common/buf.h"

/* The head of an HTTP/1.1 answer. */

/* False for the statuses whose answer never has a body (RFC 9110, 6.4.1). */
bool http_status_has_body(int status);

/* Appends the status line, the date, the type (unless it is NULL), the length (if the status
 * has a body) and, unless the connection is kept, that it is closed. The caller appends further
 * lines and the empty one. */
void http_head_put(struct buf *out, int status, const char *type, size_t body_len, bool keep);

#endif
