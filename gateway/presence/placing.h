#ifndef SLUICE_PRESENCE_PLACING_H
#define SLUICE_PRESENCE_PLACING_H

#include "gateway/redis/redis.h"

/*
 * Tells rooms what users' partitions decided: the second step of everything that makes users
 * come to rooms or go, when there are partitions (lua/placing.lua). With one Redis a script
 * does all at once, and there is nothing to place.
 *
 * A user's partition decides, gives it a version, and notes the rooms. The answer of its script
 * names them. This part tells each room, with one script for some rooms of a partition. A room
 * takes the highest version, so it does not matter in which order they come, or how often. Then
 * it takes out the notes of rooms that answered. The others stay, and the sweep of any node
 * does them later (overdue.h).
 */

/* good: how many rooms have been told. */
typedef void (*placing_done)(void *arg, size_t good);

/*
 * Places what a script's answer says; the items from `from` on are such as placing.lua
 * describes. home: the partition that answered. done may be NULL; else it is called once,
 * perhaps before this returns.
 */
void placing_all(struct redis *r, struct partition *home, const struct reply *answer,
                 size_t from, placing_done done, void *arg);
/* The same for an answer that names one room. done gets what place.lua answers, which is as
 * enter.lua, or no answer if it is not known whether the room was told. False: the room was not
 * told (yet), and done is not called. */
bool placing_room(struct redis *r, struct partition *home, const struct reply *answer,
                  size_t from, redis_done done, void *arg);

#endif
