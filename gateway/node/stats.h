#ifndef SLUICE_NODE_STATS_H
#define SLUICE_NODE_STATS_H

#include "gateway/channel/hub.h"
#include "gateway/cluster/peers.h"
#include "gateway/net/net.h"

/*
 * The figures that this node reports with each lease, in the hash {node:<incarnation>}:stats,
 * from which the state of the cluster is shown. Rates, and the longest turn of the loop, are
 * over the time since the last lease.
 */

/* The measured values: symbol, field of the hash. */
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
    const char *address; /* of the port, to be shown */
    uint64_t born;       /* loop time */
    uint64_t at;         /* loop time at which the rates were last taken */
    uint64_t delivered;  /* by then */
    uint64_t events;     /* by then */
    uint64_t value[STAT_COUNT];
    char text[STAT_COUNT][24];
};

/* The arguments are borrowed. */
void stats_init(struct stats *s, const struct net *net, const struct hub *hub,
                const struct peers *peers);
/* Measures, and puts field, value, ... into args, which has room for LEASE_SAYS. They are valid
 * until the next call. ready: clients may be sent to this node. Returns their number. */
size_t stats_put(struct stats *s, bool ready, struct slice *args);

#endif
