#ifndef SLUICE_NODE_HEALTH_H
#define SLUICE_NODE_HEALTH_H

#include "gateway/node/node.h"

/* What probes are answered, as lines of JSON that are appended to *out. */

/* /healthz: the process runs. */
void health_put(const struct node *n, struct buf *out);
/* /readyz: may clients be sent to it? Returns that. If not, the line says why. */
bool health_put_ready(const struct node *n, struct buf *out);

#endif
