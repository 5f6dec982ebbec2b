#ifndef SLUICE_API_JSON_H
#define SLUICE_API_JSON_H

#include "common/buf.h"
#include "gateway/redis/reply.h"

/*
 * Writes answers of scripts as JSON. Each function appends a whole document to b; without
 * memory b is failed.
 */
struct cluster_view {
    const char *node;
    const char *incarnation; /* of the node that answers */
    uint64_t lease_timeout_ms;
    uint64_t latency_us; /* of the read */
};
/* cluster.lua */
void api_put_cluster(struct buf *b, const struct cluster_view *view, const struct reply *reply);
/* From search.lua's answer. */
void api_put_online(struct buf *b, const struct reply *reply);
/* From user.lua's answer about the user with this id. */
void api_put_user(struct buf *b, struct slice id, const struct reply *reply);

#endif
