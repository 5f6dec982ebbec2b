#ifndef SLUICE_REDIS_CLUSTER_KNOWN_H
#define SLUICE_REDIS_CLUSTER_KNOWN_H

#include "gateway/redis/cluster_nodes.h"

/* The nodes of a Cluster that can be asked: those of the URL, and those of which the last
 * answer told. */
#define KNOWN_MOST 128

struct known_node {
    struct redis_place place;
    char ip[CLUSTER_IP_SIZE]; /* that it announces */
    char id[CLUSTER_ID_SIZE]; /* "": only the URL tells of it */
};

struct cluster_known {
    struct known_node all[KNOWN_MOST]; /* those of the URL first */
    size_t count, seeds, next;
};

void known_init(struct cluster_known *m, const struct redis_seeds *seeds);
/* The next one in turn. */
const struct redis_place *known_next(struct cluster_known *m);

/* A new answer: forgets of what the last one told. */
void known_begin(struct cluster_known *m);
void known_add(struct cluster_known *m, const struct cluster_node *node);

/* Does an answer to CLUSTER NODES come from another Cluster: is no node in it one of which the
 * last answer told? True only if there was one. by_place: a node that is new at an old place
 * counts as the same, since a Cluster may be made again. */
bool known_strange(const struct cluster_known *m, struct slice text,
                   const struct nodes_view *view, bool by_place);

/* Where we reach a node of which a server says that it is there: servers tell an IP to those
 * who know it by its name. */
const struct redis_place *known_place(const struct cluster_known *m,
                                      const struct redis_place *told);

#endif
