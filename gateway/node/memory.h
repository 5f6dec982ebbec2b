#ifndef SLUICE_NODE_MEMORY_H
#define SLUICE_NODE_MEMORY_H

#include "gateway/node/node.h"

/*
 * Keeps the node within memory-limit, by its own account: what the process had at the start,
 * sums that those who hold much keep up to date, and a fixed size for each connection and
 * channel. Looking at it costs a few additions.
 *
 * Over the limit the node takes no new clients, and ends connections until the account is well
 * below: first those for which most waits, then those that have begun to send most, and last
 * those for which less waits. They get 1013 "memory" and come back. Who holds little is never
 * ended.
 */
/* Called when the parts are made, and no client has come yet. */
void memory_init(struct node *n);
/* Called at each tick. */
void memory_tick(struct node *n);
/* The account, in bytes. */
uint64_t memory_account(const struct node *n);

#endif
