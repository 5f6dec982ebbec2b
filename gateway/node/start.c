#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/log.h"
#include "gateway/listen.h"
#include "gateway/node/node_internal.h"

#define BACKLOG         4096
#define MAX_FRAGMENTS   16384
#define MAX_ATTACHMENTS 256
#define START_MS        2000 /* for Redis to be there, and with it the other nodes */
#define TOKEN_LEAST     8
#define TOKEN_MOST      1023

static int complain(const char *what, const char *why) {
    fprintf(stderr, "sluice: %s: %s\n", what, why);
    return 1;
}

static int complain_option(const struct node *n, const char *flag, const char *value,
                           const char *why) {
    fprintf(stderr, "sluice: %s: %s%s%s%s: %s\n", options_place(n->options, flag), flag,
            value[0] != '\0' ? " is \"" : "", value, value[0] != '\0' ? "\"" : "", why);
    return 1;
}

/* --- what the options ask -------------------------------------------------------------------
 */

static enum log_level log_level(const struct options *o) {
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    int level = 0;
    while (level < 3 && strcmp(o->log_level, levels[level]) != 0)
        level++;
    return (enum log_level)level;
}

static const char *choose_id(struct node *n) {
    snprintf(n->id, sizeof n->id, "%s", n->options->node_id);
    if (n->id[0] == '\0' && gethostname(n->id, sizeof n->id - 1) != 0)
        return "the host has no name; give one";
    bool good = name_valid_user(slice_of(n->id)) && strchr(n->id, '.') == NULL;
    if (n->options->node_id[0] == '\0') { /* a host's name may have dots */
        for (char *c = n->id; *c != '\0'; c++)
            if (*c == '.')
                *c = '-';
        good = name_valid_user(slice_of(n->id));
    }
    return good ? NULL : "must be 1 to 64 bytes without white space, dots, colons or braces";
}

static const char *choose_prefix(struct node *n, int database) {
    const char *given = n->options->prefix;
    if (given[0] == '\0')
        snprintf(n->prefix, sizeof n->prefix,
                 database == 0 ? "sluice:" : "sluice%d:", database);
    else
        snprintf(n->prefix, sizeof n->prefix, "%s", given);
    for (const char *c = n->prefix; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~' || strchr("'\"\\{}", *c) != NULL)
            return "must be plain ASCII without quotes, backslashes or braces";
    }
    return NULL;
}

/* A URL for a complaint, without what stands before the @. */
static const char *hide_password(const char *url) {
    const char *at = strrchr(url, '@');
    return at != NULL ? log_text("...%s", at) : url;
}

static int configure_redis(struct node *n, struct redis_config *redis) {
    const struct options *o = n->options;
    const char *wrong = redis_address_parse(&redis->address, o->redis_url);
    if (wrong != NULL)
        return complain_option(n, "redis-url", hide_password(o->redis_url), wrong);
    wrong = choose_prefix(n, redis->address.database);
    if (wrong != NULL)
        return complain_option(n, "prefix", o->prefix, wrong);
    redis->constants = (struct script_constants){.prefix = n->prefix,
                                                 .history_max = o->history_max,
                                                 .big_room = o->big_room,
                                                 .max_rooms = o->max_rooms,
                                                 .room_ttl_ms = o->room_retention,
                                                 .inbox_ttl_ms = o->inbox_retention,
                                                 .user_ttl_ms = o->user_retention};
    redis->node = n->id;
    redis->metrics = &n->metrics;
    redis->timeout_ms = o->redis_timeout;
    /* Well before others take this node for dead. */
    redis->backoff_ms = o->lease_timeout / 4 < 2000 ? o->lease_timeout / 4 : 2000;
    return 0;
}

/* As it goes into a header. */
static const char *check_token(const char *token) {
    size_t len = strlen(token);
    bool good = len == 0 || (len >= TOKEN_LEAST && len <= TOKEN_MOST);
    for (size_t i = 0; i < len; i++)
        good = good && token[i] > ' ' && token[i] <= '~';
    return good ? NULL : "must be 8 to 1023 visible ASCII characters, without spaces";
}

const char *node_check(const struct options *o, const char **value, const char **why) {
    *value = "";
    struct proxies proxies;
    *why = check_token(o->admin_token);
    if (*why != NULL)
        return "admin-token"; /* not to be repeated */
    *value = o->trusted_proxies;
    *why = proxies_parse(&proxies, o->trusted_proxies);
    return *why != NULL ? "trusted-proxies" : NULL;
}

static int read_bundle(struct node *n) {
    const char *dir = n->options->sio_client;
    const char *wrong = dir[0] != '\0' ? bundle_read(&n->bundle, dir) : NULL;
    return wrong == NULL ? 0 : complain_option(n, "socketio-client", dir, wrong);
}

static int check_options(struct node *n) {
    const struct options *o = n->options;
    const char *value, *wrong;
    const char *flag = node_check(o, &value, &wrong);
    if (flag != NULL)
        return complain_option(n, flag, value, wrong);
    if (o->big_room_until > o->big_room)
        return complain_option(n, "big-room-until", "", "must not be above big-room");
    if (o->lease_timeout < 2 * o->lease_interval)
        return complain_option(n, "lease-timeout", "", "must be at least twice lease-interval");
    wrong = sio_door_check_origins(o->cors_origins);
    if (wrong != NULL)
        return complain_option(n, "cors-origins", o->cors_origins, wrong);
    if (read_bundle(n) != 0)
        return 1;
    wrong = raw_door_init(&n->raw, o->channels, n->prefix);
    return wrong == NULL ? 0 : complain_option(n, "channels", o->channels, wrong);
}

/* --- where it is ----------------------------------------------------------------------------
 */

static bool is_loopback(const struct conn_address *a) {
    static const struct conn_address ip6 = {.ip = {[15] = 1}};
    return conn_address_is_ip4(a) ? a->ip[12] == 127 : memcmp(a->ip, ip6.ip, sizeof a->ip) == 0;
}

static const char *bind_path(struct node *n, const struct sockaddr_storage *at) {
    const char *mode = n->options->listen_mode;
    char *end;
    unsigned long bits = strtoul(mode, &end, 8);
    snprintf(n->address, sizeof n->address, "%s", n->options->listen);
    if (*end != '\0' || bits > 0777)
        return "listen-mode must be octal digits, from 000 to 777";
    return listen_at_path(&n->listener, at, (mode_t)bits);
}

static const char *bind_port(struct node *n, const struct sockaddr_storage *at) {
    const struct sockaddr *address = (const struct sockaddr *)at;
    struct conn_address mine;
    conn_address_set(&mine, address);
    if (!is_loopback(&mine) && !n->options->allow_anonymous)
        return "not a loopback address, and authentication is off: anybody who "
               "reaches it could speak as anybody. --allow-anonymous allows it";
    int status = uv_tcp_bind(&n->listener, address, 0);
    return status == 0 ? NULL : uv_strerror(status);
}

static const char *learn_port(struct node *n) {
    struct sockaddr_storage at;
    int size = sizeof at;
    int status = uv_tcp_getsockname(&n->listener, (struct sockaddr *)&at, &size);
    if (status < 0)
        return uv_strerror(status);
    conn_address_set(&n->listen, (const struct sockaddr *)&at);
    conn_address_text(&n->listen, n->address);
    return NULL;
}

static int start_listening(struct node *n) {
    struct sockaddr_storage at;
    const char *where = n->options->listen;
    const char *wrong = listen_resolve(where, true, &at);
    bool path = wrong == NULL && at.ss_family == AF_UNIX;
    if (wrong == NULL)
        wrong = path ? bind_path(n, &at) : bind_port(n, &at);
    int status =
        wrong == NULL ? uv_listen((uv_stream_t *)&n->listener, BACKLOG, node_on_connection) : 0;
    if (status < 0)
        wrong = uv_strerror(status);
    if (wrong == NULL && !path)
        wrong = learn_port(n);
    return wrong == NULL ? 0 : complain_option(n, "listen", where, wrong);
}

/* A name is looked up here, once: the others are told an address. */
static int check_advertise(struct node *n) {
    struct sockaddr_storage at;
    const char *where = n->options->advertise;
    if (where[0] == '\0')
        return 0;
    const char *wrong = listen_resolve(where, false, &at);
    if (wrong == NULL) {
        conn_address_set(&n->advertise, (const struct sockaddr *)&at);
        if (n->advertise.port == 0 || conn_address_is_any(&n->advertise))
            wrong = "must be an address and a port that others can connect to";
    }
    return wrong == NULL ? 0 : complain_option(n, "advertise", where, wrong);
}

/* As many connections as descriptors allow, or fewer, if that is wanted. */
static void limit_connections(struct node *n) {
    struct rlimit limit = {.rlim_cur = 1024, .rlim_max = 1024};
    uint64_t wanted = n->options->max_connections;
    getrlimit(RLIMIT_NOFILE, &limit);
    n->most_connections = limit.rlim_cur > 2 * DESCRIPTORS_KEPT
                              ? (uint64_t)limit.rlim_cur - DESCRIPTORS_KEPT
                              : (uint64_t)limit.rlim_cur / 2;
    if (wanted != 0 && wanted < n->most_connections)
        n->most_connections = wanted;
    n->sio.server.eio.config.max_sessions = (unsigned)n->most_connections;
    n->relay.most = n->most_connections;
}

static void raise_limit(void) {
    struct rlimit limit = {.rlim_cur = 1024, .rlim_max = 1024};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void tell_limit(const struct node *n) {
    uint64_t wanted = n->options->max_connections;
    if (wanted > n->most_connections)
        LOG(LOG_WARN, "max_connections_lowered", "wanted",
            log_text("%llu", (unsigned long long)wanted), "limit",
            log_text("%llu", (unsigned long long)n->most_connections), NULL);
}

void node_apply(struct node *n) {
    const struct options *o = n->options;
    log_open(n->id, log_level(o), strcmp(o->log_format, "json") == 0);
    n->sockets.ping_interval_ms = o->ping_interval;
    n->sockets.ping_timeout_ms = o->ping_timeout;
    proxies_parse(&n->proxies, o->trusted_proxies);
    n->told_unreadable = n->told_untrusted = false;
    limit_connections(n);
}

/* --- the parts ------------------------------------------------------------------------------
 */

static void before_flush(void *owner) {
    struct node *n = owner;
    sio_door_flush(&n->sio);
    redis_flush(&n->domain.redis);
}

static void on_tick(void *owner, uint64_t now) {
    struct node *n = owner;
    eio_server_tick(&n->sio.server.eio, now);
    relay_tick(&n->relay, now);
    domain_tick(&n->domain, now);
    log_flush();
}

static int init_socketio(struct node *n) {
    const struct options *o = n->options;
    struct sio_config config = {.namespaces = o->sio_namespaces,
                                .connect_timeout_ms = o->sio_connect_timeout,
                                .max_attachments = MAX_ATTACHMENTS,
                                .max_attached = o->max_message};
    config.eio = (struct eio_config){.ping_interval_ms = o->sio_ping_interval,
                                     .ping_timeout_ms = o->sio_ping_timeout,
                                     .upgrade_timeout_ms = o->handshake_timeout,
                                     .close_timeout_ms = o->close_timeout,
                                     .max_payload = o->max_message,
                                     .max_polled = (unsigned)o->max_per_address,
                                     .origins = o->cors_origins,
                                     .node = n->domain.peers.name,
                                     .elsewhere = &n->elsewhere};
    const char *wrong = sio_door_init(&n->sio, &n->domain.clients, &n->net, &config);
    return wrong == NULL ? 0
                         : complain_option(n, "socketio-namespaces", o->sio_namespaces, wrong);
}

static void on_peer_met(void *owner, const char *name, const struct conn_address *at,
                        const char *key) {
    struct node *n = owner;
    relay_met(&n->relay, name, at, key);
}

static void on_peer_lost(void *owner, const char *name) {
    struct node *n = owner;
    relay_lost(&n->relay, name);
}

static void on_peers_ready(void *owner) {
    struct node *n = owner;
    relay_ready(&n->relay);
}

static bool look_for_peers(void *owner) {
    struct node *n = owner;
    bool starts = !n->domain.peers.ready && uv_now(&n->loop) - n->domain.stats.born < START_MS;
    return peers_look(&n->domain.peers) || starts;
}

/* Less than another node keeps a connection, which may have other options: an old one ended it
 * after the time for a request. */
static uint64_t relay_idle(const struct options *o) {
    uint64_t least =
        o->idle_timeout < o->handshake_timeout ? o->idle_timeout : o->handshake_timeout;
    return least / 2;
}

/* Sessions of Socket.IO that other nodes have. */
static void init_relay(struct node *n) {
    struct peers *peers = &n->domain.peers;
    n->relay = (struct relay){.net = &n->net,
                              .key = peers->key,
                              .look = look_for_peers,
                              .owner = n,
                              .idle_ms = relay_idle(n->options),
                              .close_ms = n->options->close_timeout};
    relay_init(&n->relay);
    n->elsewhere = (struct eio_elsewhere){.route = relay_route,
                                          .body = relay_body,
                                          .is_handed_over = relay_is_handed_over,
                                          .owner = &n->relay};
    peers->on_met = on_peer_met;
    peers->on_lost = on_peer_lost;
    peers->on_ready = on_peers_ready;
    peers_set_address(peers, &n->listen, n->advertise.port != 0 ? &n->advertise : NULL);
}

static void init_api(struct node *n) {
    struct api_source source = {.options = n->options,
                                .redis = &n->domain.redis,
                                .loop = &n->loop,
                                .node = n->id,
                                .incarnation = n->domain.lease.incarnation};
    api_init(&n->api, &source);
}

static int init_parts(struct node *n, const struct redis_config *redis) {
    const struct options *o = n->options;
    int status = net_init(&n->net, &n->loop, o->max_queue, &n->metrics, n);
    n->net.before_flush = before_flush;
    n->net.on_gone = node_on_gone;
    n->net.on_tick = on_tick;
    n->sockets = (struct wsock_shared){.net = &n->net, .close_timeout_ms = o->close_timeout};
    ws_pool_init(&n->sockets.pool, o->max_message, MAX_FRAGMENTS);
    n->router = (struct http_router){.route = http_door_route,
                                     .body = http_door_body,
                                     .owner = n,
                                     .lines = http_door_lines,
                                     .timeout_ms = o->handshake_timeout,
                                     .body_ms = o->body_timeout,
                                     .idle_ms = o->idle_timeout};
    addresses_init(&n->addresses, (unsigned)o->max_per_address);
    if (status == 0)
        status = domain_init(&n->domain, &n->loop, &n->net, o, n->id, redis, n);
    n->domain.stats.address = n->address;
    init_relay(n);
    init_api(n);
    n->raw.redis = &n->domain.redis;
    n->raw.shared = &n->sockets;
    n->raw.metrics = &n->metrics;
    if (status != 0)
        return complain("start", uv_strerror(status));
    return init_socketio(n);
}

/* --- the beginning --------------------------------------------------------------------------
 */

static void watch_signals(struct node *n) {
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    sigset_t waits; /* since guard_signals (main.c) */
    for (int i = 0; i < 3; i++) {
        uv_signal_init(&n->loop, &n->signals[i]);
        n->signals[i].data = n;
        uv_signal_start(&n->signals[i], node_on_signal, numbers[i]);
    }
    sigemptyset(&waits);
    sigaddset(&waits, SIGHUP);
    sigprocmask(SIG_UNBLOCK, &waits, NULL);
}

static void announce(struct node *n) {
    /* Whatever the level is: port 0 is known from here alone. */
    log_write(LOG_INFO, "listening", "addr", n->address, "version", SLUICE_VERSION,
              "incarnation", n->domain.lease.incarnation, "max_connections",
              log_text("%llu", (unsigned long long)n->most_connections), NULL);
    tell_limit(n);
    LOG(LOG_WARN, "authentication_off", "means",
        "any client that reaches this address may speak as any user", NULL);
    if (n->bundle.count > 0)
        LOG(LOG_INFO, "socketio_client", "dir", n->options->sio_client, "version",
            n->bundle.version, "files", log_text("%u", n->bundle.count), NULL);
}

int node_start(struct node *n) {
    struct redis_config redis;
    memset(&redis, 0, sizeof redis);
    const char *wrong = choose_id(n);
    if (wrong != NULL)
        return complain_option(n, "node-id", n->options->node_id, wrong);
    log_open(n->id, log_level(n->options), strcmp(n->options->log_format, "json") == 0);
    if (configure_redis(n, &redis) != 0 || check_options(n) != 0)
        return 1;
    uv_tcp_init(&n->loop, &n->listener);
    uv_timer_init(&n->loop, &n->timer);
    n->listener.data = n->timer.data = n;
    n->handles = 1;
    if (check_advertise(n) != 0 || start_listening(n) != 0 || init_parts(n, &redis) != 0)
        return 1;
    raise_limit();
    node_apply(n);
    announce(n); /* the first line, since it tells the port */
    watch_signals(n);
    node_state_set(n, NODE_SERVING);
    domain_open(&n->domain);
    return 0;
}
