#ifndef SLUICE_PRESENCE_OVERDUE_H
#define SLUICE_PRESENCE_OVERDUE_H

#include "gateway/cluster/leases.h"

/*
 * Takes entries out of presence that no node's timer takes out.
 *
 * With each lease, every node looks at the connections that linger in Redis because their node
 * is gone. Those whose linger time is over are taken out. Now and then it also looks at some
 * users whose score has not been renewed for long. A user of whom no node that holds a lease,
 * or is being reaped, has a connection is taken out, too.
 *
 * It also takes out what guests leave, when they have gone for good (guests.lua).
 *
 * It also goes on with users that came online or went offline in many rooms: a script that
 * works for long would stop all others, so only a bite of the rooms is turned at once
 * (turn.lua). A node begins when it hears that some wait, and with each lease if another node
 * left them. With partitions the same loop is the sweep (pending.lua): it tells rooms what
 * their node has not told them in time (placing.h).
 */
struct overdue {
    struct redis *redis;
    struct lease *lease; /* in the partition that this looks at */
    struct metrics *metrics;
    bool asked;                /* a script is under way */
    bool forgetting;           /* guests.lua is under way */
    bool turning;              /* turn.lua is under way, or the sweep */
    bool sweeps_all;           /* the sweep takes all notes, not only those that are due */
    bool sweep_more;           /* the sweep's answer says that more is due */
    bool tells_again;          /* the next sweep tells again what rooms have heard lately */
    bool all;                  /* that script takes out all that linger */
    uint64_t looked;           /* loop time of the last look at old scores */
    uint64_t rank;             /* of the next score to look at */
    void (*done)(void *owner); /* of overdue_take_all; NULL before it is called */
    void *owner;
};

/* The arguments are borrowed. */
void overdue_init(struct overdue *o, struct redis *redis, struct lease *lease,
                  struct metrics *metrics);
/* Takes out what is due. To be called with each lease. */
void overdue_look(struct overdue *o);
/* Turns the rooms of users that wait for it, bite by bite. */
void overdue_turn(struct overdue *o);
/* A room's master has died, maybe with news that its rooms had heard. With partitions, they
 * hear again what they heard in the last 20 s; without this, each hears it again after that
 * time. */
void overdue_tell_again(struct overdue *o);
/* Takes out all that linger and turns all rooms that wait, since the last node is going. Calls
 * done, perhaps before it returns. */
void overdue_take_all(struct overdue *o, void (*done)(void *owner), void *owner);

#endif
