#ifndef SLUICE_REDIS_CLUSTER_NODES_H
#define SLUICE_REDIS_CLUSTER_NODES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/slice.h"
#include "gateway/redis/address.h"

/* The answer to CLUSTER NODES: a line for each node that the answering one knows. */

#define CLUSTER_NODES_QUESTION "*2\r\n$7\r\nCLUSTER\r\n$5\r\nNODES\r\n" /* RESP */
#define CLUSTER_ID_SIZE        41

struct cluster_node {
    char id[CLUSTER_ID_SIZE];
    struct redis_place place; /* its host is "" if the node does not know its own address */
    bool master;
    char of[CLUSTER_ID_SIZE]; /* of a replica: its master's id; or "" */
    bool failed;              /* the nodes agree that it is away */
    uint64_t epoch;           /* of the configuration by which it has its slots */
    struct slice slots;       /* "0-5460 7000 [93-<-...]", a part of the answer */
};

/* Takes the next node from the text, which begins with a line of the answer and is shortened
 * by it. Nodes without an address, and lines that make no sense, are left out. tls: hosts are
 * names where the nodes announce them, since certificates have names. False: there are no
 * more. */
bool cluster_nodes_next(struct slice *text, bool tls, struct cluster_node *out);

/* Does the node have this slot? */
bool cluster_node_has(const struct cluster_node *node, unsigned slot);

#endif
