#ifndef SLUICE_API_CLUSTER_H
#define SLUICE_API_CLUSTER_H

#include "gateway/api/ask.h"
#include "gateway/api/gather.h"

/*
 * /api/v1/cluster: nodes, rooms, users and Redis at a glance. The view is kept for a second,
 * and requests that come while it is being read share it, so many viewers cost one read. A
 * request that has waited for redis-timeout gets what the other partitions of Redis told.
 */
struct api_cluster {
    const struct api_source *source;
    struct buf view;        /* the last one; empty: none */
    uint64_t view_at;       /* loop time of it */
    uint64_t asked_at;      /* ns: when it was asked for */
    struct gather *reading; /* the scripts that are under way; NULL: none */
    struct list waiting;    /* struct ask: requests for the view that is being read */
};

/* The caller owns the source, which outlives this. */
void api_cluster_init(struct api_cluster *c, const struct api_source *source);
/* No request may be left. */
void api_cluster_deinit(struct api_cluster *c);

/* Answers, at once or later. */
void api_cluster_get(struct api_call *call);

#endif
