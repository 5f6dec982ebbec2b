#ifndef SLUICE_NODE_DOMAIN_H
#define SLUICE_NODE_DOMAIN_H

#include "gateway/client/client.h"
#include "gateway/cluster/reaper.h"
#include "gateway/node/stats.h"
#include "gateway/presence/announce.h"
#include "gateway/presence/overdue.h"
#include "gateway/session/session.h"

/*
 * The parts of the domain of one node, and who hears of whom: a part knows those below it, and
 * tells the others by events, which are wired here. No sockets, no framing.
 */
struct domain {
    struct redis redis;
    struct hub hub;
    struct lease lease;
    struct reaper reaper;
    struct peers peers;
    struct room_index room_index;
    struct rosters rosters;
    struct announcer announcer;
    struct overdue overdue;
    struct sessions sessions;
    struct clients clients;
    struct stats stats;
    struct metrics *metrics;
    unsigned handles;
    void (*on_closed)(void *owner);
    void (*on_idle)(void *owner); /* while stopping: no script is on its way any more */
    void *owner;
};

/* Returns 0 or a libuv error. redis: where and how; copied. The rest is borrowed. */
int domain_init(struct domain *d, uv_loop_t *loop, struct net *net,
                const struct options *options, const char *node_id,
                const struct redis_config *redis, void *owner);
void domain_open(struct domain *d);
/* Does what is due. */
void domain_tick(struct domain *d, uint64_t now);
/* The node is about to go: connections that linger are left to the other nodes, each with the
 * time that it is due, and so are those that end from now on. */
void domain_drain(struct domain *d);
/* Gives the lease back; what is left in presence is reaped by other nodes at once. If there
 * are none, nobody lingers. done in a later turn, or before it returns when Redis is away. */
void domain_bye(struct domain *d, void (*done)(void *owner));
void domain_close(struct domain *d, void (*on_closed)(void *owner));
void domain_deinit(struct domain *d);

#endif
