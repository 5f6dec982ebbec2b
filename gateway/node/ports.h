#ifndef SLUICE_NODE_PORTS_H
#define SLUICE_NODE_PORTS_H

#include "gateway/node/node.h"

/*
 * The ports on which a node listens: the public one (the options listen and listen-mode) and,
 * where it is asked for, the internal one (internal-listen). And the address at which other
 * nodes reach this one (advertise).
 */

/* Opens them. on_connection is called for each connection, with the struct port, whose owner is
 * the node, as the stream's data. Returns 0, or 1 after an error on standard error. */
int ports_open(struct node *n, uv_connection_cb on_connection);

/* Logs a warning if the internal port may be reached from the internet, or if other nodes
 * cannot reach this one. */
void ports_warn(struct node *n);

/* The address that other nodes are told: advertise, or else where they can hand requests over.
 */
void ports_advertise(struct node *n);

/* Let no new connection begin on either, or close both. */
void ports_quiet(struct node *n);
void ports_close(struct node *n);

#endif
