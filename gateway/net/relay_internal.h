#ifndef SLUICE_NET_RELAY_INTERNAL_H
#define SLUICE_NET_RELAY_INTERNAL_H

#include "gateway/net/relay.h"

/* What relay.c (requests) and relay_peer.c (nodes) share. */

struct relay_peer {
    struct http_peer http;
    struct list link;
    char name[EIO_NODE_SIZE];
    char key[RELAY_KEY_SIZE];
};

/* The node of that name; NULL: it is not known. */
struct relay_peer *relay_find(struct relay *r, struct slice name);

#endif
