#ifndef SLUICE_API_JSON_H
#define SLUICE_API_JSON_H

#include "common/buf.h"
#include "gateway/api/merge.h"

/*
 * Writes answers of scripts as JSON. Each function appends a whole document to b; without
 * memory b is failed.
 */
struct cluster_view {
    const char *node;
    const char *incarnation; /* of the node that answers */
    uint64_t lease_timeout_ms;
    uint64_t latency_us; /* of the read */
    size_t rooms, users; /* the most that are told */
};
/* From the answers of cluster.lua, one of which is there at least. master: by partition, the
 * first partition of its master. */
void api_put_cluster(struct buf *b, const struct cluster_view *view, const struct answers *a,
                     const unsigned char *master);
/* A page of users, from the answers of search.lua, one of which is there at least. */
struct online_page {
    struct slice cursor; /* empty: no more follows */
    struct slice exact;  /* the id about which the first answer is; empty: it is about none */
    bool parted;         /* Redis has more than one partition */
    uint64_t skipped;    /* a bit for each partition that was down */
};
void api_put_online(struct buf *b, const struct online_page *page, const struct answers *a);
/* From user.lua's answer about the user with this id. */
void api_put_user(struct buf *b, struct slice id, const struct reply *reply);

#endif
