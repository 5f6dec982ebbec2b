#ifndef SLUICE_PRESENCE_OVERDUE_H
#define SLUICE_PRESENCE_OVERDUE_H

#include "gateway/cluster/lease.h"

/*
 * Who is taken out of presence by no timer of a node. With each lease every node looks at the
 * connections that linger in Redis, since their node has gone: those that are due go. Now and
 * then some users are looked at whose score nobody has renewed for long: if no node that holds
 * a lease, or is being reaped, has a connection of theirs, they go too.
 */
struct overdue {
    struct lease *lease;
    struct metrics *metrics;
    bool asked;
    bool all;                  /* the question under way is for all that linger */
    uint64_t looked;           /* loop time of the last look at old scores */
    uint64_t rank;             /* of the next one to look at */
    void (*done)(void *owner); /* the node goes: all are to be taken out */
    void *owner;
};

/* What is given is borrowed. */
void overdue_init(struct overdue *o, struct lease *lease, struct metrics *metrics);
/* With each lease: takes out of presence who is due. */
void overdue_look(struct overdue *o);
/* Takes out all that linger: the last node goes. done perhaps before it returns. */
void overdue_take_all(struct overdue *o, void (*done)(void *owner), void *owner);

#endif
