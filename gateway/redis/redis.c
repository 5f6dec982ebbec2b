#include "gateway/redis/redis.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "gateway/redis/errors.h"

/* The new master is awaited for so long; Sentinels ask it each second. */
#define FAILOVER_MS 3000

static bool has_sentinels(const struct redis *r) {
    return r->config.sentinels.seeds.count > 0;
}

/* --- partitions -----------------------------------------------------------------------------
 */

static void on_partition_up(struct partition *p, bool changed) {
    struct redis *r = p->owner;
    r->up += 1;
    if (has_sentinels(r))
        topology_settled(&r->topology);
    uv_timer_stop(&r->deaf_timer);
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

/* --- servers --------------------------------------------------------------------------------
 */

static void on_ready(struct server *s) {
    struct redis *r = s->owner;
    bool asked = false;
    for (unsigned i = 0; i < r->count; i++) {
        if (r->partitions[i].server == s)
            asked = partition_rise(&r->partitions[i]) || asked;
    }
    if (!asked)
        server_settled(s);
}

static void all_fall(struct redis *r, const struct server *s, const char *why) {
    for (unsigned i = 0; i < r->count; i++) {
        if (r->partitions[i].server == s)
            partition_fall(&r->partitions[i], why);
    }
}

static void on_down(struct server *s, const char *why) {
    struct redis *r = s->owner;
    uv_timer_stop(&r->deaf_timer);
    all_fall(r, s, why);
}

static void on_deaf_long(uv_timer_t *timer) {
    struct redis *r = timer->data;
    all_fall(r, &r->server, "the subscriber link does not come back");
}

/* Commands go on meanwhile. When Redis hears again, messages that were published in between are
 * read from the logs. */
static void on_deaf(struct server *s) {
    struct redis *r = s->owner;
    if (!redis_any_up(r) || uv_is_active((uv_handle_t *)&r->deaf_timer))
        return;
    for (unsigned i = 0; i < r->count; i++)
        partition_deafen(&r->partitions[i]);
    uv_timer_start(&r->deaf_timer, on_deaf_long, s->config->timeout_ms, 0);
}

static void on_doubt(struct server *s) {
    struct redis *r = s->owner;
    if (has_sentinels(r))
        topology_doubt(&r->topology);
}

static void on_hears(struct server *s) {
    struct redis *r = s->owner;
    for (unsigned i = 0; i < r->count; i++)
        subscriptions_renew(&r->partitions[i].subscriptions);
}

static void on_unheard(struct server *s) {
    struct redis *r = s->owner;
    for (unsigned i = 0; i < r->count; i++)
        subscriptions_lost(&r->partitions[i].subscriptions);
}

static void on_push(struct server *s, const struct reply *push) {
    struct redis *r = s->owner;
    for (unsigned i = 0; i < r->count; i++)
        subscriptions_take(&r->partitions[i].subscriptions, push);
}

static void on_error(struct server *s, struct slice text) {
    struct redis *r = s->owner;
    r->events->on_error(r->owner, text);
    if (s->commands.state != LINK_READY || !slice_is(redis_error_code(text), "STALE"))
        return;
    for (unsigned i = 0; i < r->count; i++)
        r->partitions[i].stale = r->partitions[i].stale || r->partitions[i].server == s;
    server_reset(s, "another term stands in Redis");
}

static const struct server_events server_handlers = {.on_ready = on_ready,
                                                     .on_down = on_down,
                                                     .on_deaf = on_deaf,
                                                     .on_doubt = on_doubt,
                                                     .on_hears = on_hears,
                                                     .on_unheard = on_unheard,
                                                     .on_push = on_push,
                                                     .on_error = on_error};

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
    server_init(&r->server, loop, &r->config.servers, &config->address, &server_handlers, r);
    r->count = config->partitions;
    for (unsigned i = 0; i < r->count; i++) {
        partition_init(&r->partitions[i], i, config->constants.prefix,
                       r->count > 1 ? slots_tag(i) : NULL, &partition_handlers, r);
        r->partitions[i].subscriptions.sharded = config->constants.sharded;
        partition_place(&r->partitions[i], &r->server);
    }
    r->deaf_timer.data = r;
    uv_timer_init(loop, &r->deaf_timer);
    if (has_sentinels(r))
        topology_init(&r->topology, loop, &config->sentinels, &topology_handlers, r);
    return 0;
}

void redis_use_tls(struct redis *r, SSL_CTX *context) {
    server_use_tls(&r->server, context);
    if (has_sentinels(r))
        topology_use_tls(&r->topology, context);
}

void redis_open(struct redis *r) {
    if (has_sentinels(r))
        topology_open(&r->topology);
    else
        server_open(&r->server);
}

static void part_closed(struct redis *r) {
    if (--r->open_parts == 0)
        r->on_closed(r->owner);
}

static void on_server_closed(struct server *s) {
    part_closed(s->owner);
}

static void on_timer_closed(uv_handle_t *timer) {
    part_closed(timer->data);
}

static void on_topology_closed(struct topology *t) {
    part_closed(t->owner);
}

void redis_close(struct redis *r, void (*on_closed)(void *owner)) {
    r->open_parts = 2U + has_sentinels(r);
    r->on_closed = on_closed;
    server_close(&r->server, on_server_closed);
    if (has_sentinels(r))
        topology_close(&r->topology, on_topology_closed);
    uv_close((uv_handle_t *)&r->deaf_timer, on_timer_closed);
}

void redis_deinit(struct redis *r) {
    for (unsigned i = 0; i < r->count; i++)
        partition_deinit(&r->partitions[i]);
    server_deinit(&r->server);
    scripts_deinit(&r->scripts);
}

/* --- use ------------------------------------------------------------------------------------
 */

bool redis_publish(struct redis *r, struct slice channel, struct slice payload, redis_done done,
                   void *arg) {
    struct server *s = r->partitions[0].server;
    struct slice none = {NULL, 0};
    if (!redis_up(&r->partitions[0]))
        return false;
    buf_clear(&s->scratch);
    buf_str(&s->scratch, "*3\r\n");
    resp_bulk(&s->scratch, SLICE("PUBLISH"));
    resp_bulk(&s->scratch, channel);
    resp_bulk(&s->scratch, payload);
    return !s->scratch.failed && server_send(s, -1, 3, buf_bytes(&s->scratch), none, done, arg);
}

struct subscription *redis_listen(struct redis *r, struct slice channel,
                                  const struct subscription_events *events, void *arg) {
    return redis_subscribe(&r->partitions[0], channel, events, arg);
}

void redis_unlisten(struct redis *r, struct subscription *s) {
    redis_unsubscribe(&r->partitions[0], s);
}

const char *redis_trouble(const struct redis *r) {
    const char *why = has_sentinels(r) ? topology_trouble(&r->topology) : NULL;
    if (why != NULL)
        return why;
    why = server_trouble(&r->server);
    if (why == NULL && !redis_any_up(r))
        why = "the term was not told yet";
    if (why == NULL || !has_sentinels(r))
        return why;
    return log_text("%s, which the Sentinels name as the master: %s%s",
                    redis_place_text(&r->topology.master), why,
                    topology_holds_down(&r->topology) ? " (they hold it for down)" : "");
}

const char *redis_error(const struct redis *r) {
    return r->server.error_text;
}

unsigned redis_pending(const struct redis *r) {
    return r->server.commands.pipeline.in_flight;
}

size_t redis_backlog(const struct redis *r) {
    return r->server.commands.pipeline.out.len + r->server.commands.pipeline.writing.len;
}

size_t redis_held(const struct redis *r) {
    return server_held(&r->server);
}

void redis_flush(struct redis *r) {
    for (unsigned i = 0; i < r->count; i++)
        partition_watch(&r->partitions[i]);
    if (r->server.durable.all)
        r->server.durable.replicas = topology_replicas(&r->topology);
    server_flush(&r->server);
    if (has_sentinels(r))
        topology_flush(&r->topology);
}
