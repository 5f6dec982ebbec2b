#ifndef SLUICE_CORE_LINEAGE_H
#define SLUICE_CORE_LINEAGE_H

#include "gateway/core/hub.h"

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
 * Moves the channel's position to a seq of the log's epoch. forks: what read.lua told of the
 * epochs before, which counts if the epoch is a new one. Without memory the lineage is unknown.
 */
void lineage_move(struct channel *ch, struct slice epoch, uint64_t seq,
                  const struct reply *forks);

/*
 * Asks for a page of a channel's log (read.lua) after `from`, a position of the channel or of
 * one of its subs. entries: at most so many, as digits. done: as redis_done, in a later turn.
 * False: nothing was sent.
 */
bool lineage_read(struct channel *ch, const struct position *from, struct slice entries,
                  redis_done done, void *arg);

#endif
