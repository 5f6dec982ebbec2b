#ifndef SLUICE_API_GATHER_H
#define SLUICE_API_GATHER_H

#include "gateway/api/merge.h"
#include "gateway/redis/redis.h"

/*
 * Runs cluster.lua in every partition that is up, all at the same time. A partition that is
 * down, or that goes down meanwhile, has no answer.
 *
 * INFO is the same for all partitions of a master, so it is asked for in the first of them.
 */
struct gather {
    struct answers answers;
    unsigned char master[PARTITIONS_MOST]; /* by partition: the first partition of its master */
    unsigned pending;
    void (*done)(void *arg, struct gather *g);
    void *arg;
};

/* done is called once, in a later turn, and then the gather is freed. Returns NULL if no
 * partition is up, or without memory. */
struct gather *gather_begin(struct redis *redis, struct slice rooms, struct slice users,
                            void (*done)(void *arg, struct gather *g), void *arg);

#endif
