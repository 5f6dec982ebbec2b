#ifndef SLUICE_PRESENCE_MEMBERSHIP_H
#define SLUICE_PRESENCE_MEMBERSHIP_H

#include "gateway/channel/hub.h"
#include "gateway/cluster/lease.h"

/*
 * Who is a member of a room: users, in Redis. A connection is in a room as a subscriber of its
 * channel. Here the two are kept together: a user who left by one connection has left by all.
 */
enum membership { MEMBER_QUIETLY, MEMBER_ANNOUNCED, MEMBER_AGAIN }; /* as enter.lua has it */

/* The subscriber's user enters a room. done may be NULL; false: Redis is away. */
bool membership_enter(const struct lease *l, const struct subscriber *s,
                      const struct channel *ch, enum membership how, redis_done done,
                      void *arg);
/* A doorbell said that a user left a room: the subscribers of that user here go too, if it is
 * still so. */
void membership_left(const struct lease *l, struct channel *ch, struct slice user);
/* A sub that could not be taken out while its login was under way has started. */
void membership_recheck(const struct lease *l, struct sub *sub);
/* After an outage: the memberships of all rooms that a subscriber is in are made again. Of a
 * room that the user has left by another connection meanwhile, the sub is dropped. */
void membership_renew(const struct lease *l, struct subscriber *s);

#endif
