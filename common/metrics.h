#ifndef SLUICE_COMMON_METRICS_H
#define SLUICE_COMMON_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/event.h"

/*
 * The metrics of a node, in two tables: METRIC_TABLE has counters and gauges, HISTOGRAM_TABLE
 * has times. All layers add to one struct metrics; /metrics prints the tables. A family with
 * labels has one slot for each of its label sets, and all of them are shown from the start.
 */

/* --- label sets -----------------------------------------------------------------------------
 */

/* The protocols of connections. A connection speaks HTTP until it is upgraded; a new door gets
 * a row here. The last row is not for clients, but for connections that this node opened to
 * others. */
#define DOOR_TABLE(X)                                                                          \
    X(DOOR_JSON, "json")                                                                       \
    X(DOOR_RAW, "raw")                                                                         \
    X(DOOR_SIO, "socketio")                                                                    \
    X(DOOR_HTTP, "http")                                                                       \
    X(DOOR_PEER, "peer")
#define DOOR_ENUM(symbol, name) symbol,
enum door_kind { DOOR_TABLE(DOOR_ENUM) DOOR_COUNT };
#undef DOOR_ENUM

/* The carriers of a Socket.IO session. */
#define TRANSPORT_TABLE(X)                                                                     \
    X(TRANSPORT_POLLING, "polling")                                                            \
    X(TRANSPORT_WEBSOCKET, "websocket")
#define TRANSPORT_ENUM(symbol, name) symbol,
enum transport { TRANSPORT_TABLE(TRANSPORT_ENUM) TRANSPORT_COUNT };
#undef TRANSPORT_ENUM

/* The codes of closes that the server begins. */
#define CLOSE_TABLE(X)                                                                         \
    X(1002)                                                                                    \
    X(1003) X(1007) X(1008) X(1009) X(1011) X(1012) X(1013) X(4000) X(4401) X(4403) X(4408)
#define CLOSE_ENUM(code) CLOSE_##code,
enum close_slot { CLOSE_TABLE(CLOSE_ENUM) CLOSE_COUNT };
#undef CLOSE_ENUM

/* Messages that were not delivered: class and reason. */
#define DROP_TABLE(X)                                                                          \
    X(DROP_EPHEMERAL, "ephemeral", "queue_full")                                               \
    X(DROP_SLOW, "message", "queue_full") /* and its connection closed, 1013 */                \
    X(DROP_OLD, "message", "old") /* a doorbell for a message that was delivered before */     \
    X(DROP_UNCONFIRMED, "message", "unconfirmed")   /* a doorbell that the log denies */       \
    X(DROP_NOT_UTF8, "message", "not_utf8")         /* a published text */                     \
    X(DROP_NOT_WRITABLE, "message", "not_writable") /* sent to a raw channel without w */      \
    X(DROP_REDIS_AWAY, "message", "redis_away")     /* sent to a raw channel */                \
    X(DROP_NO_MEMORY, "message", "no_memory")
#define DROP_ENUM(symbol, class, reason) symbol,
enum drop { DROP_TABLE(DROP_ENUM) DROP_COUNT };
#undef DROP_ENUM

/* The results when a client that was cut off asked to be recovered. */
#define RECOVERY_TABLE(X)                                                                      \
    X(RECOVERY_DONE, "recovered")                                                              \
    X(RECOVERY_NOT, "not_recovered")
#define RECOVERY_ENUM(symbol, name) symbol,
enum recovery_result { RECOVERY_TABLE(RECOVERY_ENUM) RECOVERY_COUNT };
#undef RECOVERY_ENUM

/* The results of requests for a Socket.IO session of another node. */
#define HANDOVER_TABLE(X)                                                                      \
    X(HANDOVER_ANSWERED, "answered")   /* by that node */                                      \
    X(HANDOVER_TUNNELLED, "tunnelled") /* an upgrade */                                        \
    X(HANDOVER_FAILED, "failed")       /* it was not reached, or ended without an answer */    \
    X(HANDOVER_UNKNOWN, "unknown")     /* there is no such node, or not any more */            \
    X(HANDOVER_GIVEN_UP, "given_up")   /* by the client */                                     \
    X(HANDOVER_RELEASED, "released")   /* by this node, which drains */
#define HANDOVER_ENUM(symbol, name) symbol,
enum handover { HANDOVER_TABLE(HANDOVER_ENUM) HANDOVER_COUNT };
#undef HANDOVER_ENUM

/* The limits on what clients may do, by the name of the option, if there is one. */
#define LIMIT_TABLE(X)                                                                         \
    X(LIMIT_LOGIN_DEADLINE, "login-deadline")           /* a connection was closed */          \
    X(LIMIT_BEFORE_LOGIN, "message-before-login")       /* a connection was closed */          \
    X(LIMIT_RATE, "rate-limit")                         /* an event was refused */             \
    X(LIMIT_PER_ADDRESS, "max-connections-per-address") /* a connection was refused */         \
    X(LIMIT_PER_USER, "max-connections-per-user")       /* a login was refused */              \
    X(LIMIT_ROOMS, "max-rooms")                         /* a login or a join was refused */    \
    X(LIMIT_ACCEPT_RATE, "accept-rate")                 /* a handshake was refused */          \
    X(LIMIT_MEMORY, "memory-limit")                     /* a client was closed or refused */   \
    X(LIMIT_LOG_BYTES, "log-bytes")                     /* an append took old entries out */
#define LIMIT_ENUM(symbol, name) symbol,
enum limit { LIMIT_TABLE(LIMIT_ENUM) LIMIT_COUNT };
#undef LIMIT_ENUM
/* How TLS handshakes of clients ended. */
#define TLS_TABLE(X)                                                                           \
    X(TLS_DONE, "done")                                                                        \
    X(TLS_RESUMED, "resumed")               /* of a session that there was before */           \
    X(TLS_HTTP, "http")                     /* plain HTTP came */                              \
    X(TLS_VERSION, "version")               /* too old a version, or not TLS at all */         \
    X(TLS_NOTHING_SHARED, "nothing_shared") /* no cipher or protocol that both know */         \
    X(TLS_CERTIFICATE, "certificate")       /* the client's is missing or was refused */       \
    X(TLS_ALERT, "alert")                   /* the client refused, ours for example */         \
    X(TLS_BROKEN, "broken")                 /* against the protocol */                         \
    X(TLS_HUNG_UP, "hung_up")               /* by the client */                                \
    X(TLS_LATE, "late") /* given up here: it took too long, or there was no room */            \
    X(TLS_NO_MEMORY, "no_memory")
#define TLS_ENUM(symbol, name) symbol,
enum tls_handshake { TLS_TABLE(TLS_ENUM) TLS_COUNT };
#undef TLS_ENUM

/* The uses of memory that is held. */
#define HELD_TABLE(X)                                                                          \
    X(HELD_QUEUES, "queues")     /* slabs: bytes that wait to be sent, shared or not */        \
    X(HELD_MESSAGES, "messages") /* WebSocket messages whose end has not come */               \
    X(HELD_REQUESTS, "requests") /* HTTP requests, until they are answered */                  \
    X(HELD_EVENTS, "events")     /* events of clients that wait for the one in flight */       \
    X(HELD_CHUNKS, "chunks")     /* message_chunk events that are not whole */                 \
    X(HELD_REDIS, "redis")       /* commands that Redis has not answered */                    \
    X(HELD_TLS, "tls")           /* all that OpenSSL holds */
#define HELD_ENUM(symbol, name) symbol,
enum held { HELD_TABLE(HELD_ENUM) HELD_COUNT };
#undef HELD_ENUM

/* What the back end is asked or told by a POST: the `type` of its body. */
#define HOOK_TABLE(X)                                                                          \
    X(HOOK_CONNECT, "connect")                                                                 \
    X(HOOK_EVENT, "event")                                                                     \
    X(HOOK_DISCONNECT, "disconnect")                                                           \
    X(HOOK_SUBSCRIBE, "subscribe")                                                             \
    X(HOOK_PUBLISH, "publish")                                                                 \
    X(HOOK_WEBHOOK, "webhook")
#define HOOK_ENUM(symbol, name) symbol,
enum hook_type { HOOK_TABLE(HOOK_ENUM) HOOK_COUNT };
#undef HOOK_ENUM

/* How such a call ended. `of` goes to each row. */
#define HOOK_END_TABLE(X, of)                                                                  \
    X(of, HOOK_END_GOOD, "good")                                                               \
    X(of, HOOK_END_ERROR, "error")       /* a 4xx that says why */                             \
    X(of, HOOK_END_STATUS, "status")     /* another status */                                  \
    X(of, HOOK_END_BODY, "body")         /* no JSON object, or too long */                     \
    X(of, HOOK_END_CUT, "cut")           /* sent, and the connection ended */                  \
    X(of, HOOK_END_TIMEOUT, "timeout")   /* sent, and no answer came in time */                \
    X(of, HOOK_END_CONNECT, "connect")   /* not connected: a name, a certificate, a port */    \
    X(of, HOOK_END_WAITED, "waited")     /* its time was over before it was its turn */        \
    X(of, HOOK_END_FULL, "full")         /* too many waited */                                 \
    X(of, HOOK_END_CIRCUIT, "circuit")   /* the circuit of its URL was open */                 \
    X(of, HOOK_END_GIVEN_UP, "given_up") /* by this node: its client has gone */               \
    X(of, HOOK_END_NO_MEMORY, "no_memory")
#define HOOK_END_ENUM(of, symbol, name) symbol,
enum hook_end { HOOK_END_TABLE(HOOK_END_ENUM, ) HOOK_END_COUNT };
#undef HOOK_END_ENUM

/* Slots of each set; common/metrics.c has their labels. */
enum metric_slots {
    SLOTS_none = 1,
    SLOTS_version = 1,
    SLOTS_door = DOOR_COUNT,
    SLOTS_transport = TRANSPORT_COUNT,
    SLOTS_handshake = DOOR_COUNT * 2, /* accepted, refused */
    SLOTS_event = EVENT_COUNT + 2,    /* the last two: of the map, unknown */
    SLOTS_code = ERR_COUNT - 1,       /* without ERR_OK */
    SLOTS_close = CLOSE_COUNT,
    SLOTS_drop = DROP_COUNT,
    SLOTS_recovery = RECOVERY_COUNT,
    SLOTS_handover = HANDOVER_COUNT,
    SLOTS_limit = LIMIT_COUNT,
    SLOTS_tls = TLS_COUNT,
    SLOTS_hook = HOOK_COUNT * HOOK_END_COUNT,
    SLOTS_held = HELD_COUNT
};

/* --- the tables -----------------------------------------------------------------------------
 */

/* Symbol, label set, type, unit (of what a slot holds), name, help. Gauges, and counters of the
 * operating system, are filled in when they are read (gateway/node/metrics_page.c). LEAST and
 * MOST are gauges of which several processes together have the lowest or the highest value; of
 * other types they have the sum. */
#define METRIC_TABLE(X)                                                                        \
    X(CONNECTIONS, door, GAUGE, ONE, "sluice_connections",                                     \
      "Open TCP connections by door; http: not upgraded")                                      \
    X(SIO_SESSIONS, transport, GAUGE, ONE, "sluice_socketio_sessions",                         \
      "Socket.IO sessions by what carries them")                                               \
    X(SIO_SOCKETS, none, GAUGE, ONE, "sluice_socketio_sockets",                                \
      "Namespaces that Socket.IO sessions have joined, of all sessions")                       \
    X(USERS, none, GAUGE, ONE, "sluice_users", "Connections that are logged in")               \
    X(CHANNELS, none, GAUGE, ONE, "sluice_channels",                                           \
      "Channels that the node is subscribed to")                                               \
    X(CHANNELS_BEHIND, none, GAUGE, ONE, "sluice_channels_behind",                             \
      "Channels whose subscription or log is not caught up with yet")                          \
    X(SUBSCRIPTIONS, none, GAUGE, ONE, "sluice_subscriptions",                                 \
      "Memberships of connections in channels")                                                \
    X(QUEUE_BYTES, none, GAUGE, BYTES, "sluice_queue_bytes",                                   \
      "Bytes that wait to be sent to connections")                                             \
    X(HELD, held, GAUGE, BYTES, "sluice_held_bytes", "Memory that is held, by use")            \
    X(MEMORY, none, GAUGE, BYTES, "sluice_memory_bytes",                                       \
      "Memory that the node holds, by its own account")                                        \
    X(MEMORY_LIMIT, none, GAUGE, BYTES, "sluice_memory_limit_bytes",                           \
      "The most memory that the node holds before it closes connections")                      \
    X(TUNNELS, none, GAUGE, ONE, "sluice_tunnels",                                             \
      "WebSockets here of Socket.IO sessions of other nodes")                                  \
    X(REDIS_UP, none, LEAST, ONE, "sluice_redis_up", "1 while commands reach Redis")           \
    X(PARTITIONS, none, MOST, ONE, "sluice_redis_partitions",                                  \
      "Partitions of Redis (1 without a Cluster)")                                             \
    X(PARTITIONS_DOWN, none, MOST, ONE, "sluice_redis_partitions_down",                        \
      "Partitions of these without a master that can be used")                                 \
    X(REDIS_EVICTS, none, MOST, ONE, "sluice_redis_evicts",                                    \
      "1 while Redis may evict messages (its maxmemory-policy is not noeviction)")             \
    X(SENTINELS, none, MOST, ONE, "sluice_sentinels",                                          \
      "Sentinels that are known, from redis-url or from each other")                           \
    X(SENTINELS_UP, none, LEAST, ONE, "sluice_sentinels_answering",                            \
      "Sentinels of these that answer and know the master")                                    \
    X(REDIS_PENDING, none, GAUGE, ONE, "sluice_redis_pending_commands",                        \
      "Commands that Redis has not answered yet")                                              \
    X(REDIS_BACKLOG, none, GAUGE, BYTES, "sluice_redis_backlog_bytes",                         \
      "Bytes of commands that Redis has not taken yet")                                        \
    X(READY, none, LEAST, ONE, "sluice_ready", "1 while /readyz answers 200")                  \
    X(MAX_CONNECTIONS, none, GAUGE, ONE, "sluice_max_connections",                             \
      "The most connections that the node takes")                                              \
    X(TLS_EXPIRES, none, LEAST, ONE, "sluice_tls_certificate_expires_seconds",                 \
      "When the certificate expires, since the epoch; 0: no TLS here")                         \
    X(BUILD_INFO, version, MOST, ONE, "sluice_build_info", "Always 1; the version")            \
    X(RESIDENT, none, GAUGE, BYTES, "process_resident_memory_bytes", "Resident memory")        \
    X(CPU, none, COUNTER, MICROSECONDS, "process_cpu_seconds_total",                           \
      "CPU time, user and system")                                                             \
    X(OPEN_FDS, none, GAUGE, ONE, "process_open_fds", "Open file descriptors")                 \
    X(MAX_FDS, none, GAUGE, ONE, "process_max_fds",                                            \
      "The most file descriptors that may be open")                                            \
    X(START_TIME, none, LEAST, MICROSECONDS, "process_start_time_seconds",                     \
      "When the process started, since the epoch")                                             \
    X(HANDSHAKES, handshake, COUNTER, ONE, "sluice_handshakes_total",                          \
      "Upgrades asked for by door and result; http: TCP connections")                          \
    X(TLS_HANDSHAKES, tls, COUNTER, ONE, "sluice_tls_handshakes_total",                        \
      "TLS handshakes with clients by result")                                                 \
    X(RECEIVED_MESSAGES, door, COUNTER, ONE, "sluice_received_messages_total",                 \
      "Messages from connections; http: requests")                                             \
    X(RECEIVED_BYTES, door, COUNTER, BYTES, "sluice_received_bytes_total",                     \
      "Bytes read from sockets; under TLS, what they say")                                     \
    X(SENT_MESSAGES, door, COUNTER, ONE, "sluice_sent_messages_total",                         \
      "Messages queued to connections; http: answers")                                         \
    X(SENT_BYTES, none, COUNTER, BYTES, "sluice_sent_bytes_total",                             \
      "Bytes written to sockets; under TLS, what they say")                                    \
    X(DEFLATED, none, COUNTER, ONE, "sluice_deflated_messages_total",                          \
      "Messages that were compressed, each once for all connections")                          \
    X(DEFLATED_PLAIN, none, COUNTER, BYTES, "sluice_deflated_plain_bytes_total",               \
      "Bytes of these before")                                                                 \
    X(DEFLATED_PACKED, none, COUNTER, BYTES, "sluice_deflated_packed_bytes_total",             \
      "Bytes of these after; as before where nothing was saved")                               \
    X(INFLATED, none, COUNTER, ONE, "sluice_inflated_messages_total",                          \
      "Compressed messages from connections")                                                  \
    X(INFLATED_PACKED, none, COUNTER, BYTES, "sluice_inflated_packed_bytes_total",             \
      "Bytes of these as they came")                                                           \
    X(INFLATED_PLAIN, none, COUNTER, BYTES, "sluice_inflated_plain_bytes_total",               \
      "Bytes of these inflated")                                                               \
    X(EVENTS, event, COUNTER, ONE, "sluice_events_total", "Events from clients")               \
    X(ERRORS, code, COUNTER, ONE, "sluice_errors_total", "Error answers to clients")           \
    X(CLOSES, close, COUNTER, ONE, "sluice_closes_total",                                      \
      "WebSocket closes that the server began, by close code")                                 \
    X(LIMITED, limit, COUNTER, ONE, "sluice_limited_total",                                    \
      "Times that a limit was reached, by limit")                                              \
    X(MESSAGES, none, COUNTER, ONE, "sluice_messages_total",                                   \
      "Messages delivered to this node's channels")                                            \
    X(DELIVERIES, none, COUNTER, ONE, "sluice_deliveries_total",                               \
      "Messages of channels queued to a connection")                                           \
    X(DROPPED, drop, COUNTER, ONE, "sluice_dropped_total",                                     \
      "Messages that were not delivered, by class and reason")                                 \
    X(HANDOVERS, handover, COUNTER, ONE, "sluice_handovers_total",                             \
      "Requests for Socket.IO sessions of other nodes, by result")                             \
    X(HEALS, none, COUNTER, ONE, "sluice_heals_total",                                         \
      "Logs that were read for what a doorbell missed")                                        \
    X(HEALED, none, COUNTER, ONE, "sluice_healed_messages_total",                              \
      "Messages that a heal found in the log and delivered")                                   \
    X(RESETS, none, COUNTER, ONE, "sluice_channel_resets_total",                               \
      "Holes announced to connections (channel_reset)")                                        \
    X(READS, none, COUNTER, ONE, "sluice_log_reads_total",                                     \
      "Pages read from logs for connections that catch up")                                    \
    X(READS_SHARED, none, COUNTER, ONE, "sluice_log_reads_shared_total",                       \
      "Times that a page under way served one more connection")                                \
    X(RECOVERIES, recovery, COUNTER, ONE, "sluice_recoveries_total",                           \
      "Socket.IO clients that came back to be recovered, by result")                           \
    X(REAPED, none, COUNTER, ONE, "sluice_reaped_users_total",                                 \
      "Users taken out of presence for dead nodes")                                            \
    X(REDIS_ERRORS, none, COUNTER, ONE, "sluice_redis_errors_total",                           \
      "Commands that Redis answered with an error")                                            \
    X(REDIS_UPS, none, COUNTER, ONE, "sluice_redis_connects_total",                            \
      "Times that Redis came up")                                                              \
    X(REDIS_WAITS_SHORT, none, COUNTER, ONE, "sluice_redis_waits_short_total",                 \
      "Messages that too few replicas of Redis had in time (redis-wait)")                      \
    X(REDIS_MASTERS, none, COUNTER, ONE, "sluice_redis_master_changes_total",                  \
      "Times that the Sentinels named another master")                                         \
    X(JWKS_FAILURES, none, COUNTER, ONE, "sluice_jwks_failures_total",                         \
      "Times that the keys at jwks-url could not be fetched")                                  \
    X(HOOK_CALLS, hook, COUNTER, ONE, "sluice_hook_calls_total",                               \
      "Calls to the back end, by type and result")                                             \
    X(HOOK_CIRCUIT_OPENS, none, COUNTER, ONE, "sluice_hook_circuit_opens_total",               \
      "Times that a URL failed so often that it is left alone for 5 s")                        \
    X(HOOK_CIRCUITS, none, GAUGE, ONE, "sluice_hook_circuits_open",                            \
      "URLs of back ends that are left alone now")                                             \
    X(HOOKS_WAITING, none, GAUGE, ONE, "sluice_hooks_waiting",                                 \
      "Calls to the back end that wait for others")                                            \
    X(HOOKS_RUNNING, none, GAUGE, ONE, "sluice_hooks_running",                                 \
      "Calls to the back end that are under way")                                              \
    X(EMITTERS_TAKEN, none, COUNTER, ONE, "sluice_emitters_taken_total",                       \
      "Broadcasts and orders of emitters of Socket.IO that this node has followed")            \
    X(EMITTERS_DROPPED, none, COUNTER, ONE, "sluice_emitters_dropped_total",                   \
      "Messages on the channels of emitters of Socket.IO that were not understood")            \
    X(WEBHOOK_EVENTS, none, COUNTER, ONE, "sluice_webhook_events_total",                       \
      "Events that webhooks have taken")                                                       \
    X(WEBHOOK_DEAD, none, COUNTER, ONE, "sluice_webhook_dead_total",                           \
      "Events that a webhook refused, or did not take in a day")                               \
    X(WEBHOOK_LOST, none, COUNTER, ONE, "sluice_webhook_lost_total",                           \
      "Entries that were cut off the tap before a webhook had them")                           \
    X(WEBHOOK_LAG, none, GAUGE, ONE, "sluice_webhook_lag_entries",                             \
      "Entries of the tap that webhooks have not taken yet")                                   \
    X(WEBHOOK_LAG_TIME, none, MOST, MICROSECONDS, "sluice_webhook_lag_seconds",                \
      "How old the oldest of these is")                                                        \
    X(LOG_LOST, none, COUNTER, ONE, "sluice_log_lines_lost_total",                             \
      "Log lines that the reader of the log did not take")                                     \
    X(RAW_PUBLISHED, none, COUNTER, ONE, "sluice_raw_published_total",                         \
      "Messages of raw connections published to Redis")

/* Symbol, name, label, help; all in microseconds, shown in seconds. The rows of a family, which
 * differ in their label, follow each other. */
#define HISTOGRAM_TABLE(X)                                                                     \
    X(REDIS_ROUND_TRIP, "sluice_redis_round_trip_seconds", "",                                 \
      "From sending a command to Redis's answer")                                              \
    X(PUBLISH_TO_DELIVER, "sluice_publish_to_deliver_seconds", "",                             \
      "From a message's time in Redis to the queues of the local connections")                 \
    X(LOOP_TURN, "sluice_loop_turn_seconds", "", "Busy time of a turn of the event loop")      \
    X(HOOK_CONNECT, HOOK_SECONDS, HOOK_LABEL("connect"), HOOK_SECONDS_HELP)                    \
    X(HOOK_EVENT, HOOK_SECONDS, HOOK_LABEL("event"), HOOK_SECONDS_HELP)                        \
    X(HOOK_DISCONNECT, HOOK_SECONDS, HOOK_LABEL("disconnect"), HOOK_SECONDS_HELP)              \
    X(HOOK_SUBSCRIBE, HOOK_SECONDS, HOOK_LABEL("subscribe"), HOOK_SECONDS_HELP)                \
    X(HOOK_PUBLISH, HOOK_SECONDS, HOOK_LABEL("publish"), HOOK_SECONDS_HELP)                    \
    X(HOOK_WEBHOOK, HOOK_SECONDS, HOOK_LABEL("webhook"), HOOK_SECONDS_HELP)
/* In the order of HOOK_TABLE. */
#define HOOK_SECONDS      "sluice_hook_seconds"
#define HOOK_LABEL(type)  "type=\"" type "\""
#define HOOK_SECONDS_HELP "From sending a call to the back end to its end"

/* Upper bounds, in microseconds and as they are shown. */
#define HISTOGRAM_BOUNDS(X)                                                                    \
    X(50, "0.00005")                                                                           \
    X(100, "0.0001")                                                                           \
    X(200, "0.0002")                                                                           \
    X(500, "0.0005")                                                                           \
    X(1000, "0.001")                                                                           \
    X(2000, "0.002")                                                                           \
    X(5000, "0.005")                                                                           \
    X(10000, "0.01")                                                                           \
    X(20000, "0.02")                                                                           \
    X(50000, "0.05")                                                                           \
    X(100000, "0.1")                                                                           \
    X(200000, "0.2")                                                                           \
    X(500000, "0.5")                                                                           \
    X(1000000, "1")                                                                            \
    X(2000000, "2")                                                                            \
    X(5000000, "5")                                                                            \
    X(10000000, "10")

/* METRIC_EVENTS + EVENT_LOGIN is a slot. */
#define METRIC_ENUM(symbol, set, type, unit, name, help)                                       \
    METRIC_##symbol, METRIC_##symbol##_LAST = METRIC_##symbol + SLOTS_##set - 1,
enum metric { METRIC_TABLE(METRIC_ENUM) METRIC_SLOTS };
#undef METRIC_ENUM

#define HISTOGRAM_ENUM(symbol, name, label, help) HISTOGRAM_##symbol,
enum histogram_kind { HISTOGRAM_TABLE(HISTOGRAM_ENUM) HISTOGRAM_COUNT };
#undef HISTOGRAM_ENUM

#define BOUND_ENUM(us, text) BOUND_##us,
enum { HISTOGRAM_BOUNDS(BOUND_ENUM) HISTOGRAM_BUCKETS };
#undef BOUND_ENUM

struct histogram {
    uint64_t count[HISTOGRAM_BUCKETS + 1]; /* of each bucket; the last has no bound */
    uint64_t sum_us;
};

/* Valid when zeroed. */
struct metrics {
    uint64_t slot[METRIC_SLOTS];
    struct histogram histogram[HISTOGRAM_COUNT];
    uint64_t turn_max_us; /* longest loop turn since metrics_take_turn_max */
};

static inline void metric_add(struct metrics *m, unsigned slot, uint64_t n) {
    m->slot[slot] += n;
}
static inline void metric_set(struct metrics *m, unsigned slot, uint64_t value) {
    m->slot[slot] = value;
}
static inline uint64_t metric_value(const struct metrics *m, unsigned slot) {
    return m->slot[slot];
}

/* Somebody has reached a limit. */
static inline void metric_limited(struct metrics *m, enum limit limit) {
    metric_add(m, METRIC_LIMITED + limit, 1);
}

/* An upgrade (or, for DOOR_HTTP, a TCP connection) was accepted or refused. */
void metric_handshake(struct metrics *m, enum door_kind door, bool accepted);
/* The server begins to close a WebSocket. */
void metric_close(struct metrics *m, uint16_t code);
void metric_error(struct metrics *m, enum err err);

void metric_observe(struct metrics *m, enum histogram_kind which, uint64_t us);

/* The busy time of one turn of the loop. */
void metrics_turn(struct metrics *m, uint64_t us);
/* The longest turn since the last call (or the start); there is one caller, once an interval.
 */
uint64_t metrics_take_turn_max(struct metrics *m);

/* Makes of two processes' metrics those of both together. */
void metrics_join(struct metrics *into, const struct metrics *other);
/* Adds what a process has counted that has ended: all but its gauges. */
void metrics_outlive(struct metrics *into, const struct metrics *ended);

/* Appends both tables as Prometheus text (version 0.0.4). */
void metrics_print(const struct metrics *m, struct buf *out);

#endif
