#ifndef SLUICE_GATEWAY_OPTIONS_H
#define SLUICE_GATEWAY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Every option is one row: field, flag, type, lowest, highest, default, the value's name, help.
 * The environment variable is SLUICE_ and the flag in capitals with underscores. A config file
 * has lines `flag = value`. A flag goes before the environment, that before the file, and that
 * before the default.
 *   TEXT: a string of lowest..highest bytes. CHOICE: one of the words in the value's name.
 *   COUNT: a number. SIZE: bytes, K, M and G may follow.
 *   TIME: milliseconds inside; written with ms, s, m, h or d. SWITCH: true or false.
 *   LIST: entries of lowest..highest bytes, with a newline between them inside. Each time that
 *   the flag or the line is given adds one; an environment variable has one a line. In an
 *   entry, " #" outside of quotes begins a comment. At most LIST_MOST entries.
 *
 * A number whose default is "" is 0 if no value is given; its help says what that means.
 * LIVE(type): the option is read again on SIGHUP (gateway/node/reload.c), which also passes the
 * new value to code that has a copy of the old one. No code may keep a pointer to its text.
 */
#define LIST_MOST 256
#define DAYS(n)   ((n)*86400000ULL)
#define OPTIONS_TABLE(X)                                                                       \
    X(listen, "listen", TEXT, 1, 255, "127.0.0.1:8080", "ADDRESS",                             \
      "HOST:PORT (port 0 takes a free one), or unix:/PATH")                                    \
    X(listen_mode, "listen-mode", TEXT, 3, 4, "660", "OCTAL",                                  \
      "permissions of the socket at unix:/PATH")                                               \
    X(internal_listen, "internal-listen", TEXT, 0, 255, "", "HOST:PORT",                       \
      "a second port, without doors and without TLS, for the metrics, the console, the API "   \
      "and the other nodes, which the public one then refuses; default: one port for all")     \
    X(workers, "workers", TEXT, 1, 4, "1", "N|auto",                                           \
      "processes that share the port, each a node of its own (auto: one for each core); the "  \
      "first process starts them, and starts one again that ends")                             \
    X(tls_cert, "tls-cert", LIVE(TEXT), 0, 4095, "", "FILE",                                   \
      "a certificate in PEM, and those between it and its authority: the port speaks TLS; "    \
      "read again on SIGHUP")                                                                  \
    X(tls_key, "tls-key", LIVE(TEXT), 0, 4095, "", "FILE", "the key of tls-cert, in PEM")      \
    X(tls_client_ca, "tls-client-ca", LIVE(TEXT), 0, 4095, "", "FILE",                         \
      "authorities in PEM; clients need a certificate of one of them")                         \
    X(advertise, "advertise", TEXT, 0, 255, "", "HOST:PORT",                                   \
      "where other nodes reach this one; default: internal-listen, or else listen; if that "   \
      "is any address, the one that its link to Redis has")                                    \
    X(redis_url, "redis-url", TEXT, 1, 1023, "redis://127.0.0.1:6379/0", "URL",                \
      "redis://[USER:PASSWORD@]HOST[:PORT][/DB], "                                             \
      "redis+sentinel://[USER:PASSWORD@]HOST[:26379],HOST,.../NAME[/DB] for the master that "  \
      "Sentinels name, redis+cluster://[USER:PASSWORD@]HOST[:6379],HOST,... for a Cluster, "   \
      "rediss://, rediss+sentinel:// and rediss+cluster:// for TLS, or "                       \
      "unix://[USER:PASSWORD@]/PATH[?db=DB]")                                                  \
    X(redis_partitions, "redis-partitions", COUNT, 16, 64, "16", "N",                          \
      "for redis+cluster: into how many partitions the names are divided (16, 32 or 64), at "  \
      "least a few a master; all nodes of a Cluster must agree, and the first one decides")    \
    X(redis_sentinel_user, "redis-sentinel-user", TEXT, 0, 127, "", "NAME",                    \
      "for redis+sentinel: the user of the Sentinels; the one in the URL is that of Redis")    \
    X(redis_sentinel_password, "redis-sentinel-password", TEXT, 0, 65535, "", "TEXT",          \
      "for redis+sentinel: the password of the Sentinels; best given by "                      \
      "SLUICE_REDIS_SENTINEL_PASSWORD")                                                        \
    X(redis_ca, "redis-ca", LIVE(TEXT), 0, 4095, "", "FILE",                                   \
      "for rediss: authorities in PEM, in place of those that the system trusts")              \
    X(redis_cert, "redis-cert", LIVE(TEXT), 0, 4095, "", "FILE",                               \
      "for rediss: the certificate that this node shows, in PEM")                              \
    X(redis_key, "redis-key", LIVE(TEXT), 0, 4095, "", "FILE",                                 \
      "the key of redis-cert, in PEM")                                                         \
    X(node_id, "node-id", TEXT, 0, 64, "", "NAME",                                             \
      "name of this node; default: the host's name")                                           \
    X(prefix, "prefix", TEXT, 0, 64, "", "TEXT",                                               \
      "the beginning of all Redis keys; default sluice: (sluice<DB>: for a database above 0)") \
    X(channels, "channels", TEXT, 0, 65535, "", "LIST",                                        \
      "Redis channels opened at /channels/<name>: events,chat:rw (:r is the default)")         \
    X(allow_anonymous, "allow-anonymous", SWITCH, 0, 1, "false", "",                           \
      "serve an address other than loopback although authentication is off")                   \
    X(guests, "guests", SWITCH, 0, 1, "false", "",                                             \
      "who brings no token is a guest, with a user of its own for as long as it is "           \
      "connected; "                                                                            \
      "switches identity on")                                                                  \
    X(api_stream, "api-stream", SWITCH, 0, 1, "false", "",                                     \
      "take requests of the API from the stream <prefix>api in Redis, too, from anybody that " \
      "may write there")                                                                       \
    X(admin_token, "admin-token", LIVE(TEXT), 0, 65535, "", "TOKEN",                           \
      "opens /console and what of /api/v1/ only reads to anyone that has it; best given by "   \
      "SLUICE_ADMIN_TOKEN")                                                                    \
    X(api_key, "api-key", LIVE(TEXT), 0, 65535, "", "KEY",                                     \
      "opens /api/v1/ to anyone that has it; 32 bytes or more; best given by SLUICE_API_KEY")  \
    X(api_key_file, "api-key-file", LIVE(TEXT), 0, 4095, "", "FILE",                           \
      "a file with such a key, read again on SIGHUP; with api-key, either is good")            \
    X(api_keys, "api-keys", LIVE(TEXT), 0, 4095, "", "FILE",                                   \
      "a file with more keys, each with a name and rights of its own: lines of "               \
      "NAME KEY RIGHT[,RIGHT...]; the rights are publish, read, users and all; read again on " \
      "SIGHUP")                                                                                \
    X(jwt_secret, "jwt-secret", LIVE(TEXT), 0, 65535, "", "TEXT",                              \
      "secret of 32 bytes or more that signs tokens (HS256, HS384, HS512), and switches "      \
      "identity on; best given by SLUICE_JWT_SECRET")                                          \
    X(jwt_secret_file, "jwt-secret-file", LIVE(TEXT), 0, 4095, "", "FILE",                     \
      "a file with such a secret; a newline at its end is not part of it")                     \
    X(jwt_keys, "jwt-keys", LIVE(TEXT), 0, 4095, "", "FILE",                                   \
      "public keys of issuers of tokens, as PEM (one or more) or as a JWK set; switches "      \
      "identity on")                                                                           \
    X(jwks_url, "jwks-url", TEXT, 0, 2047, "", "URL",                                          \
      "where an issuer has its JWK set: https, or http on loopback; switches identity on")     \
    X(jwks_ca, "jwks-ca", TEXT, 0, 4095, "", "FILE",                                           \
      "certificates (PEM) to trust for jwks-url; default: the system's")                       \
    X(jwt_issuer, "jwt-issuer", LIVE(TEXT), 0, 4095, "", "TEXT",                               \
      "tokens must have this iss; default: any")                                               \
    X(jwt_audience, "jwt-audience", LIVE(TEXT), 0, 4095, "", "TEXT",                           \
      "tokens must have this in aud; default: any")                                            \
    X(jwt_leeway, "jwt-leeway", LIVE(TIME), 0, 300000, "10s", "TIME",                          \
      "how far the clocks of this node and of a token's issuer may differ")                    \
    X(grants, "grants", LIVE(TEXT), 0, 65535,                                                  \
      "rooms=*;private=*;subscribe=*;publish=;channels=", "LISTS",                             \
      "what a token allows whose claim sluice does not say it: patterns, by right")            \
    X(log_level, "log-level", LIVE(CHOICE), 0, 0, "info", "debug|info|warn|error",             \
      "the least severe events that are logged")                                               \
    X(log_format, "log-format", LIVE(CHOICE), 0, 0, "logfmt", "logfmt|json",                   \
      "the format of log lines")                                                               \
    X(real_address_header, "real-address-header", LIVE(TEXT), 0, 64, "", "NAME",               \
      "header with a client's address, set by the proxy in front; default: the address of "    \
      "the socket")                                                                            \
    X(trusted_proxies, "trusted-proxies", LIVE(TEXT), 0, 4095,                                 \
      "127.0.0.0/8,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7", "LIST",              \
      "addresses and networks of proxies whose real-address-header is believed; the last "     \
      "address in it that is not one of these counts; empty: no proxy is believed")            \
    X(allowed_origins, "allowed-origins", LIVE(TEXT), 0, 65535, "", "LIST",                    \
      "origins whose pages may connect: https://example.org,... or *; the page of this node "  \
      "always may; default: that one alone")                                                   \
    X(cors_origins, "cors-origins", LIVE(TEXT), 0, 65535, "", "LIST",                          \
      "another name of allowed-origins")                                                       \
    X(event, "event", LIVE(LIST), 1, 4095, "", "MAP",                                          \
      "a line of the map of your own events: EVENT ACTION ..., as in "                         \
      "`drawing room volatile`; the first that fits an event counts")                          \
    X(connect_hook, "connect-hook", TEXT, 0, 2047, "", "URL",                                  \
      "asked by a POST who it is that connects; switches identity on")                         \
    X(disconnect_hook, "disconnect-hook", TEXT, 0, 2047, "", "URL",                            \
      "told by a POST that a connection has ended")                                            \
    X(disconnect_linger, "disconnect-linger", LIVE(TIME), 0, 600000, "3s", "TIME",             \
      "after a cut, tell disconnect-hook only if the client is not back within this time")     \
    X(subscribe_hook, "subscribe-hook", LIVE(LIST), 1, 4095, "", "PATTERN URL",                \
      "asked before a client enters a channel whose whole name fits: `room:vip-* "             \
      "https://...`")                                                                          \
    X(publish_hook, "publish-hook", LIVE(LIST), 1, 4095, "", "PATTERN URL",                    \
      "asked before a client's message goes out to a channel whose whole name fits")           \
    X(hook_failure, "hook-failure", LIVE(CHOICE), 0, 0, "closed", "closed|open",               \
      "what happens when subscribe-hook or publish-hook is away: refuse, or let pass")         \
    X(hook_secret, "hook-secret", LIVE(LIST), 1, 1023, "", "SECRET",                           \
      "signs each call to a back end, 32 bytes or more; of two, each signs")                   \
    X(hook_plain, "hook-plain", LIVE(SWITCH), 0, 1, "false", "",                               \
      "call back ends by http:// at any host, and not at loopback alone")                      \
    X(hook_ca, "hook-ca", LIVE(TEXT), 0, 4095, "", "FILE",                                     \
      "certificates (PEM) to trust in back ends; default: the system's")                       \
    X(hook_timeout, "hook-timeout", LIVE(TIME), 50, 600000, "2s", "TIME",                      \
      "how long a call to a back end may take, from the event on that it is about")            \
    X(hook_answer, "hook-answer", LIVE(SIZE), 1024, 67108864, "262144", "BYTES",               \
      "longest answer of a back end, inclusive")                                               \
    X(hook_headers, "hook-headers", LIVE(TEXT), 0, 1023, "cookie", "LIST",                     \
      "headers of a client's request that connect-hook gets, too")                             \
    X(tap, "tap", TEXT, 0, 255, "", "LIST",                                                    \
      "put what happened into the stream sluice:tap for back ends: "                           \
      "presence,connections,rooms,messages,topics,unseen")                                     \
    X(tap_length, "tap-length", LIVE(COUNT), 1000, 100000000, "1000000", "N",                  \
      "most entries of the tap (in each partition); none is kept longer than 24 h")            \
    X(tap_bytes, "tap-bytes", LIVE(SIZE), 1048576, 1099511627776, "256M", "BYTES",             \
      "most bytes of the tap's entries (in each partition)")                                   \
    X(webhook, "webhook", LIVE(LIST), 1, 4095, "", "URL [TYPE,...]",                           \
      "told by POSTs what stands in the tap: all of it, or only these types of events")        \
    X(webhook_linger, "webhook-offline-linger", LIVE(TIME), 0, 600000, "3s", "TIME",           \
      "tell a webhook of user_offline only if the user is not back within this time")          \
    X(max_message, "max-message", SIZE, 125, 67108864, "1048576", "BYTES",                     \
      "longest message from a client, inclusive")                                              \
    X(max_chunked, "max-chunked", LIVE(SIZE), 125, 67108864, "4M", "BYTES",                    \
      "most bytes that a connection's unfinished message_chunk events may hold")               \
    X(chunk_timeout, "chunk-timeout", LIVE(TIME), 100, 3600000, "60s", "TIME",                 \
      "drop an unfinished message_chunk event when no piece of it came for this time")         \
    X(max_queue, "max-queue", SIZE, 4096, 1073741824, "4M", "BYTES",                           \
      "most bytes that may wait for a slow connection; with more it is closed with 1013")      \
    X(max_connections, "max-connections", LIVE(COUNT), 0, 10000000, "0", "N",                  \
      "most connections; 0: as many as the limit of descriptors allows")                       \
    X(max_per_address, "max-connections-per-address", COUNT, 0, 10000000, "0", "N",            \
      "most connections from one address, and most polled sessions; 0: no limit")              \
    X(max_per_user, "max-connections-per-user", COUNT, 0, 10000000, "20", "N",                 \
      "most connections of one user, in the whole cluster; 0: no limit")                       \
    X(accept_rate, "accept-rate", LIVE(COUNT), 0, 1000000, "2000", "N",                        \
      "handshakes a second that begin a connection or a session, with a burst of as many; "    \
      "0: no limit")                                                                           \
    X(memory_limit, "memory-limit", SIZE, 33554432, 1099511627776, "", "BYTES",                \
      "most memory that the node holds; with more it closes the connections that hold the "    \
      "most, and takes no new ones; default: 60 % of what the machine or the cgroup has")      \
    X(max_subscriptions, "max-subscriptions", LIVE(COUNT), 1, 1000000, "1000", "N",            \
      "most channels a connection may be in")                                                  \
    X(max_rooms, "max-rooms", COUNT, 1, 100000, "200", "N",                                    \
      "most rooms a user may belong to, in the whole cluster")                                 \
    X(deflate, "deflate", LIVE(SWITCH), 0, 1, "false", "",                                     \
      "compress messages of 256 bytes to 256 KiB (permessage-deflate) for WebSocket clients "  \
      "that offer it; a change is for new connections")                                        \
    X(rate_limit, "rate-limit", LIVE(COUNT), 0, 1000000, "200", "N",                           \
      "units a second that a connection may spend, with a burst of three times as many (an "   \
      "event costs 1, some cost more); 0: no limit")                                           \
    X(handshake_timeout, "handshake-timeout", TIME, 100, 3600000, "10s", "TIME",               \
      "time to send a request's head")                                                         \
    X(body_timeout, "body-timeout", TIME, 100, 3600000, "5m", "TIME",                          \
      "time to send a request's body; one slower than 100 bytes a second is given up earlier") \
    X(idle_timeout, "idle-timeout", TIME, 100, 3600000, "75s", "TIME",                         \
      "close an HTTP connection after this time without a request")                            \
    X(login_deadline, "login-deadline", LIVE(TIME), 0, 3600000, "", "TIME",                    \
      "close a connection that has not logged in after this time; 0: never; default: 30s "     \
      "with authentication on, else never")                                                    \
    X(close_timeout, "close-timeout", TIME, 100, 60000, "5s", "TIME",                          \
      "how long to wait for the answer to a close")                                            \
    X(ping_interval, "ping-interval", LIVE(TIME), 100, 3600000, "25s", "TIME",                 \
      "ping a connection that was silent for this time")                                       \
    X(ping_timeout, "ping-timeout", LIVE(TIME), 100, 3600000, "20s", "TIME",                   \
      "how long to wait for the pong")                                                         \
    X(sio_namespaces, "socketio-namespaces", TEXT, 0, 2047, "", "LIST",                        \
      "Socket.IO namespaces besides /: /shop,/admin; at most 7; * opens any")                  \
    X(sio_emitters, "socketio-emitters", SWITCH, 0, 1, "false", "",                            \
      "take what emitters of Socket.IO (@socket.io/redis-emitter) publish in this Redis")      \
    X(default_room, "default-room", LIVE(LIST), 1, 512, "", "NAME",                            \
      "NAME [in /nsp]: a socket that CONNECT logs in enters this room, unless it names one")   \
    X(builtin, "builtin", LIST, 1, 512, "", "all|none",                                        \
      "all or none [in /nsp]: with none, the events of Sluice are free for your own there, "   \
      "and it sends nothing of itself but failures; default: all")                             \
    X(sio_client, "socketio-client", TEXT, 0, 4095, "", "DIR",                                 \
      "the dist directory of npm's socket.io-client, to serve /socket.io/socket.io.js; "       \
      "default: not served")                                                                   \
    X(sio_ping_interval, "socketio-ping-interval", TIME, 100, 3600000, "25s", "TIME",          \
      "ping a Socket.IO session this often")                                                   \
    X(sio_ping_timeout, "socketio-ping-timeout", TIME, 100, 3600000, "20s", "TIME",            \
      "how long to wait for a Socket.IO session's pong")                                       \
    X(sio_connect_timeout, "socketio-connect-timeout", TIME, 100, 3600000, "45s", "TIME",      \
      "close a Socket.IO session that joins no namespace within this time")                    \
    X(sio_recovery, "socketio-recovery", TIME, 0, 86400000, "2m", "TIME",                      \
      "a Socket.IO client that comes back within this time gets the messages that it missed; " \
      "0: never")                                                                              \
    X(heartbeat_timeout, "heartbeat-timeout", LIVE(TIME), 100, 3600000, "4s", "TIME",          \
      "a client that sends heartbeats leaves presence after this time without an event")       \
    X(linger, "linger", LIVE(TIME), 0, 600000, "0", "TIME",                                    \
      "keep a closed connection in presence for this time (absorbs a page reload)")            \
    X(lease_interval, "lease-interval", TIME, 100, 60000, "1s", "TIME",                        \
      "how often to renew this node's lease and look at those of other nodes")                 \
    X(lease_timeout, "lease-timeout", TIME, 500, 600000, "5s", "TIME",                         \
      "a node whose lease stood still for this time is dead")                                  \
    X(score_interval, "score-interval", TIME, 1000, 3600000, "30s", "TIME",                    \
      "how often to refresh the online score of users that send no heartbeats")                \
    X(presence_all, "presence-all", SWITCH, 0, 1, "false", "",                                 \
      "send user_online and user_offline to all users, not only to those who share a room")    \
    X(big_room, "big-room", COUNT, 1, 1000000, "250", "N",                                     \
      "a room with more members gets counts in place of single joins and leaves")              \
    X(big_room_until, "big-room-until", COUNT, 1, 1000000, "200", "N",                         \
      "a big room with at most so many members gets single joins and leaves again")            \
    X(roster_interval, "roster-interval", LIVE(TIME), 10, 60000, "250ms", "TIME",              \
      "least time between two rosters of a room")                                              \
    X(drain, "drain", LIVE(TIME), 0, 600000, "5s", "TIME",                                     \
      "time over which connections are closed after SIGTERM")                                  \
    X(redis_timeout, "redis-timeout", TIME, 200, 60000, "3s", "TIME",                          \
      "longest time to connect to Redis, and for the beacon to come back through it")          \
    X(redis_wait, "redis-wait", TEXT, 0, 12, "", "N:MS",                                       \
      "acknowledge a message when N replicas of Redis have it (all: those that Sentinels "     \
      "know), and wait at most MS milliseconds for them; default: do not wait")                \
    X(history_max, "history-max", COUNT, 1, 10000000, "10000", "N",                            \
      "most messages of a channel")                                                            \
    X(log_bytes, "log-bytes", SIZE, 4096, 1099511627776, "64M", "BYTES",                       \
      "most bytes of a channel's messages")                                                    \
    X(room_retention, "room-retention", TIME, 1000, DAYS(3650), "7d", "TIME",                  \
      "how long to keep room and private messages")                                            \
    X(inbox_retention, "inbox-retention", TIME, 1000, DAYS(3650), "24h", "TIME",               \
      "how long to keep inboxes and topics, which a client can resume")                        \
    X(user_retention, "user-retention", TIME, 10000, DAYS(3650), "30d", "TIME",                \
      "how long to keep a user's data after the user was last seen")

/* In the order of the table. NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct options {
#define OPTION_LIVE(type)                                                OPTION_##type
#define OPTION_TEXT                                                      const char *
#define OPTION_CHOICE                                                    const char *
#define OPTION_LIST                                                      const char *
#define OPTION_COUNT                                                     uint64_t
#define OPTION_SIZE                                                      uint64_t
#define OPTION_TIME                                                      uint64_t
#define OPTION_SWITCH                                                    bool
#define OPTION_FIELD(field, flag, type, low, high, initial, value, help) OPTION_##type field;
    OPTIONS_TABLE(OPTION_FIELD)
#undef OPTION_FIELD
    char *texts[320]; /* owned: the TEXT fields and places point to them */
    unsigned text_count;
    const char *places[160]; /* for each row, where its value comes from (a LIST: its first) */
    int argc;                /* the command line, with which they can be loaded again */
    char **argv;
};

enum options_result { OPTIONS_RUN, OPTIONS_HEALTH_CHECK, OPTIONS_EXIT_OK, OPTIONS_EXIT_FAILED };

/*
 * Fills *o from the command line, the environment, the file named by --config or
 * SLUICE_CONFIG, and the defaults. With --health-check, which only the command line has, that
 * is what to do with them (OPTIONS_HEALTH_CHECK). --version is answered on `out`
 * (OPTIONS_EXIT_OK); a mistake is named on `errors` with its place and the range allowed
 * (OPTIONS_EXIT_FAILED). Whatever it returns, options_deinit is due.
 */
enum options_result options_load(struct options *o, int argc, char **argv, FILE *out,
                                 FILE *errors);
/* True if an option's value is not its default. */
bool options_given(const struct options *o, const char *flag);
/* Reads a time as a TIME option has it, into milliseconds; or returns false. */
bool options_time(const char *text, uint64_t *ms);
/* Where an option's value comes from, for error texts: "command line", SLUICE_…, or a line of a
 * file. */
const char *options_place(const struct options *o, const char *flag);

/*
 * Takes the values of LIVE rows from `fresh`, which was loaded later from the same argc and
 * argv. `changed` is called for each row that differs, with whether its value was taken; other
 * rows need a new process. The texts that the LIVE rows had before belong to `fresh` then.
 */
void options_take(struct options *o, struct options *fresh,
                  void (*changed)(void *owner, const char *flag, const char *place, bool taken),
                  void *owner);
void options_deinit(struct options *o);

#endif
