#ifndef SLUICE_CLUSTER_REAPER_H
#define SLUICE_CLUSTER_REAPER_H

#include "gateway/cluster/lease.h"

/*
 * Reaps nodes that died. A lease is dead if it stands still through a full lease-timeout of
 * answers. The entries of its incarnation are then taken out of presence, some at a time. Every
 * node tries this, and the script lets one of them do it.
 */

/* Another node's lease as this node has seen it. */
struct sighting {
    char incarnation[INCARNATION_SIZE];
    uint64_t lease;
    uint64_t since; /* loop time of the answer that first had this lease */
    bool reaping;
    bool swept; /* it is in the answer that is being read */
};

struct reaper {
    struct lease *lease;
    struct metrics *metrics;
    struct sighting *sightings;
    size_t count;
};

/* The arguments are borrowed. */
void reaper_init(struct reaper *r, struct lease *lease, struct metrics *metrics);
void reaper_deinit(struct reaper *r);
/* Redis is up. Begins to observe the leases again. */
void reaper_redis_up(struct reaper *r);
/* To be called from lease_events.on_seen and on_swept. */
void reaper_see(struct reaper *r, struct slice incarnation, uint64_t lease);
void reaper_swept(struct reaper *r);

#endif
