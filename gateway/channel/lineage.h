#ifndef SLUICE_CHANNEL_LINEAGE_H
#define SLUICE_CHANNEL_LINEAGE_H

#include "gateway/channel/position.h"
#include "gateway/redis/reply.h"

/*
 * What a channel's position descends from: the last epochs before its own, the newest first,
 * each with the seq at which it was over; after them, if the log that the clients had was lost,
 * those of that one, up to where the two are the same. When two masters die within the lag of
 * their replicas, a log may lack the epoch of a position and also the end of the one before. By
 * its lineage a position finds up to where its clients have that log; without it all of the log
 * might be new, and they would have everything twice.
 */
#define LINEAGE_MOST 6
struct lineage {
    struct position before[LINEAGE_MOST];
    unsigned count;
};

/*
 * Moves a position to a seq of the log's epoch. forks: what read.lua told of the epochs before,
 * which counts if the epoch is a new one. *lineage is made when it is needed, and is to be
 * freed by the caller; without memory it is unknown.
 */
void lineage_move(struct lineage **lineage, struct position *at, struct slice epoch,
                  uint64_t seq, const struct reply *forks);

/* The entry that is the first ancestor of `from`, a position of those who follow `at`; count if
 * there is none. lineage: of `at`, or NULL. */
unsigned lineage_first(const struct lineage *lineage, const struct position *at,
                       const struct position *from);

#endif
