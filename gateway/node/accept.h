#ifndef SLUICE_NODE_ACCEPT_H
#define SLUICE_NODE_ACCEPT_H

#include "gateway/node/node.h"

/*
 * Which connections and clients a node takes: not more than max-connections, and not more of
 * one address than max-connections-per-address.
 */

/* For port_open: takes a connection, which speaks HTTP from here on. */
void accept_connection(uv_stream_t *listener, int status);

/* May the request begin a client? The connection counts for the client's address from here on.
 * False: it was answered, with the reason. */
bool accept_client(struct node *n, const struct http_request *request);
/* As accept_client, for a client that the node has already, on another connection: a node that
 * drains or is full takes it, too. */
bool accept_known_client(struct node *n, const struct http_request *request);
/* The connection counts for no address any more, if it did. */
void accept_forget(struct node *n, struct conn *c);

#endif
