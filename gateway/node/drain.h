#ifndef SLUICE_NODE_DRAIN_H
#define SLUICE_NODE_DRAIN_H

#include "gateway/node/node.h"

/*
 * The end of a node. Draining, it closes its clients one by one. When the last one is gone, the
 * node leaves: it gives its lease back, and then closes its ports. After the last connection
 * all handles are closed, and the loop ends.
 */

/* Drains, if the node serves. */
void drain_begin(struct node *n);
/* Ends the node at once, without a drain period. A node that already leaves waits no longer for
 * its connections. */
void drain_hurry(struct node *n);

/* A connection is gone, which may have been the last one. */
void drain_connection_gone(struct node *n);

#endif
