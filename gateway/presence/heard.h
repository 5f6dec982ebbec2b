#ifndef SLUICE_PRESENCE_HEARD_H
#define SLUICE_PRESENCE_HEARD_H

#include "gateway/cluster/leases.h"

/*
 * A user's master may die after rooms of other partitions have heard of the user, and the next
 * one not know that: the user came, the master died, and the user went before there was
 * another. Nobody would tell the rooms. So they note of whom they have heard (`heard`, in
 * lua/placing.lua), and this part asks the users' partitions what is so, which tell the rooms
 * again.
 *
 * It asks of all users of a partition that came up with another term, as soon as this node's
 * connections are registered there again. It asks also of users of whom a room has not heard
 * twice for too long: that is so if no node saw the term change. With one Redis there is
 * nothing to ask.
 */
struct heard {
    struct redis *redis;
    struct leases *leases;
    /* A bit for each partition: */
    uint64_t known;   /* it has been up */
    uint64_t changed; /* its users are to be asked of */
    uint64_t homes;   /* they are asked of in the round that is under way */
    bool all;         /* the round asks of all, not only of who is due */
    bool under_way;
    unsigned at; /* the partition of rooms that is read */
    uint64_t rank;
    unsigned asked;  /* questions under way */
    uint64_t looked; /* loop time of the last round for who is due */
};

/* The arguments are borrowed. */
void heard_init(struct heard *h, struct redis *redis, struct leases *leases);
/* This partition is up with another term, or with the first that the node hears of, from which
 * nothing follows. */
void heard_changed(struct heard *h, const struct partition *p);
/* Begins what is to be asked. To be called with each lease. */
void heard_look(struct heard *h);

#endif
