#include "gateway/redis/partition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/random.h"
#include "gateway/redis/eval.h"

#define NEVER_A_KEY "presence" /* a bell: no key has its name */

/* --- scripts --------------------------------------------------------------------------------
 */

static void put_key(struct buf *b, const char *open, struct slice name, const char *close) {
    buf_printf(b, "$%zu\r\n", strlen(open) + name.len + strlen(close));
    buf_str(b, open);
    buf_slice(b, name);
    buf_str(b, close);
    buf_append(b, "\r\n", 2);
}

static void put_keys(const struct partition *p, struct buf *b, const struct slice keys[],
                     size_t key_count) {
    char count[24];
    bool more = p->declares || key_count == 0;
    int digits = snprintf(count, sizeof count, "%zu", key_count + more);
    resp_bulk(b, (struct slice){count, (size_t)digits});
    for (size_t i = 0; i < key_count; i++)
        put_key(b, p->open, keys[i], p->close);
    if (more)
        put_key(b, p->head, SLICE(NEVER_A_KEY), "");
}

/* The first time on a link a script is sent as a whole. Otherwise Redis would refuse it as
 * unknown, and what is sent again comes after commands that were sent later: of many
 * connections that end at once the last one is to be the last in Redis, too. */
static bool send_script(struct partition *p, enum script script, const struct slice keys[],
                        size_t key_count, const struct slice args[], size_t arg_count,
                        redis_done done, void *arg) {
    char epoch[EVAL_EPOCH];
    struct server *s = p->server;
    const struct scripts *scripts = s->config->scripts;
    unsigned argc = (unsigned)(5 + key_count + (p->declares || key_count == 0) + arg_count);
    struct buf *b = &s->scratch;
    buf_clear(b);
    if (s->loaded[script])
        eval_put_head(b, argc, "EVALSHA", slice_of(scripts->sha[script]));
    else
        eval_put_head(b, argc, "EVAL", buf_bytes(&scripts->text[script]));
    size_t head = b->len;
    put_keys(p, b, keys, key_count);
    eval_fresh_epoch(epoch);
    resp_bulk(b, slice_of(p->term));
    resp_bulk(b, (struct slice){epoch, sizeof epoch});
    for (size_t i = 0; i < arg_count; i++)
        resp_bulk(b, args[i]);
    if (b->failed)
        return false;
    bool sent = server_send(s, (int)script, argc, (struct slice){b->data, head},
                            (struct slice){b->data + head, b->len - head}, done, arg);
    s->loaded[script] = s->loaded[script] || sent;
    if (b->cap > (1U << 20))
        buf_deinit(b);
    return sent;
}

bool redis_script(struct partition *p, enum script script, const struct slice keys[],
                  size_t key_count, const struct slice args[], size_t arg_count,
                  redis_done done, void *arg) {
    return p->up && send_script(p, script, keys, key_count, args, arg_count, done, arg);
}

bool redis_is_full(const struct partition *p) {
    return p->server != NULL && pipeline_held(&p->server->commands.pipeline) >= REDIS_HELD_MOST;
}

bool redis_append(struct partition *p, enum script script, const struct slice keys[],
                  size_t key_count, const struct slice args[], size_t arg_count,
                  redis_done done, void *arg) {
    if (p->server == NULL || !durable_is_on(&p->server->durable))
        return redis_script_asked(p, script, keys, key_count, args, arg_count, done, arg);
    struct durable_call *call = durable_begin(&p->server->durable, done, arg);
    if (call == NULL)
        return false;
    bool sent =
        redis_script_asked(p, script, keys, key_count, args, arg_count, durable_answered, call);
    if (!sent)
        durable_drop(call);
    return sent;
}

/* --- coming up ------------------------------------------------------------------------------
 */

static void risen(struct partition *p, struct slice term) {
    bool changed = !slice_is(term, p->term);
    server_settled(p->server);
    snprintf(p->term, sizeof p->term, "%.*s", (int)term.len, term.ptr);
    p->clock = (struct redis_clock){.learnt = 0}; /* it may be another machine */
    p->up = true;
    p->deaf = p->stale = false;
    p->events->on_up(p, changed);
}

struct question {
    struct partition *partition;
    const struct server *server;
};

static void on_term(void *arg, const struct reply *reply, enum outcome outcome) {
    const struct question question = *(struct question *)arg;
    struct partition *p = question.partition;
    struct slice term = reply_text(reply_item(reply, 1));
    (void)outcome;
    free(arg);
    if (p->server != question.server)
        return; /* another one is its master now */
    p->asked = false;
    if (reply == NULL || term.len == 0 || term.len >= TERM_SIZE) {
        if (p->server != NULL && p->server->commands.state == LINK_READY)
            server_reset(p->server, "the term was not told");
        return;
    }
    if (p->server != NULL && server_ready(p->server)) /* else the other link fell meanwhile */
        risen(p, term);
}

/* A server that tells neither run_id nor replid counts as another server with each link. Then
 * the first node that greets it raises the term, and the other nodes, whose links did not fall,
 * take the new term over. */
static bool ask_term(struct partition *p) {
    const struct greeting *g = &p->server->commands.greeting;
    char made[24];
    bool known = g->run[0] != '\0' || g->replid[0] != '\0';
    snprintf(made, sizeof made, "link-%016llx", (unsigned long long)random_u64());
    struct slice args[] = {known ? slice_of(g->run) : slice_of(made), slice_of(g->replid),
                           p->stale && !known ? SLICE("1") : SLICE("0")};
    struct question *question = malloc(sizeof *question);
    if (question == NULL)
        return false;
    *question = (struct question){.partition = p, .server = p->server};
    if (send_script(p, SCRIPT_term, NULL, 0, args, 3, on_term, question))
        return true;
    free(question);
    return false;
}

bool partition_rise(struct partition *p) {
    if (p->asked || (p->up && !p->deaf))
        return p->asked;
    p->asked = ask_term(p);
    p->since = uv_now(p->server->commands.loop);
    if (!p->asked)
        server_reset(p->server, "out of memory");
    return true;
}

void partition_fall(struct partition *p, const char *why) {
    if (!p->up)
        return;
    p->up = p->deaf = false;
    p->events->on_down(p, why);
}

void partition_deafen(struct partition *p) {
    p->deaf = p->up;
}

void partition_watch(struct partition *p) {
    if (!p->asked ||
        uv_now(p->server->commands.loop) - p->since <= p->server->config->timeout_ms)
        return;
    p->asked = false;
    server_reset(p->server, "the term is not told in time");
}

void partition_place(struct partition *p, struct server *server) {
    if (p->server == server)
        return;
    partition_fall(p, "another server is its master");
    subscriptions_lost(&p->subscriptions);
    p->server = server;
    p->asked = false;
    p->subscriptions.link = server != NULL ? &server->subscriber : NULL;
    if (server != NULL && server->subscriber.state == LINK_READY)
        subscriptions_renew(&p->subscriptions);
}

/* --- subscriptions --------------------------------------------------------------------------
 */

struct subscription *redis_subscribe(struct partition *p, struct slice channel,
                                     const struct subscription_events *events, void *arg) {
    return subscriptions_add(&p->subscriptions, channel, events, arg);
}

void redis_unsubscribe(struct partition *p, struct subscription *s) {
    subscriptions_remove(&p->subscriptions, s);
}

void redis_doorbell(const struct partition *p, struct buf *out, struct slice name) {
    buf_str(out, p->open);
    buf_slice(out, name);
    buf_str(out, p->close);
}

void redis_bell(const struct partition *p, struct buf *out, const char *name) {
    buf_str(out, p->head);
    buf_str(out, name);
}

/* --- the server -----------------------------------------------------------------------------
 */

void redis_probe(struct partition *p) {
    if (p->server != NULL)
        server_probe(p->server);
}

uint64_t redis_probe_age(const struct partition *p) {
    return p->server != NULL ? server_probe_age(p->server) : 0;
}

void redis_look(struct partition *p) {
    if (p->server != NULL)
        server_look(p->server);
}

void redis_reset(struct partition *p, const char *why) {
    if (p->server != NULL)
        server_reset(p->server, why);
}

bool redis_here(const struct partition *p, struct sockaddr_storage *out) {
    int size = sizeof *out;
    return p->up && !p->server->address.path &&
           uv_tcp_getsockname(&p->server->commands.handle.tcp, (struct sockaddr *)out, &size) ==
               0;
}

/* --- life -----------------------------------------------------------------------------------
 */

void partition_init(struct partition *p, unsigned index, const char *prefix, const char *tag,
                    const struct partition_events *events, void *owner) {
    *p = (struct partition){.index = index, .events = events, .owner = owner};
    if (tag == NULL)
        snprintf(p->head, sizeof p->head, "%s", prefix);
    else
        snprintf(p->head, sizeof p->head, "%s{%s}", prefix, tag);
    snprintf(p->open, sizeof p->open, "%s%s", p->head, tag == NULL ? "{" : "");
    snprintf(p->close, sizeof p->close, "%s", tag == NULL ? "}" : "");
    p->declares = tag != NULL;
    subscriptions_init(&p->subscriptions, tag != NULL);
}

void partition_deinit(struct partition *p) {
    subscriptions_deinit(&p->subscriptions);
}
