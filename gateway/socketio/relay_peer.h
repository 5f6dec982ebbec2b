#ifndef SLUICE_SOCKETIO_RELAY_PEER_H
#define SLUICE_SOCKETIO_RELAY_PEER_H

#include "gateway/net/http_out.h"
#include "gateway/socketio/eio_config.h"

/* The nodes to which a relay hands requests over. */

#define RELAY_KEY_SIZE EIO_ID_SIZE

struct relay_peer {
    struct http_peer http;
    struct list link;
    char name[EIO_NODE_SIZE];
    char key[RELAY_KEY_SIZE];
};

/* Finds the node of that name in a list; NULL: it is not known. */
struct relay_peer *relay_peer_find(const struct list *peers, struct slice name);
/* True if the node has this address and this key. */
bool relay_peer_is(const struct relay_peer *p, const struct conn_address *at, const char *key);
/* Adds a node to the list. Without memory nothing is added, which is logged. idle_ms: how long
 * its idle connections are kept. */
void relay_peer_add(struct list *peers, struct net *n, uint64_t idle_ms, const char *name,
                    const struct conn_address *at, const char *key);
/* Takes a node out of the list and closes its connections. It frees itself when they have
 * ended. */
void relay_peer_close(struct relay_peer *p);

#endif
