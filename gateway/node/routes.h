#ifndef SLUICE_NODE_ROUTES_H
#define SLUICE_NODE_ROUTES_H

#include "gateway/node/node.h"

/* The paths of the ports: probes, metrics, pages, the API, and the ways into the doors. */

/* The callbacks of struct http_router, whose owner is the node. */
void routes_answer(void *node, const struct http_request *request);
size_t routes_body(void *node, const struct http_request *request);
void routes_lines(void *node, const struct http_request *request, struct buf *out);

#endif
