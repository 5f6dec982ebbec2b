#ifndef SLUICE_NODE_STATS_H
#define SLUICE_NODE_STATS_H

#include "gateway/channel/hub.h"
#include "gateway/cluster/peers.h"
#include "gateway/net/net.h"

/*
 * What this node says of itself with each lease, in the hash {node:<incarnation>}:stats, for
 * whoever looks at the cluster. Rates are over the time since the last lease, the longest loop
 * turn too.
 */

/* What is measured: symbol, field of the hash. */
#define STAT_TABLE(X)                                                                          \
    X(READY, "ready")                                                                          \
    X(UPTIME, "uptime_s")                                                                      \
    X(CONNECTIONS, "connections")                                                              \
    X(CHANNELS, "channels")                                                                    \
    X(DELIVERIES, "deliveries_per_second")                                                     \
    X(EVENTS, "events_per_second")                                                             \
    X(LOOP_TURN_MAX, "loop_turn_max_us")                                                       \
    X(QUEUE, "queue_bytes")                                                                    \
    X(RSS, "rss_bytes")
#define STAT_ENUM(symbol, name) STAT_##symbol,
enum stat_kind { STAT_TABLE(STAT_ENUM) STAT_COUNT };
#undef STAT_ENUM

struct stats {
    const struct net *net;
    const struct hub *hub;
    const struct peers *peers; /* this process, and its lease */
    struct metrics *metrics;
    const char *address; /* of the port, for those who look */
    uint64_t born;       /* loop time */
    uint64_t at;         /* loop time of the last rates */
    uint64_t delivered;  /* by then */
    uint64_t events;     /* by then */
    uint64_t value[STAT_COUNT];
    char text[STAT_COUNT][24];
};

/* What is given is borrowed. */
void stats_init(struct stats *s, const struct net *net, const struct hub *hub,
                const struct peers *peers);
/* Measures, and puts field, value, ... into args, LEASE_SAYS of them; they hold until the next
 * call. ready: clients may be sent to this node. Returns how many. */
size_t stats_put(struct stats *s, bool ready, struct slice *args);

#endif
