#ifndef SLUICE_NODE_START_H
#define SLUICE_NODE_START_H

#include "gateway/node/node.h"

/* Checks the options, listens, wires the parts and begins. The loop and the options are set.
 * Returns 0; or 1, said on standard error: nothing was begun that would have to be undone. */
int node_start(struct node *n);

/* After the loop has ended: what the parts of a node that has started hold. */
void node_deinit(struct node *n);

#endif
