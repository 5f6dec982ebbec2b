#ifndef SLUICE_NODE_ACCEPT_H
#define SLUICE_NODE_ACCEPT_H

#include "gateway/node/node.h"

/*
 * Decides which connections and clients a node takes: at most max-connections, at most
 * max-connections-per-address of one address, and at most accept-rate a second.
 */

/* Passed to ports_open: takes a connection, which then speaks HTTP. */
void accept_connection(struct port *p, int fd, const struct sockaddr *from);

/* Returns true if the request may begin a client. The connection is then counted for the
 * client's address. Returns false when the request was refused, with the reason. */
bool accept_client(struct node *n, const struct http_request *request);
/* As accept_client, for a client that the node already has on another connection. A node that
 * drains or is full takes it, too. */
bool accept_known_client(struct node *n, const struct http_request *request);
/* The request comes from another node, for a client that is counted there. */
void accept_node(struct node *n, const struct http_request *request);
/* The connection is no longer counted for an address. */
void accept_forget(struct node *n, struct conn *c);

#endif
