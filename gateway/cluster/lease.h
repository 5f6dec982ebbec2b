#ifndef SLUICE_CLUSTER_LEASE_H
#define SLUICE_CLUSTER_LEASE_H

#include "gateway/options.h"
#include "gateway/redis/redis.h"

/*
 * The lease of this node in a partition of Redis. It keeps all users of a node online that the
 * partition has, so the cost for Redis grows with the nodes and not with the users. A node has
 * a lease in each partition (leases.h), and they know nothing of each other. Each renewal
 * publishes a beacon that must come back on the subscriber link; so a half-open link is
 * noticed.
 *
 * A lease belongs to an incarnation of the node. The node takes a new incarnation when the
 * entries of the former one in the partition cannot be trusted. Other nodes reap the former
 * one: they take its entries out.
 *
 * Each answer names the leases of all nodes. The layers above use them, and each interval,
 * through lease_events.
 */
#define INCARNATION_SIZE 96

struct lease;
struct lease_events {
    /* This incarnation has its lease. */
    void (*on_leased)(struct lease *l);
    /* An interval is over. Some partition is up, and the renewals were sent (leases.h). */
    void (*on_tick)(void *owner);
    /* The answer has another node's lease. number: 0 if the lease was given back. */
    void (*on_seen)(struct lease *l, struct slice incarnation, uint64_t number);
    /* The answer has no more leases. */
    void (*on_swept)(struct lease *l);
    /* Users of a dead node were reaped, and their rooms are to hear of it. */
    void (*on_reaped)(struct lease *l);
    /* With partitions. Every doorbell of the partition that has rung so far, and that this node
     * listens to, has come; none that comes from now on has a time up to this. */
    void (*on_tide)(struct lease *l, uint64_t time);
    /* Another node has begun an incarnation. */
    void (*on_hello)(struct lease *l, struct slice incarnation);
    /* Redis's clock was set ahead, so keys may have expired. A new incarnation follows. */
    void (*on_clock_ahead)(struct lease *l);
    /* Writes the node's own figures (field, value, ...) to args, at most LEASE_SAYS slices,
     * which stay valid until the next call. Returns their number. */
    size_t (*put_stats)(struct lease *l, struct slice *args);
};
#define LEASE_SAYS 30

struct lease {
    struct partition *redis;
    const struct options *options;
    uv_loop_t *loop;
    const char *node_id;
    const struct lease_events *events;
    void *owner;
    char incarnation[INCARNATION_SIZE];
    char former[INCARNATION_SIZE]; /* given up; others may reap it when all connections are
                                    * registered again; or empty */
    uint64_t former_since;
    bool held;    /* this incarnation has its lease */
    bool asked;   /* a renewal is under way */
    bool doubted; /* see lease_doubt */
    bool stopping;
    uint64_t asked_us;   /* when the renewal was sent, by uv_hrtime */
    unsigned generation; /* counts incarnations */
    unsigned asked_generation;
    struct subscription *beacon_bell;
    uint64_t beacon_seen; /* loop time */
    void (*on_bye)(struct lease *l, bool last);
};

/* The arguments are borrowed. */
void lease_init(struct lease *l, uv_loop_t *loop, struct partition *redis,
                const struct options *options, const char *node_id,
                const struct lease_events *events, void *owner);

static inline uint64_t lease_now(const struct lease *l) {
    return uv_now(l->loop);
}

/* The partition is up. */
void lease_redis_up(struct lease *l);
/* An interval is over: renews the lease. False: the partition is not up. */
bool lease_tick(struct lease *l);
/* Drops the links if the beacon or the subscriber link's answers are late. To be called often,
 * so that a silent link is noticed at once and not with the next lease. */
void lease_watch(struct lease *l);
/* Renews the lease now, since the caller needs the leases in the answer. */
void lease_look(struct lease *l);
/* This incarnation was reaped, or its entries cannot be trusted. Takes a new one, unless the
 * present one does not have its lease yet. */
void lease_renew_incarnation(struct lease *l);
/* An entry of this incarnation could not be taken out. The lease takes a new incarnation with
 * the next interval. */
void lease_doubt(struct lease *l);
/* Other nodes that lost Redis as well have had time to come back, so the former incarnation may
 * be given up. */
bool lease_is_former_due(const struct lease *l);
/* All connections are registered under this incarnation. The entries of the former one are
 * ghosts now, which other nodes may reap. */
void lease_all_entered(struct lease *l);
/* Gives the lease back, so that other nodes reap what is left in presence at once. done is
 * called in a later turn, or before it returns if Redis is away. last: there is no other node.
 */
void lease_bye(struct lease *l, void (*done)(struct lease *l, bool last));

/* Writes node:<incarnation>, the name of its keys. */
#define NODE_KEY_SIZE (INCARNATION_SIZE + 8)
struct slice node_key(const char *incarnation, char out[NODE_KEY_SIZE]);

#endif
