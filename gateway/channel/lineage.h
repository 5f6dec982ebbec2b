#ifndef SLUICE_CHANNEL_LINEAGE_H
#define SLUICE_CHANNEL_LINEAGE_H

#include "gateway/channel/position.h"
#include "gateway/redis/reply.h"

/*
 * The epochs from which a channel's position descends, the newest first, each with the seq at
 * which it ended. If the log that the clients had was lost, the epochs of that log follow, each
 * with a seq up to which both logs are the same.
 *
 * When two masters die within the lag of their replicas, a log may lack the epoch of a position
 * and also the end of the epoch before it. The lineage then tells up to where the clients have
 * that log. Without it, all of the log might be new, and they would get everything twice.
 */
#define LINEAGE_MOST 6
struct lineage {
    struct position before[LINEAGE_MOST];
    unsigned count;
};

/*
 * Moves a position to a seq of the log's epoch. forks: the earlier epochs, as read.lua answered
 * them; they are used only if the epoch is a new one. *lineage is allocated when it is needed;
 * the caller frees it. If there is no memory, the lineage stays unknown.
 */
void lineage_move(struct lineage **lineage, struct position *at, struct slice epoch,
                  uint64_t seq, const struct reply *forks);

/* The index of the first ancestor of `from`, or `count` if there is none. from: the position of
 * a subscriber of the channel that stands at `at`. lineage: that of `at`, or NULL. */
unsigned lineage_first(const struct lineage *lineage, const struct position *at,
                       const struct position *from);

#endif
