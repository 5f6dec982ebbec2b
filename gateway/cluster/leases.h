#ifndef SLUICE_CLUSTER_LEASES_H
#define SLUICE_CLUSTER_LEASES_H

#include <uv.h>

#include "gateway/cluster/lease.h"

/*
 * The leases of this node, one in each partition of Redis. Each has an incarnation of its own,
 * so an outage of one partition makes a new incarnation there only. What is one for the node,
 * such as its figures and its address, is told with the first.
 *
 * All are renewed by one timer. Its events are those of lease.h, and on_tick, which comes once
 * in an interval while some partition is up.
 */
struct leases {
    struct lease *all; /* as many as there are partitions */
    unsigned count;
    struct redis *redis;
    uv_timer_t timer;
};

/* The arguments are borrowed. Returns 0 or a libuv error. */
int leases_init(struct leases *l, uv_loop_t *loop, struct redis *redis,
                const struct options *options, const char *node_id,
                const struct lease_events *events, void *owner);
void leases_close(struct leases *l, uv_close_cb on_closed);
/* It is closed, and so is Redis. */
void leases_deinit(struct leases *l);

/* The lease in the partition where a name's keys are. */
static inline struct lease *lease_of(const struct leases *l, struct slice name) {
    return l->count == 1 ? l->all : &l->all[redis_partition(l->redis, name)->index];
}
/* That in a partition. */
static inline struct lease *lease_in(const struct leases *l, const struct partition *p) {
    return &l->all[p->index];
}
/* The one that tells what is one for the node. */
static inline struct lease *lease_first(const struct leases *l) {
    return l->all;
}
/* Is any partition up whose lease is held? */
bool leases_serve(const struct leases *l);
static inline uint64_t leases_now(const struct leases *l) {
    return uv_now(l->timer.loop);
}

/* lease_watch of all. */
void leases_watch(struct leases *l);
/* From now on no lease is renewed. */
void leases_stop(struct leases *l);
#endif
