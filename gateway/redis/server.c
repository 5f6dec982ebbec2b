#include "gateway/redis/server.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "gateway/redis/errors.h"
#include "gateway/redis/eval.h"
#include "gateway/redis/found.h"

#define ERROR_LOG_MS   1000
#define PROBE_AGAIN_MS 100 /* each partition asks for a probe */

static struct server *server_of(struct link *l) {
    return l->owner;
}

/* --- old connections ------------------------------------------------------------------------
 */

static void on_killed(void *arg, const struct reply *reply, enum outcome outcome) {
    struct server *s = arg;
    if (reply != NULL || outcome == OUTCOME_NONE || s->commands.state != LINK_READY)
        return;
    if (!s->kill_warned)
        LOG(LOG_WARN, "redis_client_kill", "why",
            "Redis refuses CLIENT KILL: late commands of a fallen link may arrive after newer "
            "ones",
            NULL);
    s->kill_warned = true;
}

static void end_orphans(struct server *s) {
    for (size_t i = 0; i < s->orphans.count && s->commands.state == LINK_READY; i++) {
        const struct orphan *o = &s->orphans.all[i];
        char id[24];
        if (strcmp(o->run, s->commands.greeting.run) != 0)
            continue;
        int len = snprintf(id, sizeof id, "%llu", (unsigned long long)o->id);
        struct buf command;
        struct slice none = {NULL, 0};
        buf_init(&command);
        buf_str(&command, "*4\r\n$6\r\nCLIENT\r\n$4\r\nKILL\r\n$2\r\nID\r\n");
        resp_bulk(&command, (struct slice){id, (size_t)len});
        bool sent = !command.failed &&
                    link_send(&s->commands, -1, 4, buf_bytes(&command), none, on_killed, s);
        buf_deinit(&command);
        if (!sent)
            server_reset(s, "out of memory");
    }
}

/* --- ready ----------------------------------------------------------------------------------
 */

static bool same_server(const struct server *s) {
    const struct greeting *a = &s->commands.greeting, *b = &s->subscriber.greeting;
    return strcmp(a->run, b->run) == 0 && strcmp(a->replid, b->replid) == 0;
}

bool server_ready(const struct server *s) {
    bool hears = s->subscriber.state == LINK_READY && s->subscriber.proved;
    return s->commands.state == LINK_READY && hears && same_server(s) &&
           durable_ready(&s->durable);
}

static void check(struct server *s) {
    bool both = s->commands.state == LINK_READY && s->subscriber.state == LINK_READY &&
                s->subscriber.proved;
    if (both && !same_server(s)) {
        server_reset(s, "the two links lead to different servers");
        return;
    }
    if (s->settled || !server_ready(s))
        return;
    end_orphans(s);
    if (server_ready(s))
        s->events->on_ready(s);
}

void server_settled(struct server *s) {
    if (!s->settled)
        metric_add(s->config->metrics, METRIC_REDIS_UPS, 1);
    s->settled = true;
    s->lost_text[0] = '\0';
    orphans_forget(&s->orphans, s->commands.greeting.run);
}

const char *server_trouble(const struct server *s) {
    const char *why = link_trouble(&s->commands);
    if (why == NULL)
        why = link_trouble(&s->subscriber);
    if (why == NULL && !durable_ready(&s->durable))
        why = "the link that waits for replicas is not ready";
    if (why == NULL && !server_ready(s))
        why = "the subscriber link has not heard anything yet";
    return why;
}

/* --- what the links tell --------------------------------------------------------------------
 */

static void on_ready(struct link *l) {
    struct server *s = server_of(l);
    if (l == &s->commands)
        memset(s->loaded, 0, sizeof s->loaded);
    if (l == &s->subscriber) {
        s->probed = uv_now(l->loop);
        s->probing_at = 0;
        s->events->on_hears(s);
        server_probe(s); /* it is answered even when nothing is subscribed */
    }
    if (durable_astray(&s->durable))
        server_reset(s, "the links lead to different servers");
    else
        check(s);
}

static void log_lost(struct server *s, const struct link *l, const char *why) {
    bool known = l->closing || (l->attempts > 0 && strcmp(why, s->lost_text) == 0);
    LOG(known ? LOG_DEBUG : LOG_WARN, "redis_lost", "link", l->name, "why", why, NULL);
    snprintf(s->lost_text, sizeof s->lost_text, "%s", why);
}

/* A link that falls since the master is another one now needs no doubt. */
static void on_down(struct link *l, const char *why) {
    struct server *s = server_of(l);
    if (!l->moved && !l->closing && l != &s->durable.link)
        s->events->on_doubt(s);
    log_lost(s, l, why);
    orphans_add(&s->orphans, l->greeting.run, l->greeting.id);
    l->greeting.id = 0;
    s->settled = false;
    if (l == &s->subscriber)
        s->events->on_unheard(s);
    else
        durable_fell(&s->durable);
    if (l == &s->durable.link)
        return;
    /* If Redis refuses one link, it is no longer the Redis to which the other link leads. */
    if (l == &s->subscriber && !l->refused && !l->closing)
        s->events->on_deaf(s);
    else
        s->events->on_down(s, why);
}

/* Logs at most one line a second, since a full Redis refuses thousands of commands a second. */
static void log_error(struct server *s, struct slice text) {
    uint64_t now = uv_now(s->commands.loop);
    if (s->error_logged != 0 && now - s->error_logged < ERROR_LOG_MS) {
        s->errors_held++;
        return;
    }
    char line[256];
    snprintf(line, sizeof line, "%.*s", (int)(text.len < 250 ? text.len : 250), text.ptr);
    LOG(LOG_WARN, "redis_error", "error", line, "more",
        s->errors_held != 0 ? log_text("%u", s->errors_held) : NULL, NULL);
    s->error_logged = now;
    s->errors_held = 0;
}

static void on_error(struct link *l, struct slice text) {
    struct server *s = server_of(l);
    log_error(s, text);
    snprintf(s->error_text, sizeof s->error_text, "%.*s",
             (int)(text.len < 250 ? text.len : 250), text.ptr);
    s->events->on_error(s, text);
    if (l == &s->subscriber && l->state == LINK_READY && redis_error_moves(text))
        s->events->on_unsubscribed(s);
    struct slice code = redis_error_code(text);
    if (l->state == LINK_READY && (slice_is(code, "READONLY") || slice_is(code, "MASTERDOWN")))
        server_reset(s, "this Redis is no longer the master");
}

static void on_push(struct link *l, const struct reply *push) {
    struct server *s = server_of(l);
    if (push->type != REPLY_ARRAY || slice_is(reply_text(reply_item(push, 0)), "pong"))
        s->probed = uv_now(l->loop);
    if (!l->proved) {
        link_proved(l);
        check(s);
    }
    if (push->type == REPLY_ARRAY)
        s->events->on_push(s, push);
}

static bool on_moving(struct link *l, const struct command *c, struct slice text) {
    struct server *s = server_of(l);
    return s->events->on_moving(s, c, text);
}

/* It was sent a moment ago, so Redis has it. */
static void on_found(struct link *l, const struct command *c, const struct reply *reply) {
    struct server *s = server_of(l);
    struct buf tail;
    unsigned added = 0;
    buf_init(&tail);
    buf_clear(&s->scratch);
    bool sent = found_tail(&tail, c->tail, reply, s->config->scripts->partitions, &added);
    eval_put_head(&s->scratch, c->argc + added, "EVALSHA",
                  slice_of(s->config->scripts->sha[c->script]));
    sent = sent && !s->scratch.failed &&
           server_send(s, c->script, c->argc + added, buf_bytes(&s->scratch), buf_bytes(&tail),
                       c->done, c->arg);
    buf_deinit(&tail);
    if (!sent && c->done != NULL)
        c->done(c->arg, NULL, OUTCOME_REFUSED);
}

static void put_eval(struct link *l, struct buf *out, int script, unsigned argc) {
    eval_put_head(out, argc, "EVAL", buf_bytes(&server_of(l)->config->scripts->text[script]));
}

static void on_unread(struct link *l, int script) {
    server_of(l)->loaded[script] = false;
}

static const struct link_events link_handlers = {
    .on_ready = on_ready,
    .on_down = on_down,
    .on_push = on_push,
    .on_error = on_error,
    .on_found = on_found,
    .on_moving = on_moving,
    .put_eval = put_eval,
    .on_unread = on_unread,
};

/* --- use ------------------------------------------------------------------------------------
 */

bool server_send(struct server *s, int script, unsigned argc, struct slice head,
                 struct slice tail, redis_done done, void *arg) {
    return link_send(&s->commands, script, argc, head, tail, done, arg);
}

void server_probe(struct server *s) {
    struct slice none = {NULL, 0};
    uint64_t now = uv_now(s->subscriber.loop);
    if (s->subscriber.state != LINK_READY || now - s->probing_at < PROBE_AGAIN_MS)
        return;
    s->probing_at = now;
    if (!link_send(&s->subscriber, -1, 1, SLICE("*1\r\n$4\r\nPING\r\n"), none, NULL, NULL))
        link_reset(&s->subscriber, "out of memory");
}

uint64_t server_probe_age(const struct server *s) {
    return uv_now(s->commands.loop) - s->probed;
}

void server_look(struct server *s) {
    policy_ask(&s->policy, &s->commands);
}

/* A link may fall silent just after its greeting. A server that is not ready has nobody who
 * would notice: leases probe only the links of partitions that are up. */
static void watch_first_word(struct server *s) {
    struct link *l = &s->subscriber;
    if (l->state == LINK_READY && !l->proved && uv_now(l->loop) - l->ready_at > l->timeout_ms)
        link_reset(l, "it has heard nothing in time");
}

void server_flush(struct server *s) {
    watch_first_word(s);
    durable_watch(&s->durable);
    durable_flush(&s->durable);
    link_flush(&s->commands);
    link_flush(&s->subscriber);
}

/* --- life -----------------------------------------------------------------------------------
 */

void server_init(struct server *s, uv_loop_t *loop, const struct server_config *config,
                 const struct redis_address *address, const struct server_events *events,
                 void *owner) {
    memset(s, 0, sizeof *s);
    s->config = config;
    s->events = events;
    s->owner = owner;
    s->address = *address;
    buf_init(&s->scratch);
    snprintf(s->names[0], sizeof s->names[0], "sluice-%s", config->node);
    snprintf(s->names[1], sizeof s->names[1], "sluice-%s-sub", config->node);
    link_init(&s->commands, loop, &s->address, &link_handlers, s, s->names[0], false,
              config->timeout_ms);
    s->commands.metrics = config->metrics;
    link_init(&s->subscriber, loop, &s->address, &link_handlers, s, s->names[1], true,
              config->timeout_ms);
    s->commands.backoff_ms = s->subscriber.backoff_ms = config->backoff_ms;
    s->durable = config->wait;
    durable_init(&s->durable, &s->commands, &link_handlers, s, config->metrics);
    s->links[s->link_count++] = &s->commands;
    s->links[s->link_count++] = &s->subscriber;
    if (durable_is_on(&s->durable))
        s->links[s->link_count++] = &s->durable.link;
}

void server_use_tls(struct server *s, SSL_CTX *context) {
    for (unsigned i = 0; i < s->link_count; i++)
        s->links[i]->tls_context = context;
}

void server_open(struct server *s) {
    for (unsigned i = 0; i < s->link_count; i++)
        link_open(s->links[i]);
}

static void on_link_closed(struct link *l) {
    struct server *s = server_of(l);
    if (--s->open_links == 0)
        s->on_closed(s, s->closed_arg);
}

void server_close(struct server *s, void (*on_closed)(struct server *s, void *arg), void *arg) {
    s->open_links = s->link_count;
    s->on_closed = on_closed;
    s->closed_arg = arg;
    for (unsigned i = 0; i < s->link_count; i++)
        link_close(s->links[i], on_link_closed);
}

void server_deinit(struct server *s) {
    buf_deinit(&s->scratch);
}

void server_reset(struct server *s, const char *why) {
    LOG(LOG_WARN, "redis_reset", "why", why, NULL);
    for (unsigned i = 0; i < s->link_count; i++)
        link_reset(s->links[i], why);
}

void server_go(struct server *s, const struct redis_place *to, const char *why) {
    snprintf(s->address.host, sizeof s->address.host, "%s", to->host);
    s->address.port = to->port;
    for (unsigned i = 0; i < s->link_count; i++)
        link_go(s->links[i], why);
}

void server_pause(struct server *s, uint64_t ms, const char *why) {
    for (unsigned i = 0; i < s->link_count; i++)
        link_pause(s->links[i], ms, why);
}
