#ifndef SLUICE_NODE_HEALTH_H
#define SLUICE_NODE_HEALTH_H

#include "gateway/node/node.h"

/* The answers to health probes, as lines of JSON that are appended to *out. */

/* /healthz: the process runs. */
void health_put(const struct node *n, struct buf *out);
/* /readyz: returns true if clients may be sent to this node. Otherwise the line says why not.
 */
bool health_put_ready(const struct node *n, struct buf *out);

/* The same for all workers of a node; each of them can answer. They are ready when every one of
 * them is, since the kernel sends clients to each. */
void health_put_all(struct node *n, struct buf *out);
bool health_put_all_ready(struct node *n, struct buf *out);

#endif
