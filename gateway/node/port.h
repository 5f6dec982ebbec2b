#ifndef SLUICE_NODE_PORT_H
#define SLUICE_NODE_PORT_H

#include "gateway/node/node.h"

/*
 * Where a node listens (the options listen and listen-mode), and where other nodes reach it
 * (advertise).
 */

/* Listens: on_connection is called for each connection, with the node as the stream's data.
 * Returns 0; or 1, said on standard error. */
int port_open(struct node *n, uv_connection_cb on_connection);

/* No new connection begins: see listen_quiet. The port is open. */
void port_quiet(struct node *n);
/* on_closed has the listener, whose data is the node. The port is not closed yet. */
void port_close(struct node *n, uv_close_cb on_closed);

#endif
