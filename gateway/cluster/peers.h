#ifndef SLUICE_CLUSTER_PEERS_H
#define SLUICE_CLUSTER_PEERS_H

#include "gateway/cluster/lease.h"
#include "gateway/net/conn_address.h"

/*
 * The other nodes, as processes that can be reached: name, address and key of each, which it
 * writes with its lease. An incarnation that is new in a lease's answer, or that says so by a
 * doorbell, is looked up in its hash; one whose lease stands still is forgotten. Nothing is
 * forgotten while Redis is away.
 *
 * A process keeps its name over all of its incarnations: it is lost with the last of them.
 */
#define PEER_NAME_SIZE   9
#define PEER_KEY_SIZE    21
#define PEERS_ASKED_MOST 32 /* at a time */

/* An incarnation. Several may be of one process: those that it gave up are there until they are
 * reaped. */
struct peer {
    char incarnation[INCARNATION_SIZE];
    char name[PEER_NAME_SIZE];
    uint64_t lease;
    uint64_t seen; /* loop time of the sweep that first saw this lease */
};

struct peers_unknown {
    char incarnations[PEERS_ASKED_MOST][INCARNATION_SIZE];
    size_t count;
};

struct peers {
    struct lease *lease;
    void *owner;
    char name[PEER_NAME_SIZE]; /* of this process */
    char key[PEER_KEY_SIZE];   /* what others show that they have it from Redis */
    struct conn_address listen;
    char address[CONN_ADDRESS_SIZE]; /* for others; empty: not known (yet) */
    bool given;                      /* it does not depend on the link to Redis */
    bool told;                       /* all of this has been with a lease */
    bool ready;                      /* the others have been asked about once */
    struct peer *all;
    size_t count;
    struct peers_unknown unknown; /* to be asked about */
    struct peers_unknown asking;  /* the question is under way */
    /* Also when it is known: with another address, maybe. */
    void (*on_met)(void *owner, const char *name, const struct conn_address *at,
                   const char *key);
    void (*on_lost)(void *owner, const char *name);
    /* An answer is through: whoever was there has been met. */
    void (*on_ready)(void *owner);
};

/* False: no randomness. */
bool peers_init(struct peers *p, struct lease *lease, void *owner);
void peers_deinit(struct peers *p);
/* Where others reach this node: `given`, or, if that is NULL, where it listens. If that is any
 * address, then the one that its link to Redis has. */
void peers_set_address(struct peers *p, const struct conn_address *listen,
                       const struct conn_address *given);
/* Redis is up: the link's address, and the observation of leases starts anew. */
void peers_redis_up(struct peers *p);

/* A lease in an answer; 0: it was given back. */
void peers_see(struct peers *p, struct slice incarnation, uint64_t lease);
/* The answer is through: who was not seen for lease-timeout is forgotten, who is new is asked
 * about. */
void peers_sweep(struct peers *p);
/* Looks for nodes that are not known yet: on_ready follows, unless the link falls. False: Redis
 * is away. */
bool peers_look(struct peers *p);
/* An incarnation has begun. */
void peers_hello(struct peers *p, struct slice incarnation);

#endif
