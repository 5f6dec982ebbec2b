#include "gateway/node/config.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/log.h"
#include "gateway/client/own.h"
#include "gateway/data/deployment.h"
#include "gateway/events/mapped.h"
#include "gateway/hooks/config.h"
#include "gateway/node/machine.h"
#include "gateway/spaces.h"
#include "gateway/tap/lines.h"

#define TOKEN_LEAST 8
#define TOKEN_MOST  1023

int config_complain(const struct options *o, const char *flag, const char *value,
                    const char *why) {
    fprintf(stderr, "sluice: %s: %s%s%s%s: %s\n", options_place(o, flag), flag,
            value[0] != '\0' ? " is \"" : "", value, value[0] != '\0' ? "\"" : "", why);
    return 1;
}

/* --- checks of values -----------------------------------------------------------------------
 */

/* The token goes into a header as it is. */
static const char *check_token(const struct options *o) {
    const char *token = o->admin_token;
    size_t len = strlen(token);
    bool good = len == 0 || (len >= TOKEN_LEAST && len <= TOKEN_MOST);
    for (size_t i = 0; i < len; i++)
        good = good && token[i] > ' ' && token[i] <= '~';
    return good ? NULL : "must be 8 to 1023 visible ASCII characters, without spaces";
}

/* Which of the two options with a key is wrong, and why. */
static const char *check_api_keys(const struct options *o, const char *which) {
    const char *flag;
    const char *wrong = api_keys_read(NULL, o, &flag);
    return wrong != NULL && strcmp(flag, which) == 0 ? wrong : NULL;
}

static const char *check_api_key(const struct options *o) {
    return check_api_keys(o, "api-key");
}

static const char *check_api_key_file(const struct options *o) {
    return check_api_keys(o, "api-key-file");
}

static const char *check_api_key_list(const struct options *o) {
    return check_api_keys(o, "api-keys");
}

static const char *check_proxies(const struct options *o) {
    struct proxies proxies;
    return proxies_parse(&proxies, o->trusted_proxies);
}

static const char *check_big_room(const struct options *o) {
    return o->big_room_until <= o->big_room ? NULL : "must not be above big-room";
}

static const char *check_lease(const struct options *o) {
    bool good = o->lease_timeout >= 2 * o->lease_interval;
    return good ? NULL : "must be at least twice lease-interval";
}

/* The two are one option with two names. */
static const char *origins_of(const struct options *o) {
    return o->allowed_origins[0] != '\0' ? o->allowed_origins : o->cors_origins;
}

static const char *check_origins(const struct options *o) {
    return origins_check(o->allowed_origins);
}

static const char *check_cors_origins(const struct options *o) {
    bool two = o->allowed_origins[0] != '\0' && o->cors_origins[0] != '\0' &&
               strcmp(o->allowed_origins, o->cors_origins) != 0;
    return two ? "another name of allowed-origins, which says something else"
               : origins_check(o->cors_origins);
}

static const char *check_workers(const struct options *o) {
    return config_workers(o) > 0 ? NULL : "must be a number from 1 to 128, or auto";
}

static const char *check_event(const struct options *o) {
    const char *why;
    struct event_map *map = event_map_read(o->event, on_mapped, &why);
    if (map == NULL)
        return why;
    why = event_map_check(map, o);
    event_map_free(map);
    return why;
}

static const char *check_tap(const struct options *o) {
    unsigned kinds;
    return tap_kinds_read(slice_of(o->tap), &kinds)
               ? NULL
               : "must be words of presence,connections,rooms,messages,topics,unseen";
}

#define TEXT(field) offsetof(struct options, field)
#define HIDDEN      SIZE_MAX

static const struct check {
    const char *flag;
    const char *(*wrong)(const struct options *o); /* returns what is wrong, or NULL */
    size_t text; /* the value that a complaint repeats; HIDDEN: none */
    bool live;   /* a LIVE option, which is checked on a reload, too */
} checks[] = {
    {"admin-token", check_token, HIDDEN, true},
    {"api-key", check_api_key, HIDDEN, true},
    {"api-key-file", check_api_key_file, TEXT(api_key_file), true},
    {"api-keys", check_api_key_list, TEXT(api_keys), true},
    {"trusted-proxies", check_proxies, TEXT(trusted_proxies), true},
    {"big-room-until", check_big_room, HIDDEN, false},
    {"lease-timeout", check_lease, HIDDEN, false},
    {"workers", check_workers, TEXT(workers), false},
    {"allowed-origins", check_origins, TEXT(allowed_origins), true},
    {"event", check_event, HIDDEN, true},
    {"builtin", spaces_check_builtin, TEXT(builtin), false},
    {"default-room", spaces_check_default_room, TEXT(default_room), true},
    {"tap", check_tap, TEXT(tap), false},
    {"webhook", webhook_check, HIDDEN, true},
    {"cors-origins", check_cors_origins, TEXT(cors_origins), true},
    {"connect-hook", hooks_check_connect, TEXT(connect_hook), true},
    {"disconnect-hook", hooks_check_disconnect, TEXT(disconnect_hook), true},
    {"subscribe-hook", hooks_check_subscribe, HIDDEN, true},
    {"publish-hook", hooks_check_publish, HIDDEN, true},
    {"hook-secret", hooks_check_secrets, HIDDEN, true},
    {"hook-ca", hooks_check_ca, TEXT(hook_ca), true},
    {"hook-headers", hooks_check_headers, TEXT(hook_headers), true},
};

static const char *text_of(const struct options *o, size_t at) {
    return at == HIDDEN ? "" : *(const char *const *)(const void *)((const char *)o + at);
}

static bool find_fault(const struct options *o, bool live, struct config_fault *f) {
    f->why = secure_check(o, &f->flag, &f->value);
    if (f->why != NULL)
        return true;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        const struct check *c = &checks[i];
        const char *why = c->live || !live ? c->wrong(o) : NULL;
        if (why == NULL)
            continue;
        *f = (struct config_fault){c->flag, text_of(o, c->text), why};
        return true;
    }
    return false;
}

bool config_is_wrong(const struct options *o, struct config_fault *f) {
    return find_fault(o, true, f);
}

/* --- names ----------------------------------------------------------------------------------
 */

static const char *choose_id(struct node *n) {
    snprintf(n->id, sizeof n->id, "%s", n->options->node_id);
    if (n->id[0] == '\0' && gethostname(n->id, sizeof n->id - 1) != 0)
        return "the host has no name; give one";
    bool good = name_valid_user(slice_of(n->id)) && strchr(n->id, '.') == NULL;
    if (n->options->node_id[0] == '\0') { /* the name of a host may have dots */
        for (char *c = n->id; *c != '\0'; c++)
            if (*c == '.')
                *c = '-';
        good = name_valid_user(slice_of(n->id));
    }
    if (!good)
        return "must be 1 to 64 bytes without white space, dots, colons or braces";
    size_t len = strlen(n->id);
    if (config_workers(n->options) > 1 && len > sizeof n->id - sizeof "-128")
        return "must be at most 60 bytes, since a worker's name has its number, too";
    if (n->seats != NULL)
        snprintf(n->id + len, sizeof n->id - len, "-%u", n->worker);
    return NULL;
}

/* --- Redis ----------------------------------------------------------------------------------
 */

/* A guest may be recovered for so long after its end was told. */
#define GUEST_SPARE_MS 1000
static uint64_t guest_ttl(const struct options *o) {
    return o->guests ? o->sio_recovery + GUEST_SPARE_MS : 0;
}

static int configure_redis(struct node *n, struct redis_config *redis) {
    const struct options *o = n->options;
    struct deployment d;
    struct deployment_fault f;
    if (!deployment_read(&d, o, &f))
        return config_complain(o, f.flag, f.value, f.why);
    memcpy(n->prefix, d.prefix, sizeof n->prefix);
    redis->address = d.address;
    redis->sentinels = d.sentinels;
    redis->sentinels.node = n->id;
    redis->cluster = d.address.cluster;
    redis->partitions = d.partitions;
    redis->constants = (struct script_constants){.prefix = n->prefix,
                                                 .history_max = o->history_max,
                                                 .log_bytes = o->log_bytes,
                                                 .big_room = o->big_room,
                                                 .max_rooms = o->max_rooms,
                                                 .room_ttl_ms = o->room_retention,
                                                 .inbox_ttl_ms = o->inbox_retention,
                                                 .user_ttl_ms = o->user_retention,
                                                 .guest_ttl_ms = guest_ttl(o)};
    tap_kinds_read(slice_of(o->tap), &redis->constants.tap); /* find_fault checks it */
    const char *wrong = durable_parse(&redis->servers.wait, o->redis_wait);
    if (wrong != NULL)
        return config_complain(o, "redis-wait", o->redis_wait, wrong);
    if (redis->servers.wait.all && redis->sentinels.seeds.count == 0)
        return config_complain(o, "redis-wait", o->redis_wait,
                               "all needs Sentinels or a Cluster, which know all replicas");
    redis->constants.partitions = redis->constants.sharded = redis->cluster;
    redis->servers.node = n->id;
    redis->servers.metrics = &n->metrics;
    redis->servers.timeout_ms = o->redis_timeout;
    /* Well before other nodes take this one for dead. */
    redis->servers.backoff_ms = o->lease_timeout / 4 < 2000 ? o->lease_timeout / 4 : 2000;
    return 0;
}

/* --- workers --------------------------------------------------------------------------------
 */

unsigned config_workers(const struct options *o) {
    char *end;
    if (strcmp(o->workers, "auto") == 0) {
        unsigned cores = machine_cores("");
        return cores < SEATS_MOST ? cores : SEATS_MOST;
    }
    unsigned long count = strtoul(o->workers, &end, 10);
    bool good = o->workers[0] >= '1' && o->workers[0] <= '9' && *end == '\0';
    return good && count <= SEATS_MOST ? (unsigned)count : 0;
}

/* --- at the start ---------------------------------------------------------------------------
 */

static enum log_level log_level(const struct options *o) {
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    int level = 0;
    while (level < 3 && strcmp(o->log_level, levels[level]) != 0)
        level++;
    return (enum log_level)level;
}

static void open_log(const struct node *n) {
    const struct options *o = n->options;
    log_open(n->id, log_level(o), strcmp(o->log_format, "json") == 0);
}

static int read_bundle(struct node *n) {
    const char *dir = n->options->sio_client;
    const char *wrong = dir[0] != '\0' ? bundle_read(&n->bundle, dir) : NULL;
    return wrong == NULL ? 0 : config_complain(n->options, "socketio-client", dir, wrong);
}

static int configure_auth(struct node *n) {
    const char *flag;
    const char *wrong = auth_init(&n->auth, n->options, &n->loop, &n->metrics, &flag);
    return wrong == NULL ? 0 : config_complain(n->options, flag, "", wrong);
}

static int configure_hooks(struct node *n) {
    const char *wrong = hooks_init(&n->hooks, &n->loop, n->options, &n->metrics);
    return wrong == NULL ? 0 : config_complain(n->options, "connect-hook", "", wrong);
}

int config_read(struct node *n, struct redis_config *redis) {
    const struct options *o = n->options;
    struct config_fault f;
    const char *wrong = choose_id(n);
    if (wrong != NULL)
        return config_complain(o, "node-id", o->node_id, wrong);
    open_log(n);
    if (configure_redis(n, redis) != 0)
        return 1;
    if (find_fault(o, false, &f))
        return config_complain(o, f.flag, f.value, f.why);
    if (configure_auth(n) != 0 || configure_hooks(n) != 0 || read_bundle(n) != 0)
        return 1;
    wrong = raw_door_init(&n->raw, o->channels, n->prefix);
    return wrong == NULL ? 0 : config_complain(o, "channels", o->channels, wrong);
}

/* Who does not log in is no use to anybody only where a login proves something. */
#define LOGIN_DEADLINE_MS 30000
static uint64_t login_deadline(const struct node *n) {
    if (options_given(n->options, "login-deadline"))
        return n->options->login_deadline;
    return auth_on(&n->auth) ? LOGIN_DEADLINE_MS : 0;
}

/* --- LIVE options ---------------------------------------------------------------------------
 */

/* Allows as many connections as there are descriptors for, or fewer if the option says so. */
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

/* Events under way may name lines of the map that there was until now, so it stays. */
static void apply_map(struct node *n) {
    struct clients *all = &n->domain.clients;
    const char *why;
    if (event_map_is(all->map, n->options->event))
        return;
    struct event_map *map = event_map_read(n->options->event, on_mapped, &why);
    if (map == NULL) { /* no memory: it was checked */
        LOG(LOG_ERROR, "reload_failed", "why", why, "means", "the map stays as it was", NULL);
        return;
    }
    map->former = all->map;
    all->map = map;
    for (size_t i = 0; i < map->count; i++) {
        const struct map_line *l = &map->lines[i];
        if (l->prefix && l->event.len == 0 && l->action == MAP_ROOM && !l->is_volatile)
            LOG(LOG_WARN, "map_logs_all", "means",
                "whatever events clients make up are logged in their rooms; name them, or add "
                "volatile",
                NULL);
    }
}

void config_apply(struct node *n) {
    const struct options *o = n->options;
    const char *flag;
    open_log(n);
    api_keys_read(&n->api.keys, o, &flag);
    n->sockets.ping_interval_ms = o->ping_interval;
    n->sockets.ping_timeout_ms = o->ping_timeout;
    n->net.rate = o->rate_limit;
    n->net.deflates = o->deflate;
    n->domain.clients.login_deadline = login_deadline(n);
    n->sio.server.config.login_deadline_ms = login_deadline(n);
    apply_map(n);
    webhooks_apply(&n->webhooks);
    proxies_parse(&n->proxies, o->trusted_proxies);
    n->told_unreadable = n->told_untrusted = false;
    n->origins = (struct origins){.list = origins_of(o)};
    limit_connections(n);
    secure_apply(&n->secure, o, uv_now(&n->loop));
    redis_use_tls(&n->domain.redis, n->secure.client);
}
