#ifndef SLUICE_REDIS_SLOT_MAP_H
#define SLUICE_REDIS_SLOT_MAP_H

#include "gateway/redis/cluster_known.h"
#include "gateway/redis/link.h"

/*
 * Which master of a Cluster has which of the slots that matter to us. It asks the masters
 * (CLUSTER NODES) over the links that the node has to them, one each second in turn, and all at
 * once while something is in doubt. While there is no link to any, it asks whoever answers, of
 * the nodes in the URL and those that became known since (the scout).
 *
 * - Of two masters that claim a slot, the one with the higher epoch has it: so an old master
 *   that is cut off from the others changes nothing.
 * - A master that says MOVED is believed at once, about its own slots.
 * - A lower epoch is believed when the slot's master has been away for 10 s: the Cluster was
 *   made again.
 * - A master that says so itself, or that is away, may be at another address than before.
 * - The answer of a node that has nothing to do with those that are known changes nothing: it
 * is of another Cluster, although a seed, or an address that one of ours had, leads there.
 */
#define SLOT_MAP_MOST 65 /* slots that matter */

struct slot_map;
struct slot_map_events {
    /* The slot with this index has another master. Called in a later turn than slot_map_open.
     */
    void (*on_master)(void *owner, unsigned index, const struct redis_place *at);
    /* Asks one or all masters over their links, whose answers go to slot_map_take. Returns how
     * many were asked. */
    unsigned (*ask)(void *owner, bool all);
};

struct slot_claim {
    unsigned slot;
    bool known;
    struct redis_place at;    /* its master */
    char id[CLUSTER_ID_SIZE]; /* of that; "" if only MOVED told of it */
    uint64_t epoch;
    unsigned replicas;   /* of that master, also those that are away */
    uint64_t down_since; /* loop time since which it cannot be used; 0: it can */
};

struct slot_map {
    uv_loop_t *loop;
    const struct slot_map_events *events;
    void *owner;
    struct slot_claim claims[SLOT_MAP_MOST];
    unsigned count;
    uint64_t asked_at; /* loop time at which all were asked last */
    struct link scout;
    struct redis_address address; /* where the scout goes */
    bool scouting;
    struct cluster_known known; /* where it may go */
    enum cluster_endpoint endpoint;
    enum cluster_endpoint endpoint_before; /* it was asked about last */
    bool useless;    /* the node at which the scout is tells nothing of use */
    unsigned misses; /* nodes that could not be asked since one could */
    char name[160];
    char why[256]; /* why the last one could not be asked */
    uv_timer_t tick;
    unsigned open_parts;
    void (*on_closed)(struct slot_map *m);
};

struct slot_map_config {
    const struct redis_seeds *seeds;
    const struct redis_address *login; /* user, password, tls */
    const char *node;
    uint64_t timeout_ms;
    uint64_t backoff_ms;
};

/* Prepares it; nothing is opened. config is copied, and what it points to. */
void slot_map_init(struct slot_map *m, uv_loop_t *loop, const struct slot_map_config *config,
                   const struct slot_map_events *events, void *owner);
/* Adds a slot that matters, before it is opened. Indexes count from 0. */
void slot_map_add(struct slot_map *m, unsigned slot);
void slot_map_use_tls(struct slot_map *m, SSL_CTX *context);
void slot_map_open(struct slot_map *m);
/* on_closed is called in a later turn. */
void slot_map_close(struct slot_map *m, void (*on_closed)(struct slot_map *m));

/* The text of an answer to CLUSTER NODES by the node at `from`. Calls on_master. False: it is a
 * node of another Cluster. */
bool slot_map_take(struct slot_map *m, struct slice text, const struct redis_place *from);
/* An answer to CLUSTER SLOTS. */
void slot_map_take_slots(struct slot_map *m, const struct reply *slots);
/* The slot's master said that another one has it (MOVED). Calls on_master if it was not known,
 * and asks again. */
void slot_map_moved(struct slot_map *m, unsigned index, const struct redis_place *to);
/* The slot can be used, or cannot: then all masters are asked again. */
void slot_map_settled(struct slot_map *m, unsigned index);
void slot_map_doubt(struct slot_map *m, unsigned index);
/* Something may have changed: all masters are asked again soon. */
void slot_map_ask(struct slot_map *m);

/* Why no master is known; NULL if some are. Valid until the fourth call of log_text from now.
 */
const char *slot_map_trouble(const struct slot_map *m);
/* Writes out what the turn gathered. */
void slot_map_flush(struct slot_map *m);

#endif
