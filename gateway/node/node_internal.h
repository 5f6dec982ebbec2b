#ifndef SLUICE_NODE_NODE_INTERNAL_H
#define SLUICE_NODE_NODE_INTERNAL_H

#include "gateway/node/node.h"

/* What start.c, which makes a node of its options, and node.c, which runs and stops it,
 * have of each other. */

#define DESCRIPTORS_KEPT 64UL /* Redis, the log, the listener, what libuv opens */

/* Checks the options, listens, wires the parts and begins. Returns 0; or 1, said on standard
 * error: nothing was begun that would have to be undone. */
int node_start(struct node *n);

/* What LIVE options ask for is done: at the start, and after a reload. */
void node_apply(struct node *n);
/* What is wrong with the values of LIVE options, beyond their rows: NULL, or the flag, with its
 * value (empty: not to be repeated) and why. */
const char *node_check(const struct options *o, const char **value, const char **why);

void node_state_set(struct node *n, enum node_state to);
/* What the listener, a connection's end and a signal do. */
void node_on_connection(uv_stream_t *listener, int status);
void node_on_gone(void *owner, struct conn *c);
void node_on_signal(uv_signal_t *handle, int number);

#endif
