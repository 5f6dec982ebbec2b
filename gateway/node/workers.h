#ifndef SLUICE_NODE_WORKERS_H
#define SLUICE_NODE_WORKERS_H

#include "gateway/node/node.h"

/*
 * The process that starts the workers of a node, and does nothing else: it speaks neither with
 * clients nor with Redis. It opens the sockets at which they listen and keeps them open, so
 * that a worker that is killed takes no connection with it that it has not accepted: those wait
 * in the queue for the worker that follows.
 *
 * A worker that ends is started again: at once, unless it has ended soon, and after 2 s at
 * most. SIGTERM, SIGINT and SIGHUP are passed on to all. After the first two none is started
 * any more, and the process ends with the last one; those that are still there a few seconds
 * after the time that a drain may take are killed.
 */

/* Runs until the node is told to stop. The loop and the options must be set. Returns the
 * process's exit status: 0; or 1 when it could not start, after an error on standard error, or
 * when a worker had to be killed at the end. */
int workers_run(struct node *n);

#endif
