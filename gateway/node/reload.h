#ifndef SLUICE_NODE_RELOAD_H
#define SLUICE_NODE_RELOAD_H

#include "gateway/node/node.h"

/*
 * Called on SIGHUP. Reads the options again, from the same places as at the start. LIVE options
 * take their new values at once. For other options that differ, the log says that they need a
 * restart. If anything is wrong, the log says what and where, and all options stay as they
 * were.
 */
void node_reload(struct node *n);

#endif
