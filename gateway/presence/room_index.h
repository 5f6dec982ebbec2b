#ifndef SLUICE_PRESENCE_ROOM_INDEX_H
#define SLUICE_PRESENCE_ROOM_INDEX_H

#include "gateway/channel/hub.h"
#include "gateway/options.h"

/*
 * The index of rooms by size, sluice:rooms. Nodes tell of rooms whose number of members online
 * has changed, or that nobody here is in any more, gathered and sent with each lease; the
 * script counts. Some entries are looked at besides, in turn, so that those of rooms that
 * nobody tells of (their node died) go too.
 */
struct room_index {
    struct redis *redis;
    const struct options *options;
    uv_loop_t *loop;
    struct hub *hub;
    struct buf names; /* of rooms to tell of, each with a NUL after it */
    uint64_t swept;   /* loop time of the last look at entries */
    uint64_t rank;    /* of the next entry to look at */
    bool stale;       /* Redis may lack what it was told */
};

/* What is given is borrowed. */
void room_index_init(struct room_index *x, uv_loop_t *loop, struct redis *redis,
                     const struct options *options, struct hub *hub);
void room_index_deinit(struct room_index *x);
/* Redis may lack all of it. */
void room_index_redis_up(struct room_index *x);
/* Members of this room came online or went. */
void room_index_changed(struct room_index *x, struct slice room);
/* Writes the index: once an interval of the lease. */
void room_index_tell(struct room_index *x);

#endif
