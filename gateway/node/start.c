#include "gateway/node/start.h"

#include <stdio.h>
#include <sys/resource.h>

#include "common/log.h"
#include "gateway/net/turn.h"
#include "gateway/node/accept.h"
#include "gateway/node/config.h"
#include "gateway/node/drain.h"
#include "gateway/node/memory.h"
#include "gateway/node/metrics_page.h"
#include "gateway/node/ports.h"
#include "gateway/node/routes.h"
#include "gateway/node/signals.h"
#include "gateway/node/worker.h"

#define MAX_FRAGMENTS   16384
#define MAX_ATTACHMENTS 256
#define TOLD_MS         500  /* how old gauges are that other workers tell; counters: a tick */
#define START_MS        2000 /* how long the start waits for Redis and the other nodes */

/* A node's name ends the ids of its sessions, and its key lets another node ask for them. */
_Static_assert(PEER_NAME_SIZE == EIO_NODE_SIZE && PEER_KEY_SIZE == EIO_ID_SIZE,
               "of the same kind");

/* --- the loop calls -------------------------------------------------------------------------
 */

static void before_flush(void *owner) {
    struct node *n = owner;
    sio_door_flush(&n->sio);
    goodbyes_flush(&n->domain.goodbyes);
    redis_flush(&n->domain.redis);
}

static void on_tick(void *owner, uint64_t now) {
    struct node *n = owner;
    eio_server_tick(&n->sio.server.eio, now);
    relay_tick(&n->relay, now);
    domain_tick(&n->domain, now);
    memory_tick(n);
    raw_door_tick(&n->raw, now);
    if (!n->router.draining)
        api_tick(&n->api, now);
    hooks_tick(&n->hooks, now);
    webhooks_tick(&n->webhooks, now);
    secure_tick(&n->secure, now);
    if (n->seats != NULL && now % TOLD_MS < WHEEL_TICK_MS)
        metrics_refresh(n);
    worker_tell(n);
    log_flush();
}

static void on_gone(void *owner, struct conn *c) {
    struct node *n = owner;
    accept_forget(n, c);
    drain_connection_gone(n);
}

/* --- sessions of Socket.IO that other nodes have --------------------------------------------
 */

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

/* How long a connection to another node is kept: less than the other node keeps it. That node
 * may have other options, and an old version ended it after the time for a request. */
static uint64_t relay_idle(const struct options *o) {
    uint64_t least =
        o->idle_timeout < o->handshake_timeout ? o->idle_timeout : o->handshake_timeout;
    return least / 2;
}

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
    ports_advertise(n);
}

/* --- the parts ------------------------------------------------------------------------------
 */

static int init_socketio(struct node *n) {
    const struct options *o = n->options;
    struct sio_config config = {.mark = n->domain.clients.registry.all.birth,
                                .namespaces = o->sio_namespaces,
                                .connect_timeout_ms = o->sio_connect_timeout,
                                .max_attachments = MAX_ATTACHMENTS,
                                .max_attached = o->max_message};
    config.eio = (struct eio_config){.ping_interval_ms = o->sio_ping_interval,
                                     .ping_timeout_ms = o->sio_ping_timeout,
                                     .upgrade_timeout_ms = o->handshake_timeout,
                                     .close_timeout_ms = o->close_timeout,
                                     .max_payload = o->max_message,
                                     .max_polled = (unsigned)o->max_per_address,
                                     .origins = &n->origins,
                                     .node = n->domain.peers.name,
                                     .elsewhere = &n->elsewhere};
    const char *wrong = sio_door_init(&n->sio, &n->domain.clients, &n->net, &config);
    return wrong == NULL ? 0
                         : config_complain(o, "socketio-namespaces", o->sio_namespaces, wrong);
}

static void init_api(struct node *n) {
    struct api_source source = {.options = n->options,
                                .redis = &n->domain.redis,
                                .clients = &n->domain.clients,
                                .loop = &n->loop,
                                .node = n->id,
                                .incarnation = lease_first(&n->domain.leases)->incarnation};
    api_init(&n->api, &source);
}

static int init_net(struct node *n) {
    const struct options *o = n->options;
    net_init(&n->net, &n->loop, o->max_queue, &n->metrics, n);
    int status = turn_open(&n->net);
    n->net.before_flush = before_flush;
    n->net.on_gone = on_gone;
    n->net.on_tick = on_tick;
    n->sockets = (struct wsock_shared){.net = &n->net, .close_timeout_ms = o->close_timeout};
    ws_pool_init(&n->sockets.pool, o->max_message, MAX_FRAGMENTS);
    n->sockets.pool.deflate = &n->net.deflate;
    n->router = (struct http_router){.route = routes_answer,
                                     .body = routes_body,
                                     .lines = routes_lines,
                                     .owner = n,
                                     .timeout_ms = o->handshake_timeout,
                                     .body_ms = o->body_timeout,
                                     .idle_ms = o->idle_timeout};
    addresses_init(&n->addresses, (unsigned)o->max_per_address);
    return status;
}

static void init_doors(struct node *n) {
    n->handshaking = (struct handshakes){.auth = &n->auth, .sockets = &n->sockets};
    n->raw.redis = &n->domain.redis;
    n->raw.handshakes = &n->handshaking;
    n->raw.users = &n->domain.raw_users;
    n->raw.clients = &n->domain.clients;
    n->raw.holders = &n->domain.clients.holders;
    n->raw.metrics = &n->metrics;
    raw_door_open(&n->raw);
}

static int init_parts(struct node *n, const struct redis_config *redis) {
    int status = init_net(n);
    if (status == 0)
        status = domain_init(&n->domain, &n->loop, &n->net, n->options, n->id, redis, n);
    n->domain.stats.address = n->port.address;
    n->domain.clients.auth = &n->auth;
    n->domain.clients.hooks = &n->hooks;
    webhooks_init(&n->webhooks, &n->domain.redis, &n->hooks, &n->metrics, n->options);
    n->domain.webhooks = &n->webhooks;
    init_relay(n);
    init_api(n);
    init_doors(n);
    if (status == 0)
        return init_socketio(n);
    fprintf(stderr, "sluice: start: %s\n", uv_strerror(status));
    return 1;
}

/* --- the beginning --------------------------------------------------------------------------
 */

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

static void tell_identity(const struct node *n) {
    if (!auth_on(&n->auth))
        LOG(LOG_WARN, "authentication_off", "means",
            "any client that reaches this address may speak as any user", NULL);
    else
        LOG(LOG_INFO, "authentication_on", "keys", auth_sources(&n->auth), NULL);
}

static void announce(struct node *n) {
    bool internal = n->internal.state != PORT_NONE;
    /* Logged at any level, because only this line tells which port was taken for port 0. */
    log_write(LOG_INFO, "listening", "addr", n->port.address, "version", SLUICE_VERSION,
              "incarnation", lease_first(&n->domain.leases)->incarnation, "max_connections",
              log_text("%llu", (unsigned long long)n->most_connections),
              n->seats != NULL ? "own"
              : internal       ? "internal"
                               : NULL,
              n->seats != NULL ? n->own.address : n->internal.address, NULL);
    if (n->worker > 1)
        return; /* the first one says for all what the options mean */
    tell_limit(n);
    secure_tell(&n->secure, n->options);
    tell_identity(n);
    ports_warn(n);
    if (n->secure.server != NULL && n->internal.state == PORT_NONE && n->seats == NULL)
        LOG(LOG_WARN, "tls_without_internal_listen", "means",
            "other nodes cannot hand requests of Socket.IO sessions over to this one", NULL);
    if (n->bundle.count > 0)
        LOG(LOG_INFO, "socketio_client", "dir", n->options->sio_client, "version",
            n->bundle.version, "files", log_text("%u", n->bundle.count), NULL);
}

static void init_handles(struct node *n) {
    uv_timer_init(&n->loop, &n->timer);
    n->timer.data = n;
}

int node_start(struct node *n) {
    struct redis_config redis;
    memset(&redis, 0, sizeof redis);
    if (config_read(n, &redis) != 0)
        return 1;
    init_handles(n);
    if (ports_open(n, accept_connection) != 0 || init_parts(n, &redis) != 0)
        return 1;
    raise_limit();
    config_apply(n);
    memory_init(n);
    announce(n); /* first, since this line tells the port */
    signals_watch(n);
    node_state_set(n, NODE_SERVING);
    auth_open(&n->auth);
    domain_open(&n->domain);
    return 0;
}

void node_deinit(struct node *n) {
    auth_deinit(&n->auth);
    hooks_deinit(&n->hooks);
    sio_door_deinit(&n->sio);
    relay_deinit(&n->relay);
    webhooks_deinit(&n->webhooks);
    domain_deinit(&n->domain);
    api_deinit(&n->api);
    bundle_deinit(&n->bundle);
    raw_door_deinit(&n->raw);
    net_deinit(&n->net);
    ws_pool_deinit(&n->sockets.pool);
    addresses_deinit(&n->addresses);
    secure_deinit(&n->secure);
}
