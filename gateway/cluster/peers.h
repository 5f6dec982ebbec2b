#ifndef SLUICE_CLUSTER_PEERS_H
#define SLUICE_CLUSTER_PEERS_H

#include "gateway/cluster/lease.h"
#include "gateway/net/conn_address.h"

/*
 * The other nodes as processes that can be reached. Each node writes its name, address and key
 * with its lease. When an answer or a doorbell brings a new incarnation, its hash is read. An
 * incarnation whose lease stands still is forgotten, but none is while Redis is away.
 *
 * A process keeps its name over all of its incarnations, and is lost with the last of them.
 */
#define PEER_NAME_SIZE   9
#define PEER_KEY_SIZE    21
#define PEERS_ASKED_MOST 32 /* at a time */

/* An incarnation. A process may have several: one that it gave up stays until it is reaped. */
struct peer {
    char incarnation[INCARNATION_SIZE];
    char name[PEER_NAME_SIZE];
    uint64_t lease;
    uint64_t seen; /* loop time of the sweep that first saw this lease */
};

/* Incarnations of which the name, address and key are not known yet. */
struct peers_unknown {
    char incarnations[PEERS_ASKED_MOST][INCARNATION_SIZE];
    size_t count;
};

struct peers {
    struct lease *lease; /* the first (leases.h) */
    void *owner;
    char name[PEER_NAME_SIZE]; /* of this process */
    char key[PEER_KEY_SIZE];   /* others show it, which proves that they can read this Redis */
    struct conn_address listen;
    char address[CONN_ADDRESS_SIZE]; /* where others reach it; empty: not known (yet) */
    bool given;                      /* the address does not depend on the link to Redis */
    bool told;                       /* name, address and key were sent with a lease */
    bool ready;                      /* all others have been looked up once */
    struct peer *all;
    size_t count;
    struct peers_unknown unknown; /* to be looked up */
    struct peers_unknown asking;  /* being looked up */
    /* A process was found. It may be known already, and may have another address now. */
    void (*on_met)(void *owner, const char *name, const struct conn_address *at,
                   const char *key);
    void (*on_lost)(void *owner, const char *name);
    /* All processes in an answer have been passed to on_met. */
    void (*on_ready)(void *owner);
};

/* False: no randomness. */
bool peers_init(struct peers *p, struct lease *lease, void *owner);
void peers_deinit(struct peers *p);
/* Sets where others reach this node: at `given`, or, if that is NULL, where it listens. If it
 * listens at any address, others reach it at the local address of its link to Redis. */
void peers_set_address(struct peers *p, const struct conn_address *listen,
                       const struct conn_address *given);
/* Redis is up. Takes the link's address, and begins to observe the leases again. */
void peers_redis_up(struct peers *p);

/* An answer has this lease; 0: it was given back. */
void peers_see(struct peers *p, struct slice incarnation, uint64_t lease);
/* The answer has no more leases. Nodes not seen for lease-timeout are forgotten, and new ones
 * are looked up. */
void peers_sweep(struct peers *p);
/* Looks for nodes that are not known yet. on_ready follows, unless the link is lost. False:
 * Redis is away. */
bool peers_look(struct peers *p);
/* An incarnation has begun, as lease_events.on_hello says. */
void peers_hello(struct peers *p, struct slice incarnation);

#endif
