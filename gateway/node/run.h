#ifndef SLUICE_NODE_RUN_H
#define SLUICE_NODE_RUN_H

#include "gateway/options.h"

/* Runs a node until it is told to stop. Returns the process's exit status: 0, or 1 when it
 * could not start, after an error on standard error. Changes the LIVE options on SIGHUP. */
int node_run(struct options *options);

#endif
