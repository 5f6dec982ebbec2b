#ifndef SLUICE_PRESENCE_RAW_USERS_H
#define SLUICE_PRESENCE_RAW_USERS_H

#include "gateway/auth/identity.h"
#include "gateway/cluster/leases.h"
#include "gateway/net/conn_address.h"

/*
 * The raw connections of users in Redis (`sluice:{user:42}:raw`), so that they count for
 * max-connections-per-user in the whole cluster. They are no presence: nobody is online by
 * them. Only connections with a token are here.
 *
 * An entry names the incarnation of its node, and counts as long as that lives. So a node that
 * dies leaves nothing that counts. Under a new incarnation all connections of its partition are
 * written again.
 * As in the registry, each connection has at most one script under way.
 */
struct raw_user;

/* RAW_AWAY: Redis cannot be asked. */
enum raw_entered { RAW_ENTERED, RAW_REVOKED, RAW_TOO_MANY, RAW_AWAY };

struct raw_user_ops {
    /* How raw_user_enter ended; once, in a later turn, unless raw_user_leave came before. */
    void (*entered)(struct raw_user *u, enum raw_entered how);
    /* Its token was found to be revoked when it was written again. */
    void (*revoked)(struct raw_user *u);
    /* The last call: free it. */
    void (*free)(struct raw_user *u);
};

/* Those of a partition that are to be written under its incarnation, when that has its lease.
 */
struct raw_again {
    struct list waiting; /* raw_user.link */
    unsigned under_way;
};

struct raw_users {
    struct leases *leases;
    const struct options *options;
    const char *birth; /* the last part of each connection's id */
    const struct raw_user_ops *ops;
    uint64_t last;   /* the number that was given last */
    struct list all; /* raw_user.link: those that are written, or under way */
    struct raw_again again[PARTITIONS_MOST];
};

struct raw_user {
    struct raw_users *all;
    struct list link;
    struct identity *who; /* the owner's reference */
    struct slice channel; /* the owner's */
    struct conn_address address;
    uint64_t number;
    unsigned asked_generation; /* of the incarnation for which its script is under way */
    bool entering : 1;         /* `entered` is still to be called */
    bool wanted : 1;
    bool in : 1;        /* it is written, as far as Redis has answered */
    bool busy : 1;      /* a script is under way */
    bool rewriting : 1; /* counted in raw_again.under_way */
};

/* The arguments are borrowed. */
void raw_users_init(struct raw_users *all, struct leases *leases, const struct options *options,
                    const char *birth);

#define RAW_ID_SIZE 48
/* A number for a connection that is still to come, and the id of the one with that number. */
uint64_t raw_users_number(struct raw_users *all);
struct slice raw_users_id(const struct raw_users *all, uint64_t number, char out[RAW_ID_SIZE]);

/* Writes a connection, unless its token is revoked or the user has too many; if the incarnation
 * has no lease yet, once it has. The owner has zeroed u and set who, channel and address,
 * and the number if it has got one.
 * Returns false if Redis cannot be asked; then u was not used. */
bool raw_user_enter(struct raw_users *all, struct raw_user *u);
/* The connection is over, or it was not let in. Calls `free`, now or when the script under way
 * has ended. */
void raw_user_leave(struct raw_user *u);

/* This incarnation has its lease. All connections of the partition are written again. */
void raw_users_renew(struct raw_users *all, struct lease *l);
/* Redis is away. Connections that are not let in yet, and have not been written, are told. */
void raw_users_redis_down(struct raw_users *all, const struct partition *p);
/* Goes on to write those that wait for it, a bounded number at a time. */
void raw_users_pump(struct raw_users *all);

#endif
