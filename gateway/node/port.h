#ifndef SLUICE_NODE_PORT_H
#define SLUICE_NODE_PORT_H

#include "gateway/node/node.h"

/*
 * The port on which a node listens (the options listen and listen-mode), and the address at
 * which other nodes reach it (advertise).
 */

/* Listens: on_connection is called for each connection, with the node as the stream's data.
 * Returns 0, or 1 after an error on standard error. */
int port_open(struct node *n, uv_connection_cb on_connection);

/* Lets no new connection begin: see listen_quiet. The port must be open. */
void port_quiet(struct node *n);
/* Closes the port, which must not be closed yet. on_closed gets the listener, whose data is the
 * node. */
void port_close(struct node *n, uv_close_cb on_closed);

#endif
