#ifndef SLUICE_NODE_ROUTES_H
#define SLUICE_NODE_ROUTES_H

#include "gateway/node/node.h"

/* The paths of the port: probes, metrics, pages, the API, and the ways into the doors. */

/* What struct http_router asks of its owner, the node. */
void routes_answer(void *node, const struct http_request *request);
size_t routes_body(void *node, const struct http_request *request);
void routes_lines(void *node, const struct http_request *request, struct buf *out);

#endif
