#ifndef SLUICE_GATEWAY_OPTIONS_H
#define SLUICE_GATEWAY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Every option in one row: field, flag, type, lowest, highest, default, value's name, help.
 * The environment variable is SLUICE_ and the flag in capitals with underscores; a config file
 * has lines `flag = value`. Order: flag, environment, file, default.
 *   TEXT: a string of lowest..highest bytes. CHOICE: one of the words in value's name.
 *   COUNT: a number. SIZE: bytes, K and M may follow.
 *   TIME: milliseconds inside; written with ms, s, m, h or d. SWITCH: true or false.
 * LIVE(type): the option is read again on SIGHUP (gateway/node/reload.c). Code that keeps a
 * copy of its value takes the new one there; a pointer to its text is not kept.
 */
#define DAYS(n) ((n)*86400000ULL)
#define OPTIONS_TABLE(X)                                                                       \
    X(listen, "listen", TEXT, 1, 255, "127.0.0.1:8080", "ADDRESS",                             \
      "HOST:PORT, where port 0 takes a free one, or unix:/PATH")                               \
    X(listen_mode, "listen-mode", TEXT, 3, 4, "660", "OCTAL",                                  \
      "permissions of the socket at unix:/PATH")                                               \
    X(advertise, "advertise", TEXT, 0, 255, "", "HOST:PORT",                                   \
      "where other nodes reach this one; default: where it listens, or, if that is any "       \
      "address, the one that its link to Redis has")                                           \
    X(redis_url, "redis-url", TEXT, 1, 1023, "redis://127.0.0.1:6379/0", "URL",                \
      "redis://[USER:PASSWORD@]HOST[:PORT][/DB] or unix://[USER:PASSWORD@]/PATH[?db=DB]")      \
    X(node_id, "node-id", TEXT, 0, 64, "", "NAME",                                             \
      "name of this node; default: the host's name")                                           \
    X(prefix, "prefix", TEXT, 0, 64, "", "TEXT",                                               \
      "what all Redis keys begin with; default sluice: (sluice<DB>: for a database above 0)")  \
    X(channels, "channels", TEXT, 0, 65535, "", "LIST",                                        \
      "Redis channels opened at /channels/<name>: events,chat:rw (:r is the default)")         \
    X(allow_anonymous, "allow-anonymous", SWITCH, 0, 1, "false", "",                           \
      "serve an address other than loopback although authentication is off")                   \
    X(admin_token, "admin-token", LIVE(TEXT), 0, 65535, "", "TOKEN",                           \
      "opens /console and /api/v1/ to whoever has this; best by SLUICE_ADMIN_TOKEN")           \
    X(log_level, "log-level", LIVE(CHOICE), 0, 0, "info", "debug|info|warn|error",             \
      "what is logged")                                                                        \
    X(log_format, "log-format", LIVE(CHOICE), 0, 0, "logfmt", "logfmt|json",                   \
      "how it is logged")                                                                      \
    X(real_address_header, "real-address-header", LIVE(TEXT), 0, 64, "", "NAME",               \
      "header that holds a client's address, set by the proxy in front; default: the "         \
      "socket's")                                                                              \
    X(trusted_proxies, "trusted-proxies", LIVE(TEXT), 0, 4095,                                 \
      "127.0.0.0/8,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7", "LIST",              \
      "addresses and networks of proxies whose real-address-header is believed; of several "   \
      "addresses in it the last one that is not of these counts; empty: nobody's")             \
    X(max_message, "max-message", SIZE, 125, 67108864, "1048576", "BYTES",                     \
      "longest message from a client, inclusive")                                              \
    X(max_chunked, "max-chunked", LIVE(SIZE), 125, 67108864, "4M", "BYTES",                    \
      "most bytes that unfinished message_chunk events of a connection hold")                  \
    X(chunk_timeout, "chunk-timeout", LIVE(TIME), 100, 3600000, "60s", "TIME",                 \
      "drop an unfinished message_chunk event when no piece of it comes for so long")          \
    X(max_queue, "max-queue", SIZE, 4096, 1073741824, "4M", "BYTES",                           \
      "most bytes that wait for a slow connection before it is closed with 1013")              \
    X(max_connections, "max-connections", LIVE(COUNT), 0, 10000000, "0", "N",                  \
      "most connections; 0: what the limit of descriptors allows")                             \
    X(max_per_address, "max-connections-per-address", COUNT, 0, 10000000, "0", "N",            \
      "most connections from one address, and polled sessions; 0: no limit")                   \
    X(max_subscriptions, "max-subscriptions", LIVE(COUNT), 1, 1000000, "1000", "N",            \
      "most channels a connection may be in")                                                  \
    X(max_rooms, "max-rooms", COUNT, 1, 100000, "200", "N",                                    \
      "most rooms a user may belong to, in the whole cluster")                                 \
    X(rate_limit, "rate-limit", LIVE(COUNT), 0, 1000000, "0", "N",                             \
      "events a second and connection, with a burst of as many; 0: no limit")                  \
    X(handshake_timeout, "handshake-timeout", TIME, 100, 3600000, "10s", "TIME",               \
      "time to send a request's head")                                                         \
    X(body_timeout, "body-timeout", TIME, 100, 3600000, "5m", "TIME",                          \
      "time to send a request's body; slower than 100 bytes a second it is given up before")   \
    X(idle_timeout, "idle-timeout", TIME, 100, 3600000, "75s", "TIME",                         \
      "close an HTTP connection that was idle for this between two requests")                  \
    X(login_deadline, "login-deadline", LIVE(TIME), 0, 3600000, "0", "TIME",                   \
      "close a connection without login after this; 0: never")                                 \
    X(close_timeout, "close-timeout", TIME, 100, 60000, "5s", "TIME",                          \
      "wait for the answer to a close")                                                        \
    X(ping_interval, "ping-interval", LIVE(TIME), 100, 3600000, "25s", "TIME",                 \
      "ping a connection that was silent for this")                                            \
    X(ping_timeout, "ping-timeout", LIVE(TIME), 100, 3600000, "20s", "TIME",                   \
      "wait for the pong")                                                                     \
    X(sio_namespaces, "socketio-namespaces", TEXT, 0, 2047, "", "LIST",                        \
      "Socket.IO namespaces besides /: /shop,/admin; at most 7")                               \
    X(sio_client, "socketio-client", TEXT, 0, 4095, "", "DIR",                                 \
      "the dist directory of npm's socket.io-client, to serve /socket.io/socket.io.js; "       \
      "default: not served")                                                                   \
    X(sio_ping_interval, "socketio-ping-interval", TIME, 100, 3600000, "25s", "TIME",          \
      "ping a Socket.IO session this often")                                                   \
    X(sio_ping_timeout, "socketio-ping-timeout", TIME, 100, 3600000, "20s", "TIME",            \
      "wait for a Socket.IO session's pong")                                                   \
    X(sio_connect_timeout, "socketio-connect-timeout", TIME, 100, 3600000, "45s", "TIME",      \
      "close a Socket.IO session that joins no namespace within this")                         \
    X(sio_recovery, "socketio-recovery", TIME, 0, 86400000, "2m", "TIME",                      \
      "a Socket.IO client that was cut off gets what it missed if it is back within this; 0: " \
      "never")                                                                                 \
    X(cors_origins, "cors-origins", TEXT, 0, 65535, "", "LIST",                                \
      "origins whose pages may use /socket.io/: https://example.org,... or *; others are "     \
      "refused; default: HTTP polling is for pages of this origin alone")                      \
    X(heartbeat_timeout, "heartbeat-timeout", LIVE(TIME), 100, 3600000, "4s", "TIME",          \
      "a client that sends heartbeats leaves presence when silent for this")                   \
    X(linger, "linger", LIVE(TIME), 0, 600000, "0", "TIME",                                    \
      "keep a closed connection in presence for this (absorbs a page reload)")                 \
    X(lease_interval, "lease-interval", TIME, 100, 60000, "1s", "TIME",                        \
      "renew this node's lease and look at the others'")                                       \
    X(lease_timeout, "lease-timeout", TIME, 500, 600000, "5s", "TIME",                         \
      "a node whose lease stood still for this is dead")                                       \
    X(score_interval, "score-interval", TIME, 1000, 3600000, "30s", "TIME",                    \
      "refresh the online score of users that send no heartbeats")                             \
    X(presence_all, "presence-all", SWITCH, 0, 1, "false", "",                                 \
      "send user_online and user_offline to everybody, not to those who share a room")         \
    X(big_room, "big-room", COUNT, 1, 1000000, "250", "N",                                     \
      "above so many members a room gets counts in place of single joins and leaves")          \
    X(big_room_until, "big-room-until", COUNT, 1, 1000000, "200", "N",                         \
      "at so many members it gets single joins and leaves again")                              \
    X(roster_interval, "roster-interval", LIVE(TIME), 10, 60000, "250ms", "TIME",              \
      "least time between two rosters of a room")                                              \
    X(drain, "drain", LIVE(TIME), 0, 600000, "5s", "TIME",                                     \
      "spread the closes over this after SIGTERM")                                             \
    X(redis_timeout, "redis-timeout", TIME, 200, 60000, "3s", "TIME",                          \
      "connecting, and the beacon's way through Redis, may take this long")                    \
    X(history_max, "history-max", COUNT, 1, 10000000, "10000", "N",                            \
      "most messages of a channel")                                                            \
    X(room_retention, "room-retention", TIME, 1000, DAYS(3650), "7d", "TIME",                  \
      "keep room and private messages for this")                                               \
    X(inbox_retention, "inbox-retention", TIME, 1000, DAYS(3650), "24h", "TIME",               \
      "keep inboxes and topics, that is what a client can resume, for this")                   \
    X(user_retention, "user-retention", TIME, 10000, DAYS(3650), "30d", "TIME",                \
      "keep what belongs to a user for this after they were last seen")

struct options {
#define OPTION_LIVE(type)                                                OPTION_##type
#define OPTION_TEXT                                                      const char *
#define OPTION_CHOICE                                                    const char *
#define OPTION_COUNT                                                     uint64_t
#define OPTION_SIZE                                                      uint64_t
#define OPTION_TIME                                                      uint64_t
#define OPTION_SWITCH                                                    bool
#define OPTION_FIELD(field, flag, type, low, high, initial, value, help) OPTION_##type field;
    OPTIONS_TABLE(OPTION_FIELD)
#undef OPTION_FIELD
    char *texts[128]; /* owned: what the TEXT fields and places point to */
    unsigned text_count;
    const char *places[64]; /* of each row: where its value comes from */
    int argc;               /* what they were loaded from, to do it again */
    char **argv;
};

enum options_result { OPTIONS_RUN, OPTIONS_HEALTH_CHECK, OPTIONS_EXIT_OK, OPTIONS_EXIT_FAILED };

/*
 * Fills *o from the command line, the environment, the file named by --config or
 * SLUICE_CONFIG, and the defaults. With --health-check, which only the command line has, that
 * is what to do with them (OPTIONS_HEALTH_CHECK). --help and --version are answered on `out`
 * (OPTIONS_EXIT_OK); a mistake is named on `errors` with its place and the range allowed
 * (OPTIONS_EXIT_FAILED). Whatever it returns, options_deinit is due.
 */
enum options_result options_load(struct options *o, int argc, char **argv, FILE *out,
                                 FILE *errors);
/* Where an option's value comes from, for a complaint: "command line", SLUICE_…, a file's line.
 */
const char *options_place(const struct options *o, const char *flag);

/*
 * Takes the values of the LIVE rows that differ from `fresh`, loaded later from the same
 * argc and argv. `changed` is told of each row that differs, and whether it was taken: the
 * others need a new process. What the LIVE rows had before belongs to `fresh` from now on.
 */
void options_take(struct options *o, struct options *fresh,
                  void (*changed)(void *owner, const char *flag, const char *place, bool taken),
                  void *owner);
void options_deinit(struct options *o);

#endif
