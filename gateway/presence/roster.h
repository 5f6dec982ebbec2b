#ifndef SLUICE_PRESENCE_ROSTER_H
#define SLUICE_PRESENCE_ROSTER_H

#include "common/siphash.h"
#include "common/wheel.h"
#include "gateway/presence/member_page.h"
#include "gateway/presence/room_index.h"

/*
 * A room's roster: the users that are online in it. The node reads it from Redis when something
 * changed: the first time at once, then at most once in roster-interval. It sends the roster to
 * the room's connections only if it differs from the one that was sent last.
 *
 * All of a room's rosters together take at most 1 MiB a second of a node, so that a member who
 * comes and goes all the time does not fill everybody's line. The larger a roster and the more
 * connections it goes to, the longer is the time to the next one; counts still go each time.
 * Single events have a budget of the same size.
 */
struct rosters {
    struct redis *redis;
    const struct options *options;
    uv_loop_t *loop;
    struct room_index *index;
    struct wheel wheel; /* for the rooms' timers */
    struct siphash_key key;
    struct member_pages pages; /* of rooms' members, which clients asked for */
};

/* The arguments are borrowed. */
void rosters_init(struct rosters *all, uv_loop_t *loop, struct redis *redis,
                  const struct options *options, struct room_index *index);
/* Reads the rosters that are due. now: loop time. */
void rosters_tick(struct rosters *all, uint64_t now);

/* A user entered, left or changed state. The room's connections get the roster soon, but for
 * those that are entering, which get it with the answer to that. */
void roster_touch(struct rosters *all, struct channel *ch);
/* The room's events may have been missed. Nothing is done for a room of which nobody here has
 * heard anything: who enters it gets its roster then. */
void roster_healed(struct rosters *all, struct channel *ch);
/* A doorbell brought the counts of a big room, as JSON. */
void roster_counted(struct rosters *all, struct channel *ch, struct slice counts);
/* Takes the roster from an answer of enter.lua. True: it was sent to all of the room's
 * connections, the new one included. False: the caller sends it to the new one by roster_send.
 */
bool roster_entered(struct rosters *all, struct channel *ch, const struct reply *reply);
/* Sends the roster in an answer of enter.lua to one connection. */
void roster_send(struct rosters *all, struct subscriber *s, struct channel *ch,
                 const struct reply *reply);
/* A connection is in the room that was not sent the roster. It is sent to all again. */
void roster_renew(struct rosters *all, struct channel *ch);
/* May so many single events (userJoined, …) be sent to the room now? Not if it has too many
 * members, or if users come and go so fast that it would be too much; then rosters and counts
 * tell of them. */
bool roster_names(struct rosters *all, struct channel *ch, unsigned events);
/* The channel is about to be freed. */
void roster_free(struct channel *ch);

#endif
