#ifndef SLUICE_CHANNEL_TIDE_H
#define SLUICE_CHANNEL_TIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/redis/partition.h"

/*
 * How far this node has come in the times of one partition of Redis.
 *
 * In a partition the times of messages rise over all channels, and their doorbells ring in the
 * same order on one link (log.lua). So when a doorbell with the time T is delivered, every live
 * channel of the partition has everything up to T, and nothing that is later. The lease's
 * beacon (lease.lua) tells a time in the same way, so a tide is not older than its last lease.
 * With more than one partition there is a tide for each, and offsets (session.h) say them all.
 * With one Redis a message's own time is enough, and there are no tides.
 */
struct tide {
    uint64_t time; /* of the last doorbell or beacon that came in the order of times; 0: none */
    uint16_t term; /* tide_term of its partition */
    /* False: `time` is from an earlier term, or a doorbell rang with a time that does not
     * follow. Messages with times up to `time` may come yet. */
    bool settled;
    bool frozen; /* some channels are `frozen` (channel.h) */
};

/* As many as there are partitions, none of which has been heard yet. NULL: no memory. */
struct tide *tides_make(unsigned count);

/* The last 12 bits of the partition's term, which rises by one with each change. */
uint16_t tide_term(const struct partition *p);
#define TIDE_TERMS 4096

/* A doorbell with this time is about to be delivered, or a beacon came. Does it follow? */
bool tide_rise(struct tide *t, uint64_t time);
/* `time` cannot be trusted any more. Returns whether it could be before. */
bool tide_doubt(struct tide *t);

#endif
