#ifndef SLUICE_CLUSTER_REAPER_H
#define SLUICE_CLUSTER_REAPER_H

#include "gateway/cluster/lease.h"

/*
 * Nodes that died are reaped: a lease that stands still through a full lease-timeout of answers
 * is dead, and what its incarnation has in presence is taken out, some of it at a time. Every
 * node does so; the script lets one of them have its way.
 */

/* Another node's lease as this one has seen it. */
struct sighting {
    char incarnation[INCARNATION_SIZE];
    uint64_t lease;
    uint64_t since; /* loop time of the answer that first had this lease */
    bool reaping;
    bool swept; /* in the answer that is being read */
};

struct reaper {
    struct lease *lease;
    struct metrics *metrics;
    struct sighting *sightings;
    size_t count;
};

/* What is given is borrowed. */
void reaper_init(struct reaper *r, struct lease *lease, struct metrics *metrics);
void reaper_deinit(struct reaper *r);
/* The observation starts again. */
void reaper_redis_up(struct reaper *r);
/* From lease_events.on_seen and on_swept. */
void reaper_see(struct reaper *r, struct slice incarnation, uint64_t lease);
void reaper_swept(struct reaper *r);

#endif
