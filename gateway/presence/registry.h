#ifndef SLUICE_PRESENCE_REGISTRY_H
#define SLUICE_PRESENCE_REGISTRY_H

#include "common/wheel.h"
#include "gateway/channel/name.h"
#include "gateway/channel/subscriber.h"
#include "gateway/cluster/leases.h"

/*
 * The online registry in Redis has the connections of all nodes. This part registers those of
 * this node.
 *
 * For each connection, the state that is wanted and the state that Redis has answered are kept
 * apart. Each connection has at most one script under way, because two could overtake each
 * other after a SCRIPT FLUSH. An answer counts only for the incarnation for which its script
 * was sent. Under a new incarnation, all connections are registered again whose users' keys are
 * in its partition.
 *
 * A connection may end while its partition is away. If the partition loses that connection's
 * entry, no other node would announce that the user went. So such connections are kept here,
 * and told about before the former incarnation is given up, if the partition comes up with
 * another term.
 *
 * A connection that is over stays registered for the linger time. While the node runs, the
 * connection waits here. When the node drains, Redis is told when the time is over (overdue.h).
 */
struct registration;

/* A user's display name and role, as a login gave them. */
struct profile {
    struct name username;
    struct name role;
};

/* TOO_MANY: the user would be in too many rooms. FULL: the user has too many connections.
 * REVOKED: the user's token is no good any more. Then the connection is no longer `wanted`. */
enum entered { ENTERED, ENTERED_TOO_MANY, ENTERED_FULL, ENTERED_REVOKED, ENTERED_NOT };

/* A login that waits until its connection is registered. */
struct entering {
    struct slice room; /* the room that it enters first, or empty */
    /* Writes the names of all rooms that it enters to `out`, unless that is NULL. Returns their
     * number. */
    size_t (*rooms)(const struct entering *e, struct slice *out);
    /* Called once; registration.entering is NULL by then. */
    void (*done)(struct registration *g, enum entered how);
    struct list link; /* in registry.awaited */
    struct registration *registration;
};

/* A connection as the registry knows it: a subscriber that may have a user. struct client
 * begins with a struct registration. */
struct registration {
    struct subscriber as;
    struct entering *entering; /* NULL: no login waits */
    struct profile *profile;   /* owned; NULL: username and role are the defaults */
    /* In registry.beaten: the user's score is due (heartbeat.h). Or in reentry.waiting: it is
     * to be registered, which writes the score, too. */
    struct list due;
    /* The deadline of its login, then the end of its heartbeat's time, then that of lingering.
     */
    struct wheel_timer timer;
    uint64_t heard; /* loop time of the last event; when the connection is gone, of its end */
    uint64_t came;  /* when it was last registered, or not long before: Redis's time in ms */
    uint32_t asked_generation; /* of the incarnation for which its script is under way */
    bool beating : 1;          /* it has sent a heartbeat, so it must go on to send them */
    bool wanted : 1;           /* it should be registered */
    bool in : 1;               /* it is registered, as far as Redis has answered */
    bool busy : 1;             /* a script is under way */
    bool doubtful : 1;         /* it may be registered: the script has had no answer */
    bool waits : 1;            /* in reentry.waiting */
    bool reentering : 1;       /* counted in reentry.under_way */
};

struct hub;
struct registry_events {
    /* The connection has just been registered. */
    void (*on_registered)(void *owner, struct registration *g);
    /* A user came online or went offline in so many rooms that some still wait for it
     * (overdue_turn). */
    void (*on_turning)(void *owner, struct lease *l);
    /* Called for each connection in turn, once in score-interval. */
    void (*on_visited)(void *owner, struct registration *g);
    /* The connection's token was revoked. It is not registered, and no login waits. */
    void (*on_revoked)(void *owner, struct registration *g);
    /* When the connection's token was issued, for online.lua. */
    struct slice (*issued)(void *owner, const struct registration *g, char out[DIGITS_SIZE]);
};

/* Connections of a partition that are to be registered under its incarnation; and those that
 * ended under the former one, when the partition could not be told. */
struct reentry {
    struct list waiting; /* registration.due */
    unsigned under_way;
    struct list gone; /* subscriber.link; each is a reference */
    bool lost;        /* the partition has come up with another term, so it may lack these */
    unsigned telling; /* scripts under way about some that were there */
};

/* struct clients begins with it. */
struct registry {
    struct subscribers all; /* logged in or not; each is a registration */
    struct leases *leases;
    const struct options *options;
    struct hub *hub;     /* to find the user's other connections; or NULL */
    struct wheel *wheel; /* for the registrations' timers */
    const struct registry_events *events;
    void *owner;
    struct list beaten;
    struct reentry reentries[PARTITIONS_MOST];
    struct list lingering; /* connections that are over, registered for the linger time */
    struct list awaited;   /* entering.link: the logins that wait */
    bool draining;
    bool closed;
};

/* The arguments are borrowed. The caller initializes `all`. */
void registry_init(struct registry *r, struct leases *leases, const struct options *options,
                   struct wheel *wheel, const struct registry_events *events, void *owner);
void registration_init(struct registration *g);

static inline struct registration *registration_of(const struct subscriber *s) {
    return container_of(s, struct registration, as);
}
/* The registration with this link in registry.all or registry.lingering. */
static inline struct registration *registration_at(const struct list *link) {
    return registration_of(container_of(link, struct subscriber, link));
}
static inline struct registry *registry_of(const struct registration *g) {
    return container_of(g->as.all, struct registry, all);
}

/* A login waits from now on. The caller owns *e, and has set its first three members. */
void registry_await(struct registration *g, struct entering *e);
/* No login waits any more; its `done` is not called. */
void registry_abandon(struct registration *g);

/* Says whether the connection should be in the registry. Scripts are sent when Redis takes
 * them.
 */
void registry_want(struct registration *g, bool in);
/* The connection is over. It leaves the registry at once or after the linger time, and may hold
 * a reference to itself until then. */
void registry_leave(struct registration *g);
/* The linger time of a connection is over. May free it. */
void registry_lingered(struct registration *g);

/* A partition is up. changed: with another term. */
void registry_redis_up(struct registry *r, const struct partition *p, bool changed);
/* A partition is down. Logins that wait for its registry fail. */
void registry_redis_down(struct registry *r, const struct partition *p);
/* This incarnation has its lease. All connections of the partition are registered again. */
void registry_reenter(struct registry *r, struct lease *l);
/* Goes on to register the connections that wait for it, a bounded number at a time. */
void registry_pump(struct registry *r);
/* The node drains. Redis is told of each lingering connection and when it is due, so that other
 * nodes take it out. The same is done for connections that end later. */
void registry_drain(struct registry *r);
/* The node closes. Frees the connections that linger, or were not told of, without a script. */
void registry_close(struct registry *r);

#endif
