#ifndef SLUICE_NODE_DOMAIN_H
#define SLUICE_NODE_DOMAIN_H

#include "gateway/channel/outbox.h"
#include "gateway/client/goodbye.h"
#include "gateway/client/revocation.h"
#include "gateway/cluster/reaper.h"
#include "gateway/emitters/emitters.h"
#include "gateway/node/stats.h"
#include "gateway/presence/announce.h"
#include "gateway/presence/heard.h"
#include "gateway/presence/membership.h"
#include "gateway/presence/overdue.h"
#include "gateway/presence/raw_users.h"
#include "gateway/presence/sockets.h"
#include "gateway/presence/topics.h"
#include "gateway/session/session.h"
#include "gateway/tap/webhooks.h"

/*
 * The parts of a node's domain, and the events between them. Of some parts there is one for
 * each partition of Redis, as many as `redis` has. A part knows the parts below it,
 * and reaches the others by events, which are wired here. There are no sockets and no framing.
 */
struct domain {
    struct redis redis;
    struct hub hub;
    struct outbox outbox;
    struct leases leases;
    struct reaper reapers[PARTITIONS_MOST];
    struct peers peers;
    struct room_index room_index;
    struct rosters rosters;
    struct announcer announcer;
    struct sockets sockets;
    struct emitters emitters;
    struct overdue overdues[PARTITIONS_MOST];
    struct heard heard;
    struct topics topics;
    struct renewals renewals[PARTITIONS_MOST];
    struct sessions sessions;
    struct clients clients;
    struct goodbyes goodbyes;
    struct raw_users raw_users;
    struct revocation revocations[PARTITIONS_MOST];
    struct stats stats;
    struct webhooks *webhooks; /* the owner's, to hear of Redis */
    struct metrics *metrics;
    unsigned handles;
    unsigned byes; /* partitions that the node has not left yet */
    void (*on_closed)(void *owner);
    void (*on_idle)(void *owner); /* while stopping: no script is under way any more */
    void *owner;
};

/* Returns 0 or a libuv error. redis: copied. The other arguments are borrowed. */
int domain_init(struct domain *d, uv_loop_t *loop, struct net *net,
                const struct options *options, const char *node_id,
                const struct redis_config *redis, void *owner);
void domain_open(struct domain *d);
/* Does what is due. */
void domain_tick(struct domain *d, uint64_t now);
/* The node is about to end. Lingering connections are left to the other nodes, each with the
 * time at which it is due, and so are connections that end from now on. */
void domain_drain(struct domain *d);
/* Gives the lease back. Other nodes reap at once what is left in presence; if there are no
 * other nodes, no connection lingers. done is called in a later turn, or before it returns when
 * Redis is away. */
void domain_bye(struct domain *d, void (*done)(void *owner));
void domain_close(struct domain *d, void (*on_closed)(void *owner));
void domain_deinit(struct domain *d);

#endif
