#ifndef SLUICE_REDIS_CLUSTER_NODES_H
#define SLUICE_REDIS_CLUSTER_NODES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/slice.h"
#include "gateway/redis/address.h"
#include "gateway/redis/reply.h"

/* The answer to CLUSTER NODES: a line for each node that the answering one knows. */

#define CLUSTER_NODES_QUESTION "*2\r\n$7\r\nCLUSTER\r\n$5\r\nNODES\r\n" /* RESP */
#define CLUSTER_ID_SIZE        41
#define CLUSTER_IP_SIZE        64

/* What a Cluster wants its clients to use (cluster-preferred-endpoint-type). Only the answer to
 * CLUSTER SLOTS tells it. */
#define CLUSTER_SLOTS_QUESTION "*2\r\n$7\r\nCLUSTER\r\n$5\r\nSLOTS\r\n" /* RESP */
enum cluster_endpoint {
    ENDPOINT_IP,
    ENDPOINT_NAME,
    ENDPOINT_ASKED /* the host of the one who was asked, and only the port differs */
};
/* r: the answer to CLUSTER SLOTS. */
enum cluster_endpoint cluster_endpoint_of(const struct reply *r);

/* How the answer to CLUSTER NODES is to be read. */
struct nodes_view {
    bool tls; /* hosts are names where the nodes announce them, since certificates have names */
    enum cluster_endpoint endpoint;
    const struct redis_place *from; /* the node that answered */
};

struct cluster_node {
    char id[CLUSTER_ID_SIZE];
    struct redis_place place;
    char ip[CLUSTER_IP_SIZE]; /* that it announces; "" if it does not know it */
    bool myself;              /* it is the one that answered */
    bool master;
    char of[CLUSTER_ID_SIZE]; /* of a replica: its master's id; or "" */
    bool failed;              /* the nodes agree that it is away */
    uint64_t epoch;           /* of the configuration by which it has its slots */
    struct slice slots;       /* "0-5460 7000 [93-<-...]", a part of the answer */
};

/* Takes the next node from the text, which begins with a line of the answer and is shortened
 * by it. Nodes without an address, and lines that make no sense, are left out. False: there
 * are no more. */
bool cluster_nodes_next(struct slice *text, const struct nodes_view *view,
                        struct cluster_node *out);

/* Does the node have this slot? */
bool cluster_node_has(const struct cluster_node *node, unsigned slot);

#endif
