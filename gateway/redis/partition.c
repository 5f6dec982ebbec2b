#include "gateway/redis/partition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/random.h"
#include "gateway/redis/errors.h"
#include "gateway/redis/eval.h"

#define NEVER_A_KEY "presence" /* a bell: no key has its name */
#define HOLD_MS     2000       /* a slot that moves longer is refused */
#define PROBE_MS    50
#define RISE_MS     200
#define DENIED_MS   5000 /* until the term is asked for again, if a permission is missing */
#define UNHEARD_MS  1000 /* for how long a lost subscription waits for the slot's new master */

/* --- scripts --------------------------------------------------------------------------------
 */

/* What a call declares. */
struct call {
    const struct declared *declared;
    bool whole;
    size_t count; /* of all its keys */
};

static struct call call_of(const struct partition *p, enum script script, size_t key_count,
                           const struct slice args[], size_t arg_count) {
    const struct declared *d = &p->server->config->scripts->keys[script];
    bool whole = declared_whole(d, args, arg_count);
    return (struct call){d, whole, declared_count(d, key_count, whole) + p->declares};
}

static void put_keys(const struct partition *p, struct buf *b, const struct call *c,
                     const struct slice keys[], size_t key_count, struct slice first) {
    const struct declared_names around = {slice_of(p->head), slice_of(p->open),
                                          slice_of(p->close), first};
    char digits[DIGITS_SIZE];
    resp_bulk(b, slice_digits(c->count, digits));
    declared_put(c->declared, b, &around, keys, key_count, c->whole);
    if (p->declares)
        resp_bulk(b, slice_of(p->never_a_key));
}

/* Appends all arguments of a script. */
static bool put_tail(struct partition *p, struct buf *b, const struct call *c,
                     const struct slice keys[], size_t key_count, const struct slice args[],
                     size_t arg_count) {
    char epoch[EVAL_EPOCH];
    put_keys(p, b, c, keys, key_count, arg_count > 0 ? args[0] : (struct slice){NULL, 0});
    eval_fresh_epoch(epoch);
    resp_bulk(b, slice_of(p->term));
    resp_bulk(b, (struct slice){epoch, sizeof epoch});
    for (size_t i = 0; i < arg_count; i++)
        resp_bulk(b, args[i]);
    return !b->failed;
}

/* The first time on a link a script is sent as a whole. Otherwise Redis would refuse it as
 * unknown, and what is sent again comes after commands that were sent later: of many
 * connections that end at once the last one is to be the last in Redis, too. */
static void put_head(struct server *s, struct buf *b, int script, unsigned argc) {
    const struct scripts *scripts = s->config->scripts;
    if (s->loaded[script])
        eval_put_head(b, argc, "EVALSHA", slice_of(scripts->sha[script]));
    else
        eval_put_head(b, argc, "EVAL", buf_bytes(&scripts->text[script]));
}

/* The buffer has head and tail. */
static bool send_put(struct server *s, int script, unsigned argc, size_t head, redis_done done,
                     void *arg) {
    struct buf *b = &s->scratch;
    bool sent =
        !b->failed && server_send(s, script, argc, (struct slice){b->data, head},
                                  (struct slice){b->data + head, b->len - head}, done, arg);
    if (sent && !s->loaded[script])
        s->commands.pipeline.last->whole = s->loaded[script] = true;
    if (b->cap > (1U << 20))
        buf_deinit(b);
    return sent;
}

static unsigned count_args(const struct call *c, size_t arg_count) {
    return (unsigned)(5 + c->count + arg_count);
}

static bool send_script(struct partition *p, enum script script, const struct slice keys[],
                        size_t key_count, const struct slice args[], size_t arg_count,
                        redis_done done, void *arg) {
    struct server *s = p->server;
    struct call call = call_of(p, script, key_count, args, arg_count);
    unsigned argc = count_args(&call, arg_count);
    buf_clear(&s->scratch);
    put_head(s, &s->scratch, (int)script, argc);
    size_t head = s->scratch.len;
    return put_tail(p, &s->scratch, &call, keys, key_count, args, arg_count) &&
           send_put(s, (int)script, argc, head, done, arg);
}

/* --- a slot that moves ----------------------------------------------------------------------
 */

static uint64_t now_of(const struct partition *p) {
    return uv_now(p->server->commands.loop);
}

static bool is_held(const struct partition *p) {
    return p->moving != 0 || p->held.since != 0;
}

static bool has_room(const struct partition *p, size_t more) {
    return p->held.bytes + more < REDIS_HELD_MOST;
}

static bool hold_script(struct partition *p, enum script script, const struct slice keys[],
                        size_t key_count, const struct slice args[], size_t arg_count,
                        redis_done done, void *arg) {
    struct call call = call_of(p, script, key_count, args, arg_count);
    struct buf *b = &p->server->scratch;
    buf_clear(b);
    return put_tail(p, b, &call, keys, key_count, args, arg_count) && has_room(p, b->len) &&
           held_push(&p->held, now_of(p), (int)script, count_args(&call, arg_count),
                     buf_bytes(b), done, arg);
}

static bool send_held(struct partition *p, struct held_script *h) {
    struct server *s = p->server;
    buf_clear(&s->scratch);
    put_head(s, &s->scratch, h->script, h->argc);
    size_t head = s->scratch.len;
    if (h->done == durable_answered)
        durable_move(h->arg, &s->durable);
    return held_tail(&s->scratch, (struct slice){h->tail, h->len}, slice_of(p->term)) &&
           send_put(s, h->script, h->argc, head, h->done, h->arg);
}

static void release(struct partition *p) {
    for (struct held_script *h = held_pop(&p->held); h != NULL; h = held_pop(&p->held)) {
        if (!send_held(p, h) && h->done != NULL)
            h->done(h->arg, NULL, OUTCOME_REFUSED);
        free(h);
    }
}

struct question {
    struct partition *partition;
    const struct server *server;
};

/* A script without effect: does the master serve the slot again? */
static void on_probed(void *arg, const struct reply *reply, enum outcome outcome) {
    const struct question question = *(struct question *)arg;
    struct partition *p = question.partition;
    (void)outcome;
    free(arg);
    p->probing = false;
    if (p->server != question.server || !p->up || p->moving != 0)
        return;
    p->probe_at = now_of(p) + PROBE_MS;
    if (reply != NULL)
        release(p);
}

/* The partition's own questions, how the slot is, are not held with those that wait for it. */
bool partition_hold(struct partition *p, const struct command *c) {
    bool own = c->done == on_probed || c->script == SCRIPT_term;
    if (own || !p->up || !has_room(p, c->tail.len))
        return false;
    p->probe_at = now_of(p) + PROBE_MS;
    return held_push(&p->held, now_of(p), c->script, c->argc, c->tail, c->done, c->arg);
}

static bool send_question(struct partition *p, enum script script, const struct slice args[],
                          size_t count, redis_done done) {
    struct question *question = malloc(sizeof *question);
    if (question == NULL)
        return false;
    *question = (struct question){.partition = p, .server = p->server};
    if (send_script(p, script, NULL, 0, args, count, done, question))
        return true;
    free(question);
    return false;
}

static void watch_held(struct partition *p) {
    uint64_t now = now_of(p), since = p->moving != 0 ? p->moving : p->held.since;
    if (now - since >= HOLD_MS) {
        p->moving = 0;
        partition_fall(p, "its slot moves to another master, and does not come to rest");
        p->probe_at = now + RISE_MS;
    } else if (p->declares && p->moving == 0 && !p->asked && !p->probing &&
               now >= p->probe_at) {
        p->probing = send_question(p, SCRIPT_peers, NULL, 0, on_probed);
        p->probe_at = now + PROBE_MS;
    }
}

/* --- scripts, in use ------------------------------------------------------------------------
 */

bool redis_script(struct partition *p, enum script script, const struct slice keys[],
                  size_t key_count, const struct slice args[], size_t arg_count,
                  redis_done done, void *arg) {
    if (!p->up)
        return false;
    if (is_held(p))
        return hold_script(p, script, keys, key_count, args, arg_count, done, arg);
    return send_script(p, script, keys, key_count, args, arg_count, done, arg);
}

bool redis_is_full(const struct partition *p) {
    return p->server != NULL &&
           pipeline_held(&p->server->commands.pipeline) + p->appending_bytes >= REDIS_HELD_MOST;
}

bool redis_durable(struct partition *p, enum script script, const struct slice keys[],
                   size_t key_count, const struct slice args[], size_t arg_count,
                   redis_done done, void *arg) {
    if (!p->up || !durable_is_on(&p->server->durable))
        return redis_script(p, script, keys, key_count, args, arg_count, done, arg);
    struct durable_call *call = durable_begin(&p->server->durable, &p->part, done, arg);
    if (call == NULL)
        return false;
    bool sent =
        redis_script(p, script, keys, key_count, args, arg_count, durable_answered, call);
    if (!sent)
        durable_drop(call);
    return sent;
}

/* --- coming up ------------------------------------------------------------------------------
 */

static bool is_known(const struct greeting *g) {
    return g->run[0] != '\0' || g->replid[0] != '\0';
}

/* Has the term changed since another node greeted a server that tells no ids? To this node,
 * whose link stood all the time, it is the same server. */
static bool is_same(const struct partition *p) {
    return p->up && !p->deaf && !is_known(&p->server->commands.greeting);
}

static void risen(struct partition *p, struct slice term) {
    bool other = !slice_is(term, p->term);
    p->stood = is_same(p);
    server_settled(p->server);
    if (p->stood && !other) { /* it was asked for twice */
        p->stale = false;
        release(p);
        return;
    }
    bool changed = other && !p->stood;
    p->server->probed = now_of(p); /* the link may have stood for long without a question */
    snprintf(p->term, sizeof p->term, "%.*s", (int)term.len, term.ptr);
    p->clock = (struct redis_clock){.learnt = 0}; /* it may be another machine */
    p->up = true;
    p->deaf = p->stale = false;
    p->moving = 0;
    release(p);
    p->events->on_up(p, changed);
}

static void on_term(void *arg, const struct reply *reply, enum outcome outcome) {
    const struct question question = *(struct question *)arg;
    struct partition *p = question.partition;
    struct slice term = reply_text(reply_item(reply, 1));
    free(arg);
    if (p->server != question.server)
        return; /* another one is its master now */
    p->asked = false;
    if (reply == NULL && outcome == OUTCOME_REFUSED && p->declares) {
        /* Its slot is not served, for one: again in a while. */
        bool moves = redis_error_moves(slice_of(p->server->error_text));
        p->probe_at = now_of(p) + (moves ? RISE_MS : DENIED_MS);
        return;
    }
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
 * take the new term over, and tell Redis that it is the same server. */
static bool ask_term(struct partition *p) {
    const struct greeting *g = &p->server->commands.greeting;
    char made[24];
    bool known = is_known(g);
    snprintf(made, sizeof made, "link-%016llx", (unsigned long long)random_u64());
    struct slice stood = known ? SLICE("") : is_same(p) ? SLICE("1") : SLICE("0");
    struct slice args[] = {known ? slice_of(g->run) : slice_of(made), slice_of(g->replid),
                           p->stale && !known ? SLICE("1") : SLICE("0"), stood};
    return send_question(p, SCRIPT_term, args, 4, on_term);
}

static void ask_once(struct partition *p) {
    if (p->asked)
        return;
    p->asked = ask_term(p);
    p->since = uv_now(p->server->commands.loop);
    if (!p->asked)
        server_reset(p->server, "out of memory");
}

bool partition_rise(struct partition *p) {
    if (p->asked || (p->up && !p->deaf))
        return p->asked;
    ask_once(p);
    return true;
}

bool partition_outdated(struct partition *p, const struct command *c) {
    if (p->server == NULL || is_known(&p->server->commands.greeting) || !partition_hold(p, c))
        return false;
    p->stale = true;
    ask_once(p);
    return true;
}

void redis_look_for_term(struct partition *p) {
    if (!is_same(p) || p->asked)
        return;
    p->stale = true;
    ask_once(p);
}

void partition_fall(struct partition *p, const char *why) {
    if (!p->up)
        return;
    p->up = p->deaf = false;
    p->moving = 0;
    held_fail(&p->held);
    p->events->on_down(p, why);
}

void partition_deafen(struct partition *p) {
    p->deaf = p->up;
}

/* The slot came back to its master, which has ended the subscriptions. */
static void hear_again(struct partition *p) {
    p->unheard_at = 0;
    subscriptions_lost(&p->subscriptions);
    subscriptions_renew(&p->subscriptions);
}

void partition_watch(struct partition *p) {
    if (p->server == NULL)
        return;
    uint64_t now = now_of(p);
    if (p->asked && now - p->since > p->server->config->timeout_ms) {
        p->asked = false;
        server_reset(p->server, "the term is not told in time");
    }
    if (p->up && is_held(p))
        watch_held(p);
    bool wants = !p->up || p->moving != 0;
    if (p->declares && wants && !p->asked && now >= p->probe_at && server_ready(p->server))
        partition_rise(p);
    if (p->unheard_at != 0 && now - p->unheard_at >= UNHEARD_MS)
        hear_again(p);
}

void partition_place(struct partition *p, struct server *server) {
    if (p->server == server)
        return;
    if (p->up && server != NULL) {
        p->deaf = true;
        p->moving = uv_now(server->commands.loop);
    } else {
        partition_fall(p, "it has no master");
    }
    subscriptions_lost(&p->subscriptions);
    p->server = server;
    partition_doubt(p);
    p->asked = p->probing = p->stale = false;
    p->unheard_at = p->probe_at = 0;
    p->subscriptions.link = server != NULL ? &server->subscriber : NULL;
    if (server != NULL)
        subscriptions_renew(&p->subscriptions);
}

void partition_unheard(struct partition *p) {
    p->unheard_at = now_of(p);
    partition_doubt(p);
}

bool partition_take(struct partition *p, const struct reply *push) {
    if (subscriptions_take(&p->subscriptions, push))
        return true;
    partition_unheard(p);
    return false;
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
    snprintf(p->part.clock, sizeof p->part.clock, "%sclock", p->head);
    snprintf(p->never_a_key, sizeof p->never_a_key, "%s%s", p->head, NEVER_A_KEY);
    p->declares = tag != NULL;
    held_init(&p->held);
    subscriptions_init(&p->subscriptions,
                       tag != NULL ? SUBSCRIPTIONS_SHARDED : SUBSCRIPTIONS_PLAIN);
}

void partition_deinit(struct partition *p) {
    subscriptions_deinit(&p->subscriptions);
}
