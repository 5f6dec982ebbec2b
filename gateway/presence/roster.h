#ifndef SLUICE_PRESENCE_ROSTER_H
#define SLUICE_PRESENCE_ROSTER_H

#include "common/siphash.h"
#include "common/wheel.h"
#include "gateway/presence/room_index.h"

/*
 * Who is online in a room, for this node's connections: read from Redis when something changed,
 * at once, then at most once in roster-interval, and sent only if it differs from what was sent
 * last.
 */
struct rosters {
    struct redis *redis;
    const struct options *options;
    uv_loop_t *loop;
    struct room_index *index;
    struct wheel wheel; /* of the rooms' timers */
    struct siphash_key key;
};

/* What is given is borrowed. */
void rosters_init(struct rosters *all, uv_loop_t *loop, struct redis *redis,
                  const struct options *options, struct room_index *index);
/* Reads those that are due. */
void rosters_tick(struct rosters *all, uint64_t now);

/* Somebody came, went or changed state: the room's connections get its roster soon. */
void roster_touch(struct rosters *all, struct channel *ch);
/* A doorbell told a big room's counts. */
void roster_counted(struct rosters *all, struct channel *ch, struct slice counts);
/* The answer of enter.lua, for the others as usual. Returns true if all have just got it, the
 * newcomer too; else the newcomer gets it by roster_send. */
bool roster_entered(struct rosters *all, struct channel *ch, const struct reply *reply);
void roster_send(struct rosters *all, struct subscriber *s, struct channel *ch,
                 const struct reply *reply);
/* Somebody has been in the room without being told its roster: all are told it again. */
void roster_renew(struct rosters *all, struct channel *ch);
/* Has it so many members that comings and goings are told as counts alone? */
bool roster_is_big(const struct channel *ch);
/* The channel is about to be freed. */
void roster_free(struct channel *ch);

#endif
