#ifndef SLUICE_SOCKETIO_RELAY_PEER_H
#define SLUICE_SOCKETIO_RELAY_PEER_H

#include "gateway/net/http_out.h"
#include "gateway/socketio/eio_config.h"

/* The nodes that a relay hands requests over to. */

#define RELAY_KEY_SIZE EIO_ID_SIZE

struct relay_peer {
    struct http_peer http;
    struct list link;
    char name[EIO_NODE_SIZE];
    char key[RELAY_KEY_SIZE];
};

/* The node of that name in a list of them; NULL: it is not known. */
struct relay_peer *relay_peer_find(const struct list *peers, struct slice name);
/* True if requests go to it as they should: the address and the key are those. */
bool relay_peer_is(const struct relay_peer *p, const struct conn_address *at, const char *key);
/* Adds a node to the list; without memory nothing is added, and that is logged. idle_ms: its
 * connections are kept for so long. */
void relay_peer_add(struct list *peers, struct net *n, uint64_t idle_ms, const char *name,
                    const struct conn_address *at, const char *key);
/* Takes it out of the list and closes its connections; it frees itself when they have ended. */
void relay_peer_close(struct relay_peer *p);

#endif
