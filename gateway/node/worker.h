#ifndef SLUICE_NODE_WORKER_H
#define SLUICE_NODE_WORKER_H

#include "gateway/node/node.h"

/*
 * A worker: a process of a node that has several (the option workers). It is a node by itself,
 * with a name, a lease and links to Redis of its own. What it shares with the others are the
 * sockets at which it listens and the table of seats, which it got from the process that has
 * started it (workers.h).
 */

/* In the environment of a worker: WORKER/WORKERS/PID, the last one of the process that starts
 * them. */
#define WORKER_SEAT "SLUICE_SEAT"

/* Called first, with the options set: finds out whether this process is a worker, and takes its
 * seat. It ends like a node that gets SIGTERM when the process that has started it is gone.
 * Returns 0, or 1 after an error on standard error. */
int worker_begin(struct node *n);

/* Writes its seat, with the metrics as they are (metrics_refresh). Nothing if it is no worker.
 */
void worker_tell(struct node *n);

#endif
