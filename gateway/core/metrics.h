#ifndef SLUICE_CORE_METRICS_H
#define SLUICE_CORE_METRICS_H

#include <stdint.h>

/* Counters that only rise: name (sluice_ and _total are added) and help. */
#define METRIC_TABLE(X)                                                                        \
    X(EVENTS, "events", "events from clients")                                                 \
    X(ERRORS, "event_errors", "events answered with an error")                                 \
    X(MESSAGES, "messages", "messages delivered to this node's channels")                      \
    X(DELIVERIES, "deliveries", "messages queued to a connection")                             \
    X(DROPPED_EPHEMERAL, "dropped_ephemeral", "ephemeral events that a full queue dropped")    \
    X(DOORBELL_OLD, "doorbells_old", "published messages that were delivered before")          \
    X(DOORBELL_REFUSED, "doorbells_refused",                                                   \
      "published messages that the log does not confirm")                                      \
    X(DOORBELL_INVALID, "doorbells_invalid", "published texts that are not UTF-8")             \
    X(HEALS, "heals", "channels compared with their log")                                      \
    X(HEALED, "healed_messages", "messages that a heal delivered")                             \
    X(RESETS, "channel_resets", "holes announced to connections")                              \
    X(READS, "log_reads", "pages read from logs")                                              \
    X(READS_SHARED, "log_reads_shared", "pages that served more than one connection")          \
    X(REAPED, "reaped_users", "users taken over from dead nodes")                              \
    X(REDIS_ERRORS, "redis_errors", "commands that Redis answered with an error")              \
    X(REDIS_UPS, "redis_connects", "times that Redis came up")                                 \
    X(RAW_IN, "raw_messages_in", "texts published from raw connections")                       \
    X(RAW_DROPPED, "raw_messages_dropped", "texts of raw connections that were not published") \
    X(RAW_OUT, "raw_deliveries", "texts queued to raw connections")

#define METRIC_ENUM(symbol, name, help) METRIC_##symbol,
enum metric { METRIC_TABLE(METRIC_ENUM) METRIC_COUNT };
#undef METRIC_ENUM

struct metrics {
    uint64_t count[METRIC_COUNT];
};

static inline void metric_add(struct metrics *m, enum metric which, uint64_t n) {
    m->count[which] += n;
}

#endif
