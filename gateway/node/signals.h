#ifndef SLUICE_NODE_SIGNALS_H
#define SLUICE_NODE_SIGNALS_H

#include "gateway/node/node.h"

/* SIGTERM drains the node, SIGINT ends it, SIGHUP has it read its options again. */

/* Before there is a loop: SIGTERM and SIGINT end the process, with status 0. */
void signals_end_early(void);
/* The node takes them from here on, also a SIGHUP that came since main began. */
void signals_watch(struct node *n);

#endif
