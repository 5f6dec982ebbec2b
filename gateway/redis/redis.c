#include "gateway/redis/redis.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "gateway/redis/errors.h"
#include "gateway/redis/eval.h"

#define ERROR_LOG_MS 1000
/* The new master is awaited for so long; Sentinels ask it each second. */
#define FAILOVER_MS 3000

/* --- both links -----------------------------------------------------------------------------
 */

static struct redis *redis_of(struct link *l) {
    return l->owner;
}

static void go_down(struct redis *r, const char *why) {
    if (!r->up)
        return;
    r->up = r->deaf = false;
    uv_timer_stop(&r->deaf_timer);
    r->events->on_down(r->owner, why);
}

static void on_deaf_long(uv_timer_t *timer) {
    go_down(timer->data, "the subscriber link does not come back");
}

/* Commands go on meanwhile. When Redis hears again, messages that were published in between are
 * read from the logs. */
static void go_deaf(struct redis *r) {
    if (!r->up || r->deaf)
        return;
    r->deaf = true;
    uv_timer_start(&r->deaf_timer, on_deaf_long, r->config.timeout_ms, 0);
}

void redis_reset(struct redis *r, const char *why) {
    LOG(LOG_WARN, "redis_reset", "why", why, NULL);
    for (unsigned i = 0; i < r->link_count; i++)
        link_reset(r->links[i], why);
}

/* --- scripts --------------------------------------------------------------------------------
 */

/* The first time on a link a script is sent as a whole. Otherwise Redis would refuse it as
 * unknown, and what is sent again comes after commands that were sent later: of many
 * connections that end at once the last one is to be the last in Redis, too. */
static bool send_script(struct redis *r, enum script script, const struct slice keys[],
                        size_t key_count, const struct slice args[], size_t arg_count,
                        redis_done done, void *arg) {
    char epoch[EVAL_EPOCH];
    char count[24];
    unsigned argc = (unsigned)(5 + key_count + arg_count);
    struct buf *b = &r->scratch;
    buf_clear(b);
    if (r->loaded[script])
        eval_put_head(b, argc, "EVALSHA", slice_of(r->scripts.sha[script]));
    else
        eval_put_head(b, argc, "EVAL", buf_bytes(&r->scripts.text[script]));
    size_t head = b->len;
    int digits = snprintf(count, sizeof count, "%zu", key_count);
    resp_bulk(b, (struct slice){count, (size_t)digits});
    for (size_t i = 0; i < key_count; i++)
        eval_put_key(b, r->config.constants.prefix, keys[i]);
    eval_fresh_epoch(epoch);
    resp_bulk(b, slice_of(r->term));
    resp_bulk(b, (struct slice){epoch, sizeof epoch});
    for (size_t i = 0; i < arg_count; i++)
        resp_bulk(b, args[i]);
    if (b->failed)
        return false;
    bool sent = link_send(&r->commands, (int)script, argc, (struct slice){b->data, head},
                          (struct slice){b->data + head, b->len - head}, done, arg);
    r->loaded[script] = r->loaded[script] || sent;
    if (b->cap > (1U << 20))
        buf_deinit(b);
    return sent;
}

/* --- coming up ------------------------------------------------------------------------------
 */

static bool ask_term(void *owner, const struct slice args[3], redis_done done, void *arg) {
    return send_script(owner, SCRIPT_term, NULL, 0, args, 3, done, arg);
}

static bool has_sentinels(const struct redis *r) {
    return r->config.sentinels.seeds.count > 0;
}

static void on_risen(void *owner, struct slice term) {
    struct redis *r = owner;
    if (has_sentinels(r))
        topology_settled(&r->topology);
    bool changed = !slice_is(term, r->term);
    snprintf(r->term, sizeof r->term, "%.*s", (int)term.len, term.ptr);
    r->clock = (struct redis_clock){.learnt = 0}; /* it may be another machine */
    r->up = true;
    r->deaf = false;
    r->policy.at = 0;
    uv_timer_stop(&r->deaf_timer);
    r->lost_text[0] = '\0';
    r->events->on_up(r->owner, changed);
}

static void on_rising_failed(void *owner, const char *why) {
    redis_reset(owner, why);
}

static const struct rising_events rising_handlers = {
    .ask_term = ask_term, .on_risen = on_risen, .on_failed = on_rising_failed};

static void check_up(struct redis *r) {
    if ((!r->up || r->deaf) && durable_ready(&r->durable))
        rising_check(&r->rising);
}

/* --- what the links tell --------------------------------------------------------------------
 */

static void on_ready(struct link *l) {
    struct redis *r = redis_of(l);
    if (l == &r->commands)
        memset(r->loaded, 0, sizeof r->loaded);
    if (l == &r->subscriber) {
        r->probed = uv_now(l->loop);
        subscriptions_renew(&r->subscriptions);
        redis_probe(r); /* it is answered even when nothing is subscribed */
    }
    if (durable_astray(&r->durable))
        redis_reset(r, "the links lead to different servers");
    else
        check_up(r);
}

static void log_lost(struct redis *r, const struct link *l, const char *why) {
    bool known = l->closing || (l->attempts > 0 && strcmp(why, r->lost_text) == 0);
    LOG(known ? LOG_DEBUG : LOG_WARN, "redis_lost", "link", l->name, "why", why, NULL);
    snprintf(r->lost_text, sizeof r->lost_text, "%s", why);
}

/* A link that falls since the master is another one now needs no doubt. */
static void on_down(struct link *l, const char *why) {
    struct redis *r = redis_of(l);
    if (has_sentinels(r) && !l->moved && !l->closing && l != &r->durable.link)
        topology_doubt(&r->topology);
    log_lost(r, l, why);
    rising_fell(&r->rising, l);
    if (l == &r->subscriber)
        subscriptions_lost(&r->subscriptions);
    else
        durable_fell(&r->durable);
    if (l == &r->durable.link)
        return;
    /* If Redis refuses one link, it is no longer the Redis to which the other link leads. */
    if (l == &r->subscriber && !l->refused && !l->closing)
        go_deaf(r);
    else
        go_down(r, why);
}

/* Logs at most one line a second, since a full Redis refuses thousands of commands a second. */
static void log_error(struct redis *r, struct slice text) {
    uint64_t now = uv_now(r->commands.loop);
    if (r->error_logged != 0 && now - r->error_logged < ERROR_LOG_MS) {
        r->errors_held++;
        return;
    }
    char line[256];
    snprintf(line, sizeof line, "%.*s", (int)(text.len < 250 ? text.len : 250), text.ptr);
    LOG(LOG_WARN, "redis_error", "error", line, "more",
        r->errors_held != 0 ? log_text("%u", r->errors_held) : NULL, NULL);
    r->error_logged = now;
    r->errors_held = 0;
}

static void on_error(struct link *l, struct slice text) {
    struct redis *r = redis_of(l);
    log_error(r, text);
    snprintf(r->error_text, sizeof r->error_text, "%.*s",
             (int)(text.len < 250 ? text.len : 250), text.ptr);
    r->events->on_error(r->owner, text);
    struct slice code = redis_error_code(text);
    if (l->state != LINK_READY)
        return;
    if (slice_is(code, "READONLY") || slice_is(code, "MASTERDOWN"))
        redis_reset(r, "this Redis is no longer the master");
    if (!slice_is(code, "STALE"))
        return;
    r->rising.stale = true;
    redis_reset(r, "another term stands in Redis");
}

static void on_push(struct link *l, const struct reply *push) {
    struct redis *r = redis_of(l);
    if (slice_is(reply_text(reply_item(push, 0)), "pong"))
        r->probed = uv_now(l->loop);
    if (!l->proved) {
        link_proved(l);
        check_up(r);
    }
    subscriptions_take(&r->subscriptions, push);
}

static void put_eval(struct link *l, struct buf *out, int script, unsigned argc) {
    eval_put_head(out, argc, "EVAL", buf_bytes(&redis_of(l)->scripts.text[script]));
}

static const struct link_events link_handlers = {
    .on_ready = on_ready,
    .on_down = on_down,
    .on_push = on_push,
    .on_error = on_error,
    .put_eval = put_eval,
};

/* --- what the Sentinels tell ----------------------------------------------------------------
 */

static void on_master(void *owner, const struct redis_place *master, const char *why) {
    struct redis *r = owner;
    struct redis_address *a = &r->config.address;
    if (a->host[0] != '\0')
        metric_add(r->config.metrics, METRIC_REDIS_MASTERS, 1);
    snprintf(a->host, sizeof a->host, "%s", master->host);
    a->port = master->port;
    for (unsigned i = 0; i < r->link_count; i++)
        link_go(r->links[i], why);
}

/* The old master would acknowledge messages that the new one never gets. What has been
 * acknowledged so far reaches the replica before it is promoted. */
static void on_failover(void *owner) {
    struct redis *r = owner;
    static const char why[] = "the Sentinels are about to promote a replica";
    LOG(LOG_WARN, "redis_failover", NULL);
    for (unsigned i = 0; i < r->link_count; i++)
        link_pause(r->links[i], FAILOVER_MS, why);
}

static const struct topology_events topology_handlers = {.on_master = on_master,
                                                         .on_failover = on_failover};

/* --- public ---------------------------------------------------------------------------------
 */

int redis_init(struct redis *r, uv_loop_t *loop, const struct redis_config *config,
               const struct redis_events *events, void *owner) {
    memset(r, 0, sizeof *r);
    r->config = *config;
    r->events = events;
    r->owner = owner;
    subscriptions_init(&r->subscriptions, &r->subscriber);
    buf_init(&r->scratch);
    if (!scripts_init(&r->scripts, &config->constants))
        return UV_ENOMEM;
    snprintf(r->names[0], sizeof r->names[0], "sluice-%s", config->node);
    snprintf(r->names[1], sizeof r->names[1], "sluice-%s-sub", config->node);
    link_init(&r->commands, loop, &r->config.address, &link_handlers, r, r->names[0], false,
              config->timeout_ms);
    r->commands.metrics = config->metrics;
    link_init(&r->subscriber, loop, &r->config.address, &link_handlers, r, r->names[1], true,
              config->timeout_ms);
    r->rising = (struct rising){.commands = &r->commands,
                                .subscriber = &r->subscriber,
                                .events = &rising_handlers,
                                .owner = r,
                                .timeout_ms = config->timeout_ms};
    r->deaf_timer.data = r;
    uv_timer_init(loop, &r->deaf_timer);
    r->commands.backoff_ms = r->subscriber.backoff_ms = config->backoff_ms;
    r->durable = config->wait;
    durable_init(&r->durable, &r->commands, &link_handlers, r, config->metrics);
    r->links[r->link_count++] = &r->commands;
    r->links[r->link_count++] = &r->subscriber;
    if (durable_is_on(&r->durable))
        r->links[r->link_count++] = &r->durable.link;
    if (has_sentinels(r))
        topology_init(&r->topology, loop, &config->sentinels, &topology_handlers, r);
    return 0;
}

void redis_use_tls(struct redis *r, SSL_CTX *context) {
    for (unsigned i = 0; i < r->link_count; i++)
        r->links[i]->tls_context = context;
    if (has_sentinels(r))
        topology_use_tls(&r->topology, context);
}

void redis_open(struct redis *r) {
    if (has_sentinels(r)) {
        topology_open(&r->topology);
        return;
    }
    for (unsigned i = 0; i < r->link_count; i++)
        link_open(r->links[i]);
}

static void part_closed(struct redis *r) {
    if (--r->open_parts == 0)
        r->on_closed(r->owner);
}

static void on_link_closed(struct link *l) {
    part_closed(redis_of(l));
}

static void on_timer_closed(uv_handle_t *timer) {
    part_closed(timer->data);
}

static void on_topology_closed(struct topology *t) {
    part_closed(t->owner);
}

void redis_close(struct redis *r, void (*on_closed)(void *owner)) {
    r->open_parts = r->link_count + 1U + has_sentinels(r);
    r->on_closed = on_closed;
    for (unsigned i = 0; i < r->link_count; i++)
        link_close(r->links[i], on_link_closed);
    if (has_sentinels(r))
        topology_close(&r->topology, on_topology_closed);
    uv_close((uv_handle_t *)&r->deaf_timer, on_timer_closed);
}

void redis_deinit(struct redis *r) {
    subscriptions_deinit(&r->subscriptions);
    buf_deinit(&r->scratch);
    scripts_deinit(&r->scripts);
}

void redis_doorbell(const struct redis *r, struct buf *out, struct slice name) {
    eval_put_name(out, r->config.constants.prefix, name);
}

bool redis_script(struct redis *r, enum script script, const struct slice keys[],
                  size_t key_count, const struct slice args[], size_t arg_count,
                  redis_done done, void *arg) {
    return r->up && send_script(r, script, keys, key_count, args, arg_count, done, arg);
}

bool redis_append(struct redis *r, enum script script, const struct slice keys[],
                  size_t key_count, const struct slice args[], size_t arg_count,
                  redis_done done, void *arg) {
    if (!durable_is_on(&r->durable))
        return redis_script_asked(r, script, keys, key_count, args, arg_count, done, arg);
    struct durable_call *call = durable_begin(&r->durable, done, arg);
    if (call == NULL)
        return false;
    bool sent =
        redis_script_asked(r, script, keys, key_count, args, arg_count, durable_answered, call);
    if (!sent)
        durable_drop(call);
    return sent;
}

bool redis_publish(struct redis *r, struct slice channel, struct slice payload, redis_done done,
                   void *arg) {
    struct buf *b = &r->scratch;
    if (!r->up)
        return false;
    buf_clear(b);
    buf_str(b, "*3\r\n");
    resp_bulk(b, SLICE("PUBLISH"));
    resp_bulk(b, channel);
    resp_bulk(b, payload);
    struct slice none = {NULL, 0};
    return !b->failed && link_send(&r->commands, -1, 3, buf_bytes(b), none, done, arg);
}

struct subscription *redis_subscribe(struct redis *r, struct slice channel,
                                     const struct subscription_events *events, void *arg) {
    return subscriptions_add(&r->subscriptions, channel, events, arg);
}

void redis_unsubscribe(struct redis *r, struct subscription *s) {
    subscriptions_remove(&r->subscriptions, s);
}

bool redis_here(const struct redis *r, struct sockaddr_storage *out) {
    int size = sizeof *out;
    return r->up && !r->config.address.path &&
           uv_tcp_getsockname(&r->commands.handle.tcp, (struct sockaddr *)out, &size) == 0;
}

const char *redis_trouble(const struct redis *r) {
    const char *why = has_sentinels(r) ? topology_trouble(&r->topology) : NULL;
    if (why != NULL)
        return why;
    why = link_trouble(&r->commands);
    if (why == NULL)
        why = link_trouble(&r->subscriber);
    if (why == NULL && !durable_ready(&r->durable))
        why = "the link that waits for replicas is not ready";
    if (why == NULL && !r->up)
        why = "the subscriber link has not heard anything yet";
    if (why == NULL || !has_sentinels(r))
        return why;
    return log_text("%s, which the Sentinels name as the master: %s%s",
                    redis_place_text(&r->topology.master), why,
                    topology_holds_down(&r->topology) ? " (they hold it for down)" : "");
}

void redis_probe(struct redis *r) {
    subscriptions_probe(&r->subscriptions);
}

void redis_look(struct redis *r) {
    policy_ask(&r->policy, &r->commands);
}

uint64_t redis_probe_age(const struct redis *r) {
    return uv_now(r->commands.loop) - r->probed;
}

void redis_flush(struct redis *r) {
    rising_watch(&r->rising);
    if (r->durable.all)
        r->durable.replicas = topology_replicas(&r->topology);
    durable_flush(&r->durable);
    link_flush(&r->commands);
    link_flush(&r->subscriber);
    if (has_sentinels(r))
        topology_flush(&r->topology);
}
