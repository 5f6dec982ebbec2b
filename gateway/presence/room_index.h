#ifndef SLUICE_PRESENCE_ROOM_INDEX_H
#define SLUICE_PRESENCE_ROOM_INDEX_H

#include "gateway/channel/hub.h"
#include "gateway/options.h"

/*
 * The index of rooms by size, sluice:rooms in Redis; each partition has one of its own rooms.
 * With each lease, a node sends the names of
 * rooms whose number of members online has changed, or in which it has no connection any more.
 * The script then counts their members. It also checks some entries of the index in turn, so
 * that the rooms of a node that died leave it as well.
 */
struct room_shelf {
    struct buf names; /* of rooms to send, each followed by a NUL */
    uint64_t rank;    /* of the next entry to look at */
    bool stale;       /* Redis may lack some of what it was sent */
};

struct room_index {
    struct redis *redis;
    const struct options *options;
    uv_loop_t *loop;
    struct hub *hub;
    struct room_shelf shelves[PARTITIONS_MOST];
    uint64_t swept; /* loop time of the last look at entries */
};

/* The arguments are borrowed. */
void room_index_init(struct room_index *x, uv_loop_t *loop, struct redis *redis,
                     const struct options *options, struct hub *hub);
void room_index_deinit(struct room_index *x);
/* The partition is up, and may lack its whole index. */
void room_index_redis_up(struct room_index *x, const struct partition *p);
/* The number of members online in this room has changed. */
void room_index_changed(struct room_index *x, struct slice room);
/* Sends the rooms that changed. To be called once an interval of the lease. */
void room_index_tell(struct room_index *x);

#endif
