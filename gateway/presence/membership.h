#ifndef SLUICE_PRESENCE_MEMBERSHIP_H
#define SLUICE_PRESENCE_MEMBERSHIP_H

#include "gateway/channel/hub.h"
#include "gateway/cluster/leases.h"

/*
 * The members of a room are users, and Redis has them. A connection is in a room as a
 * subscriber of its channel. This part keeps the two alike: a user that leaves a room by one
 * connection has left it by all.
 */
/* Modes of enter.lua. ONLY: who is no member does not become one. */
enum membership { MEMBER_QUIETLY, MEMBER_ANNOUNCED, MEMBER_AGAIN, MEMBER_ONLY, MEMBER_RESUMED };

/* Makes the subscriber's user a member of a room. done may be NULL. False: a partition is away.
 */
bool membership_enter(const struct leases *l, const struct subscriber *s,
                      const struct channel *ch, enum membership how, redis_done done,
                      void *arg);
/* The same for a user, who need not have a connection. Also false if Redis is full. */
bool membership_put(const struct leases *l, struct slice user, struct slice channel,
                    redis_done done, void *arg);
/* Ends the membership of a user. Inside: the connection that asks is in the room's channel. For
 * good: a connection that resumes does not make it again, only one that joins. False: as above,
 * or Redis is full. */
enum leaves { LEAVES_OUTSIDE, LEAVES_INSIDE, LEAVES_FOR_GOOD }; /* as leave.lua has them */
bool membership_leave(const struct leases *l, struct slice user, struct slice channel,
                      enum leaves how, redis_done done, void *arg);
/* A doorbell said that a user left a room. If Redis confirms it, the user's subscribers on this
 * node leave the channel, too. */
void membership_left(const struct leases *l, struct channel *ch, struct slice user);
/* A sub has started. If its user left the room while the login was under way (sub.recheck),
 * Redis is asked again. */
void membership_recheck(const struct leases *l, struct sub *sub);
/* After an outage: makes the user of a subscriber a member again, in all rooms that the
 * subscriber is in. If the user has left a room meanwhile, by another connection, the sub is
 * dropped. */
void membership_renew(const struct leases *l, struct subscriber *s);

/* The memberships in a partition's rooms that are to be made again after its outage. There may
 * be very many, so only some are asked for at a time. */
struct renewals {
    const struct leases *leases;
    struct {
        struct subscriber *subscriber; /* a reference */
        uint32_t serial;               /* of the sub */
    } * all;
    size_t count, room;
    size_t next; /* the first that is not asked for yet */
    unsigned under_way;
};
void renewals_init(struct renewals *r, const struct leases *leases);
/* After an outage of a partition: as membership_renew for all in its rooms, whose users may be
 * elsewhere. Its own users are left out, since they are registered again, too. */
void membership_renew_rooms(struct renewals *r, struct hub *hub, const struct partition *p);
/* Forgets those that were not asked for yet. What is under way must end before `r` does. */
void renewals_deinit(struct renewals *r);

#endif
