#ifndef SLUICE_CLUSTER_LEASE_H
#define SLUICE_CLUSTER_LEASE_H

#include <uv.h>

#include "gateway/options.h"
#include "gateway/redis/redis.h"

/*
 * The lease of this node. One lease a node keeps its users online, so that liveness costs Redis
 * as much as there are nodes, however many users there are. Each renewal carries a beacon that
 * must come back on the subscriber link: so a half-open link is found.
 *
 * A lease is an incarnation's. The node takes a new incarnation whenever what Redis has of the
 * former one cannot be trusted; others reap the former one.
 *
 * Each answer names the leases of all nodes. What is made of them, and of each interval, is the
 * business of those above, by lease_events.
 */
#define INCARNATION_SIZE 96

struct lease_events {
    /* This incarnation has its lease. */
    void (*on_leased)(void *owner);
    /* An interval is over, Redis is up, and the renewal is on its way. */
    void (*on_tick)(void *owner);
    /* Another node's lease, as the answer has it; 0: it was given back. */
    void (*on_seen)(void *owner, struct slice incarnation, uint64_t number);
    /* All of the answer has been seen. */
    void (*on_swept)(void *owner);
    /* Another node says that it has begun an incarnation. */
    void (*on_hello)(void *owner, struct slice incarnation);
    /* Redis's clock was set ahead: what expires may be gone. A new incarnation follows. */
    void (*on_clock_ahead)(void *owner);
    /* Puts what the node says of itself, field, value, ..., into args, at most LEASE_SAYS; they
     * hold until the next call. Returns how many. */
    size_t (*put_stats)(void *owner, struct slice *args);
};
#define LEASE_SAYS 30

struct lease {
    struct redis *redis;
    const struct options *options;
    uv_loop_t *loop;
    const char *node_id;
    const struct lease_events *events;
    void *owner;
    char incarnation[INCARNATION_SIZE];
    char former[INCARNATION_SIZE]; /* given up: others may reap it once all are registered again
                                    */
    uint64_t former_since;
    bool held; /* the lease of this incarnation */
    bool asked;
    bool doubted; /* see lease_doubt */
    bool stopping;
    uint64_t asked_us;   /* of uv_hrtime */
    unsigned generation; /* of incarnations */
    unsigned asked_generation;
    struct subscription *beacon_bell;
    uint64_t beacon_seen; /* loop time */
    uv_timer_t timer;
    void (*on_bye)(void *owner, bool last);
};

/* What is given is borrowed. Returns 0 or a libuv error. */
int lease_init(struct lease *l, uv_loop_t *loop, struct redis *redis,
               const struct options *options, const char *node_id,
               const struct lease_events *events, void *owner);
void lease_close(struct lease *l, uv_close_cb on_closed);

static inline uint64_t lease_now(const struct lease *l) {
    return uv_now(l->loop);
}

void lease_redis_up(struct lease *l);
/* Drops the links if the beacon or the subscriber link's answers are late. Called often, so
 * that a silent link is noticed when its time is over and not with the next lease. */
void lease_watch(struct lease *l);
/* Renews the lease now, for its answer: who is there. */
void lease_look(struct lease *l);
/* This incarnation was reaped, or its entries cannot be trusted: takes a new one. Does nothing
 * while a new one is on its way. */
void lease_renew_incarnation(struct lease *l);
/* Some entry of this incarnation could not be taken out: with the next interval it is left
 * behind. */
void lease_doubt(struct lease *l);
/* All are registered under this incarnation: what is left of the former one are ghosts, which
 * others may reap. */
void lease_all_entered(struct lease *l);
/* Gives the lease back: what is left in presence is reaped by other nodes at once. last: there
 * are no other nodes. done in a later turn, or before it returns when Redis is away. */
void lease_bye(struct lease *l, void (*done)(void *owner, bool last));

/* node:<incarnation>, the name of its keys. */
#define NODE_KEY_SIZE (INCARNATION_SIZE + 8)
struct slice node_key(const char *incarnation, char out[NODE_KEY_SIZE]);

#endif
