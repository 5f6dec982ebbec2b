#ifndef SLUICE_NODE_START_H
#define SLUICE_NODE_START_H

#include "gateway/node/node.h"

/* Checks the options, listens, wires the parts and begins. The loop and the options must be
 * set. Returns 0, or 1 after an error on standard error; then nothing was begun that would have
 * to be undone. */
int node_start(struct node *n);

/* Called after the loop has ended: frees the parts of a node that has started. */
void node_deinit(struct node *n);

#endif
