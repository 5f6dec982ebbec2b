#ifndef SLUICE_NODE_RELOAD_H
#define SLUICE_NODE_RELOAD_H

#include "gateway/node/node.h"

/*
 * SIGHUP: reads the options again, from where they came at the start. The LIVE ones take their
 * new values at once; of others that differ the log says that they need a restart. If anything
 * is wrong, the log says what and where, and all options stay as they were.
 */
void node_reload(struct node *n);

#endif
