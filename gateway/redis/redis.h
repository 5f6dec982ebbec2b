#ifndef SLUICE_REDIS_REDIS_H
#define SLUICE_REDIS_REDIS_H

#include "gateway/redis/batch.h"
#include "gateway/redis/masters.h"
#include "gateway/redis/topology.h"

/*
 * Redis as the node sees it: its partitions (partition.h), and the servers that are their
 * masters (server.h). One Redis is one partition on one server.
 *
 * With Sentinels the server goes where the master is, at once when the Sentinels name another
 * one (topology.h). Nothing else changes.
 *
 * A Cluster has a server for each of its masters (masters.h), and its partitions go from one to
 * another as their slots do.
 */
struct redis;

struct redis_events {
    /* As partition_events. Subscriptions are renewed without the owner. After a change of the
     * term, the last messages that were acknowledged in the earlier one may be missing. */
    void (*on_up)(void *owner, struct partition *p, bool changed);
    void (*on_down)(void *owner, struct partition *p, const char *why);
    /* Redis answered a command with an error. The owner counts it; it is logged here. */
    void (*on_error)(void *owner, struct slice text);
    /* The Cluster's nodes use another number of partitions: this one must end. */
    void (*on_disagreed)(void *owner, const char *why);
};

struct redis_config {
    struct redis_address address; /* with Sentinels or a Cluster the host is what they tell */
    struct topology_config sentinels; /* without seeds: the address is the master's, */
    bool cluster;                     /* or the seeds are nodes of a Cluster */
    struct script_constants constants;
    struct server_config servers; /* `scripts` is set here */
    unsigned partitions;          /* 1 for one Redis */
};

#define PARTITIONS_MOST 64

struct redis {
    struct redis_config config;
    const struct redis_events *events;
    void *owner;
    uv_loop_t *loop;
    struct scripts scripts;
    struct server server;       /* not with a Cluster */
    struct topology topology;   /* with Sentinels */
    struct masters masters;     /* with a Cluster */
    struct subscriptions plain; /* with a Cluster: channels that are in no partition */
    struct subscriptions patterns;
    struct partition partitions[PARTITIONS_MOST];
    unsigned count; /* of partitions */
    unsigned up;    /* how many of them are up */
    bool begun;     /* all were up, or the first one has been up for 2 s: the node may serve */
    uint64_t first_up; /* loop time at which the first one came up; 0: none has yet */
    unsigned open_parts;
    void (*on_closed)(void *owner);
};

static inline bool redis_has_sentinels(const struct redis *r) {
    return r->config.sentinels.seeds.master[0] != '\0';
}
static inline bool redis_is_cluster(const struct redis *r) {
    return r->config.cluster;
}

/* Prepares it. config is copied, but not the texts. Returns 0 or a libuv error. */
int redis_init(struct redis *r, uv_loop_t *loop, const struct redis_config *config,
               const struct redis_events *events, void *owner);
/* From their next connection on, the links speak TLS with this context, which stays the
 * caller's; NULL: plain. Called at the start, too. */
void redis_use_tls(struct redis *r, SSL_CTX *context);
/* Connects, and keeps trying for ever. */
void redis_open(struct redis *r);
/* Closes Redis for good. on_closed comes in a later turn; all subscriptions must be gone by
 * then. */
void redis_close(struct redis *r, void (*on_closed)(void *owner));
void redis_deinit(struct redis *r);

/* The partition in which a channel's keys are. Names of other keys (node:..., sio:...) are
 * placed in the same way, if the caller does not choose a partition itself. */
struct partition *redis_partition(struct redis *r, struct slice name);
static inline struct partition *redis_at(struct redis *r, unsigned index) {
    return &r->partitions[index];
}
/* Is any partition up? */
static inline bool redis_any_up(const struct redis *r) {
    return r->up > 0;
}

/* The servers: one, or the masters of a Cluster. */
unsigned redis_servers(const struct redis *r);
const struct server *redis_server(const struct redis *r, unsigned i);

/* Writes out the commands that the turn gathered, and drops links that are too slow to come up.
 * Called once a turn; there is at least one turn a second. */
void redis_flush(struct redis *r);

#endif
