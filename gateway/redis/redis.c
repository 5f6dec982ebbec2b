#include "gateway/redis/redis.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "gateway/redis/errors.h"
#include "gateway/redis/slots.h"

/* The new master is awaited for so long; Sentinels ask it each second. */
#define FAILOVER_MS 3000
#define BEGIN_MS    2000
#define LEAVE_MS    200
#define DEMOTED_MS  5000 /* a master that said MOVED so recently knows that it is none */

/* --- partitions -----------------------------------------------------------------------------
 */

static void on_partition_up(struct partition *p, bool changed) {
    struct redis *r = p->owner;
    p->server->deaf_since = 0;
    r->up = 0;
    for (unsigned i = 0; i < r->count; i++)
        r->up += r->partitions[i].up;
    if (r->first_up == 0)
        r->first_up = uv_now(r->loop);
    r->begun = r->begun || r->up == r->count;
    if (redis_has_sentinels(r))
        topology_settled(&r->topology);
    if (redis_is_cluster(r))
        slot_map_settled(&r->masters.map, p->index);
    r->events->on_up(r->owner, p, changed);
}

static void on_partition_down(struct partition *p, const char *why) {
    struct redis *r = p->owner;
    r->up--;
    r->events->on_down(r->owner, p, why);
}

static const struct partition_events partition_handlers = {.on_up = on_partition_up,
                                                           .on_down = on_partition_down};

struct partition *redis_partition(struct redis *r, struct slice name) {
    return &r->partitions[r->count == 1 ? 0 : slots_of_name(name) % r->count];
}

/* The partition whose tag stands in the name of a key or channel, or before it; NULL: none. */
static struct partition *partition_in(struct redis *r, struct slice name) {
    const char *open = name.len > 0 ? memchr(name.ptr, '{', name.len) : NULL;
    if (open == NULL)
        return NULL;
    size_t rest = name.len - (size_t)(open + 1 - name.ptr);
    const char *close = memchr(open + 1, '}', rest < 8 ? rest : 8);
    if (close == NULL)
        return NULL;
    int index = slots_partition((struct slice){open + 1, (size_t)(close - open - 1)});
    return index >= 0 && (unsigned)index < r->count ? &r->partitions[index] : NULL;
}

/* --- servers --------------------------------------------------------------------------------
 */

static void rise_all(struct redis *r, struct server *s) {
    bool asked = false;
    for (unsigned i = 0; i < r->count; i++) {
        if (r->partitions[i].server == s)
            asked = partition_rise(&r->partitions[i]) || asked;
    }
    if (!asked)
        server_settled(s);
}

static void on_ready(struct server *s) {
    struct redis *r = s->owner;
    if (!redis_is_cluster(r) || masters_ready(&r->masters, s))
        rise_all(r, s);
}

static void all_fall(struct redis *r, struct server *s, const char *why) {
    s->deaf_since = 0;
    for (unsigned i = 0; i < r->count; i++) {
        if (r->partitions[i].server == s)
            partition_fall(&r->partitions[i], why);
    }
}

static void on_down(struct server *s, const char *why) {
    all_fall(s->owner, s, why);
}

/* Commands go on meanwhile. When Redis hears again, messages that were published in between are
 * read from the logs. */
static void on_deaf(struct server *s) {
    struct redis *r = s->owner;
    if (s->deaf_since == 0)
        s->deaf_since = uv_now(r->loop);
    for (unsigned i = 0; i < r->count; i++) {
        if (r->partitions[i].server == s)
            partition_deafen(&r->partitions[i]);
    }
}

static void on_doubt(struct server *s) {
    struct redis *r = s->owner;
    if (redis_has_sentinels(r))
        topology_doubt(&r->topology);
    for (unsigned i = 0; redis_is_cluster(r) && i < r->count; i++) {
        if (r->partitions[i].server == s)
            slot_map_doubt(&r->masters.map, i);
    }
}

static void on_hears(struct server *s) {
    struct redis *r = s->owner;
    for (unsigned i = 0; i < r->count; i++) {
        if (r->partitions[i].server == s)
            subscriptions_renew(&r->partitions[i].subscriptions);
    }
    if (r->partitions[0].server != s)
        return;
    subscriptions_renew(&r->patterns);
    if (redis_is_cluster(r))
        subscriptions_renew(&r->plain);
}

static void on_unheard(struct server *s) {
    struct redis *r = s->owner;
    for (unsigned i = 0; i < r->count; i++) {
        if (r->partitions[i].server == s)
            subscriptions_lost(&r->partitions[i].subscriptions);
    }
    if (r->partitions[0].server != s)
        return;
    subscriptions_lost(&r->patterns);
    if (redis_is_cluster(r))
        subscriptions_lost(&r->plain);
}

static void on_push(struct server *s, const struct reply *push) {
    struct redis *r = s->owner;
    struct slice kind = reply_text(reply_item(push, 0));
    if (kind.len > 1 && kind.ptr[0] == 'p') { /* pmessage, psubscribe, punsubscribe */
        if (r->partitions[0].server == s)
            subscriptions_take(&r->patterns, push);
        return;
    }
    if (!redis_is_cluster(r)) {
        partition_take(&r->partitions[0], push);
        return;
    }
    bool sharded = kind.len > 0 && kind.ptr[0] == 's' && !slice_is(kind, "subscribe");
    if (!sharded && r->partitions[0].server == s)
        subscriptions_take(&r->plain, push);
    struct partition *p = sharded ? partition_in(r, reply_text(reply_item(push, 1))) : NULL;
    if (p != NULL && p->server == s && !partition_take(p, push))
        slot_map_ask(&r->masters.map);
}

static void on_moved(struct redis *r, struct server *s, struct slice text) {
    struct redis_place to = {.port = s->address.port};
    memcpy(to.host, s->address.host, sizeof to.host);
    unsigned slot = 0;
    slot_map_ask(&r->masters.map);
    if (slice_starts(text, SLICE("MOVED")))
        s->moved_at = uv_now(r->loop);
    if (!redis_error_moved(text, &to, &slot))
        return;
    for (unsigned i = 0; i < r->masters.map.count; i++) {
        bool ours = i < r->count ? r->partitions[i].server == s : r->masters.keeper == s;
        if (!ours || r->masters.map.claims[i].slot != slot)
            continue;
        if (i < r->count)
            partition_doubt(&r->partitions[i]);
        slot_map_moved(&r->masters.map, i, &to);
    }
}

static void on_error(struct server *s, struct slice text) {
    struct redis *r = s->owner;
    r->events->on_error(r->owner, text);
    if (redis_is_cluster(r) && redis_error_moves(text))
        on_moved(r, s, text);
    if (s->commands.state != LINK_READY || !slice_is(redis_error_code(text), "STALE"))
        return;
    for (unsigned i = 0; i < r->count; i++)
        r->partitions[i].stale = r->partitions[i].stale || r->partitions[i].server == s;
    server_reset(s, "another term stands in Redis");
}

/* Unless the slots come to rest elsewhere, it is asked again for all of them. */
static void on_unsubscribed(struct server *s) {
    struct redis *r = s->owner;
    for (unsigned i = 0; i < r->count; i++) {
        if (r->partitions[i].server == s)
            partition_unheard(&r->partitions[i]);
    }
}

static bool on_moving(struct server *s, const struct command *c, struct slice text) {
    struct redis *r = s->owner;
    struct partition *p = redis_is_cluster(r) ? partition_in(r, c->tail) : &r->partitions[0];
    if (p == NULL)
        return false;
    if (!redis_error_moves(text))
        return partition_outdated(p, c);
    if (!redis_is_cluster(r))
        return false;
    on_moved(r, s, text);
    return partition_hold(p, c);
}

static const struct server_events server_handlers = {.on_ready = on_ready,
                                                     .on_down = on_down,
                                                     .on_deaf = on_deaf,
                                                     .on_unsubscribed = on_unsubscribed,
                                                     .on_doubt = on_doubt,
                                                     .on_hears = on_hears,
                                                     .on_unheard = on_unheard,
                                                     .on_push = on_push,
                                                     .on_error = on_error,
                                                     .on_moving = on_moving};

/* --- what the Sentinels tell ----------------------------------------------------------------
 */

static void on_master(void *owner, const struct redis_place *master, const char *why) {
    struct redis *r = owner;
    if (r->server.address.host[0] != '\0')
        metric_add(r->config.servers.metrics, METRIC_REDIS_MASTERS, 1);
    server_go(&r->server, master, why);
}

/* The old master would acknowledge messages that the new one never gets. What has been
 * acknowledged so far reaches the replica before it is promoted. */
static void on_failover(void *owner) {
    struct redis *r = owner;
    LOG(LOG_WARN, "redis_failover", NULL);
    server_pause(&r->server, FAILOVER_MS, "the Sentinels are about to promote a replica");
}

static const struct topology_events topology_handlers = {.on_master = on_master,
                                                         .on_failover = on_failover};

/* --- what the Cluster tells -----------------------------------------------------------------
 */

static bool in_use(void *owner, const struct server *s) {
    const struct redis *r = owner;
    for (unsigned i = 0; i < r->count; i++) {
        if (r->partitions[i].server == s)
            return true;
    }
    return false;
}

/* A master that has lost all to its replica, and does not know it yet, would acknowledge what
 * is lost: that is unknown from now on. If it knows, as after a planned failover, it answers
 * MOVED, and nothing has to fail: it is given a moment for that. */
static void leave_server(struct redis *r, struct server *s) {
    metric_add(r->config.servers.metrics, METRIC_REDIS_MASTERS, 1);
    if (in_use(r, s) || (s->moved_at != 0 && uv_now(r->loop) - s->moved_at <= DEMOTED_MS))
        return;
    s->left_at = uv_now(r->loop);
    s->commands.distrusted = true;
}

static void watch_left(struct redis *r, struct server *s) {
    if (s->left_at == 0 || uv_now(r->loop) - s->left_at < LEAVE_MS)
        return;
    s->left_at = 0;
    if (s->moved_at == 0 || uv_now(r->loop) - s->moved_at > DEMOTED_MS)
        server_reset(s, "another master has its slots");
}

static void on_place(void *owner, unsigned partition, struct server *s) {
    struct redis *r = owner;
    struct partition *p = &r->partitions[partition];
    struct server *before = p->server;
    if (before == s)
        return;
    if (partition == 0) {
        subscriptions_lost(&r->plain);
        subscriptions_lost(&r->patterns);
        r->plain.link = r->patterns.link = &s->subscriber;
        subscriptions_renew(&r->plain);
        subscriptions_renew(&r->patterns);
    }
    partition_place(p, s);
    s->left_at = 0;
    s->commands.distrusted = false;
    if (before != NULL)
        leave_server(r, before);
    if (r->masters.agreed && server_ready(s))
        partition_rise(p);
}

static void on_agreed(void *owner, struct slice theirs) {
    struct redis *r = owner;
    if (theirs.len > 0) {
        r->events->on_disagreed(
            r->owner, log_text("the nodes of this Cluster use %.*s partitions, and "
                               "redis-partitions says %u",
                               (int)(theirs.len < 20 ? theirs.len : 20), theirs.ptr, r->count));
        return;
    }
    for (unsigned i = 0; i < r->masters.count; i++) {
        if (server_ready(r->masters.all[i]))
            rise_all(r, r->masters.all[i]);
    }
}

static const struct masters_events masters_handlers = {.on_master = on_place,
                                                       .on_agreed = on_agreed};

/* --- life -----------------------------------------------------------------------------------
 */

int redis_init(struct redis *r, uv_loop_t *loop, const struct redis_config *config,
               const struct redis_events *events, void *owner) {
    memset(r, 0, sizeof *r);
    r->config = *config;
    r->events = events;
    r->owner = owner;
    r->loop = loop;
    if (!scripts_init(&r->scripts, &config->constants))
        return UV_ENOMEM;
    r->config.servers.scripts = &r->scripts;
    r->count = redis_is_cluster(r) ? config->partitions : 1;
    for (unsigned i = 0; i < r->count; i++)
        partition_init(&r->partitions[i], i, config->constants.prefix,
                       redis_is_cluster(r) ? slots_tag(i) : NULL, &partition_handlers, r);
    for (unsigned i = 0; i < r->count; i++) {
        if (!batch_init(&r->partitions[i]))
            return UV_ENOMEM;
    }
    subscriptions_init(&r->patterns, SUBSCRIPTIONS_PATTERNS);
    if (redis_is_cluster(r)) {
        struct masters_config masters = {.seeds = &config->sentinels.seeds,
                                         .login = &config->address,
                                         .prefix = config->constants.prefix,
                                         .partitions = r->count};
        subscriptions_init(&r->plain, SUBSCRIPTIONS_PLAIN);
        masters_init(&r->masters, loop, &masters, &r->config.servers, &masters_handlers,
                     &server_handlers, r);
        return 0;
    }
    server_init(&r->server, loop, &r->config.servers, &config->address, &server_handlers, r);
    partition_place(&r->partitions[0], &r->server);
    r->patterns.link = &r->server.subscriber;
    if (redis_has_sentinels(r))
        topology_init(&r->topology, loop, &config->sentinels, &topology_handlers, r);
    return 0;
}

void redis_use_tls(struct redis *r, SSL_CTX *context) {
    if (redis_is_cluster(r))
        masters_use_tls(&r->masters, context);
    else
        server_use_tls(&r->server, context);
    if (redis_has_sentinels(r))
        topology_use_tls(&r->topology, context);
}

void redis_open(struct redis *r) {
    if (redis_is_cluster(r))
        masters_open(&r->masters);
    else if (redis_has_sentinels(r))
        topology_open(&r->topology);
    else
        server_open(&r->server);
}

static void part_closed(struct redis *r) {
    if (--r->open_parts == 0)
        r->on_closed(r->owner);
}

static void on_server_closed(struct server *s, void *arg) {
    (void)s;
    part_closed(arg);
}

static void on_masters_closed(struct masters *m) {
    part_closed(m->owner);
}

static void on_topology_closed(struct topology *t) {
    part_closed(t->owner);
}

void redis_close(struct redis *r, void (*on_closed)(void *owner)) {
    r->open_parts = 1U + redis_has_sentinels(r);
    r->on_closed = on_closed;
    for (unsigned i = 0; i < r->count; i++) {
        partition_fall(&r->partitions[i], "closing");
        batch_flush(&r->partitions[i]);
    }
    if (redis_is_cluster(r)) {
        for (unsigned i = 0; i < r->count; i++)
            partition_place(&r->partitions[i], NULL);
        masters_close(&r->masters, on_masters_closed);
    } else {
        server_close(&r->server, on_server_closed, r);
    }
    if (redis_has_sentinels(r))
        topology_close(&r->topology, on_topology_closed);
}

void redis_deinit(struct redis *r) {
    for (unsigned i = 0; i < r->count; i++) {
        batch_deinit(&r->partitions[i]);
        partition_deinit(&r->partitions[i]);
    }
    subscriptions_deinit(&r->patterns);
    if (redis_is_cluster(r)) {
        subscriptions_deinit(&r->plain);
        masters_deinit(&r->masters);
    } else {
        server_deinit(&r->server);
    }
    scripts_deinit(&r->scripts);
}

/* --- use ------------------------------------------------------------------------------------
 */

unsigned redis_servers(const struct redis *r) {
    return redis_is_cluster(r) ? r->masters.count : 1;
}

const struct server *redis_server(const struct redis *r, unsigned i) {
    return redis_is_cluster(r) ? r->masters.all[i] : &r->server;
}

/* Of redis-wait all: the replicas of the master of some partition; at least 1, since a master
 * that was just promoted has none until its former one is back. */
static void count_replicas(struct redis *r) {
    if (!r->config.servers.wait.all)
        return;
    if (!redis_is_cluster(r)) {
        r->server.durable.replicas = topology_replicas(&r->topology);
        return;
    }
    for (unsigned i = 0; i < r->count; i++) {
        unsigned known = r->masters.map.claims[i].replicas;
        if (r->partitions[i].server != NULL)
            r->partitions[i].server->durable.replicas = known > 0 ? known : 1;
    }
}

static void watch_deaf(struct redis *r, struct server *s) {
    if (s->deaf_since != 0 && uv_now(r->loop) - s->deaf_since >= r->config.servers.timeout_ms)
        all_fall(r, s, "the subscriber link does not come back");
}

void redis_flush(struct redis *r) {
    for (unsigned i = 0; i < redis_servers(r); i++)
        watch_deaf(r, redis_is_cluster(r) ? r->masters.all[i] : &r->server);
    for (unsigned i = 0; i < r->count && (!redis_is_cluster(r) || r->masters.agreed); i++)
        partition_watch(&r->partitions[i]);
    for (unsigned i = 0; i < r->count; i++)
        batch_flush(&r->partitions[i]);
    r->begun = r->begun || (r->first_up != 0 && uv_now(r->loop) - r->first_up >= BEGIN_MS);
    count_replicas(r);
    if (redis_is_cluster(r)) {
        for (unsigned i = 0; i < r->masters.count; i++)
            watch_left(r, r->masters.all[i]);
        masters_tidy(&r->masters, in_use);
        masters_flush(&r->masters);
        return;
    }
    server_flush(&r->server);
    if (redis_has_sentinels(r))
        topology_flush(&r->topology);
}
