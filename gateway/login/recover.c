#include "gateway/login/recover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "gateway/channel/page.h"
#include "gateway/login/ask.h"
#include "gateway/net/token.h"
#include "gateway/session/offset.h"

#define WAITS_MS    10000
#define RETRY_MS    250
#define OFFSET_MOST 16384
#define TERMS_MOST  4096

/*
 * A recovery claims the session, finds the position of each channel, and then logs the client
 * in. Any step may find that the session cannot be recovered. Then the client gets a new one.
 */
struct recovery {
    struct list link; /* in sessions.recoveries while it waits for Redis */
    struct client *client;
    struct identity *who; /* a reference; NULL: identity is off */
    uint64_t until;       /* loop time up to which it waits for Redis */
    uint64_t next;        /* loop time of the next attempt */
    char pid[SESSION_PID_SIZE];
    char name[SESSION_NAME_LEN + 1]; /* of the client's new session, if it is not recovered */
    char *text;                      /* owned; `offset` points into it */
    struct offset offset;
    struct recovered what;
    unsigned pending;
    bool failed;
    bool unanswered;
    bool claimed;
    void (*done)(struct client *c, bool recovered);
};

/* Does Redis have more than one partition? */
static bool is_apart(const struct recovery *w) {
    return clients_of(w->client)->redis->count > 1;
}

/* --- the end --------------------------------------------------------------------------------
 */

static void recovery_free(struct recovery *w) {
    list_remove(&w->link);
    client_unref(w->client);
    identity_unref(w->who);
    recovered_deinit(&w->what);
    free(w->text);
    free(w);
}

/* Gives the client a new session under its own name, and ends the one that it claimed. */
static bool begin_anew(struct recovery *w) {
    char key[SESSION_KEY_SIZE], id[CLIENT_ID_SIZE];
    struct client *c = w->client;
    if (w->claimed) {
        struct slice name = session_key(w->pid, key);
        struct slice args[] = {SLICE("end"), client_id(c, id),
                               slice_of(lease_of(clients_of(c)->leases, name)->incarnation)};
        redis_script(redis_partition(clients_of(c)->redis, name), SCRIPT_session, &name, 1,
                     args, 3, NULL, NULL);
    }
    return session_open(c, w->name, c->session->space);
}

static void over(struct recovery *w, const char *why) {
    struct client *c = w->client;
    bool good = why == NULL;
    LOG(LOG_DEBUG, good ? "recovered" : "not_recovered", "why", why, NULL);
    metric_add(clients_of(c)->metrics,
               METRIC_RECOVERIES + (good ? RECOVERY_DONE : RECOVERY_NOT), 1);
    list_remove(&w->link);
    /* A client that has gone may come back with the same pid. */
    if (!c->as.gone && (good || begin_anew(w)))
        w->done(c, good);
    else if (!c->as.gone)
        client_close(c, 1011, "out of memory");
    recovery_free(w);
}

/* Redis did not answer. There is another attempt later. */
static void again(struct recovery *w) {
    struct client *c = w->client;
    if (c->as.gone || client_now(c) >= w->until) {
        over(w, "Redis is away");
        return;
    }
    recovered_deinit(&w->what);
    w->failed = w->unanswered = false;
    w->next = client_now(c) + RETRY_MS;
    list_push(&clients_of(c)->sessions->recoveries, &w->link);
}

/* --- the login ------------------------------------------------------------------------------
 */

static void on_logged_in(void *arg, enum login_end how) {
    if (how == LOGIN_UNANSWERED)
        again(arg);
    else
        over(arg, how == LOGIN_DONE ? NULL : "a channel");
}

/* From here on the client has the former session's pid and origin. */
static void log_in(struct recovery *w) {
    session_name(w->client->session, w->pid);
    struct subscriber *as = &w->client->as;
    free(as->origin); /* of an attempt that Redis did not answer */
    as->origin = strdup(w->what.origin);
    if (as->origin == NULL)
        over(w, "out of memory");
    else
        login_recover(w->client, &w->what, w->who, on_logged_in, w);
}

/* --- positions ------------------------------------------------------------------------------
 */

struct asking {
    struct recovery *recovery;
    struct recovered_channel
        *channel; /* NULL: the question is about the offset's own message */
};

static void answered(struct recovery *w) {
    if (--w->pending > 0)
        return;
    if (w->unanswered)
        again(w);
    else if (w->client->as.gone || w->failed)
        over(w, "a position");
    else
        log_in(w);
}

static void on_position(void *arg, const struct reply *reply, enum outcome outcome) {
    struct asking *a = arg;
    struct recovery *w = a->recovery;
    (void)outcome;
    if (reply == NULL)
        w->unanswered = true;
    else if (reply_number(reply_item(reply, 0)) == 1)
        w->failed = true;
    else if (a->channel != NULL)
        position_set(&a->channel->at, reply_text(reply_item(reply, 1)),
                     (uint64_t)reply_number(reply_item(reply, 2)));
    free(a);
    answered(w);
}

static void ask(struct recovery *w, struct recovered_channel *channel, enum script script,
                struct slice name, const struct slice args[], size_t count) {
    struct asking *a = malloc(sizeof *a);
    bool sent = false;
    if (a != NULL) {
        *a = (struct asking){.recovery = w, .channel = channel};
        sent = redis_script(redis_partition(clients_of(w->client)->redis, name), script, &name,
                            1, args, count, on_position, a);
    }
    w->pending += sent;
    w->unanswered = w->unanswered || !sent;
    if (!sent)
        free(a);
}

#define TIME_SIZE 24

static struct slice time_text(uint64_t time, char out[TIME_SIZE]) {
    int len = snprintf(out, TIME_SIZE, "%016llu", (unsigned long long)time);
    return (struct slice){out, (size_t)len};
}

static void ask_position(struct recovery *w, struct recovered_channel *ch, uint64_t time) {
    char text[TIME_SIZE], since[TIME_SIZE], floor[DIGITS_SIZE];
    struct slice args[] = {time_text(time, text), slice_of(ch->floor.epoch),
                           slice_digits(ch->floor.seq, floor), time_text(ch->since, since)};
    ask(w, ch, SCRIPT_position, slice_of(ch->name), args, is_apart(w) ? 4 : 3);
}

/* With partitions: is the clock of the channel's partition known? */
static void ask_clock(struct recovery *w, const struct recovered_channel *ch) {
    char since[TIME_SIZE];
    struct slice args[] = {SLICE(""), SLICE(""), SLICE("0"), time_text(ch->since, since)};
    ask(w, NULL, SCRIPT_position, slice_of(ch->name), args, 4);
}

/* Is the message that the offset came with still in its log? */
static void ask_witness(struct recovery *w, const struct mark *m) {
    struct page_args args;
    page_args(&args, &m->at, SLICE("0"), SLICE("0"), NULL, NULL);
    if (resumable(name_slice(&w->what.user), m->channel))
        ask(w, NULL, SCRIPT_read, m->channel, args.all, args.count);
    else
        w->failed = true;
}

/* What the offset says of the partition of a name: the time up to which the client has all
 * messages, or 0. *proved: the offset's own message proves that it is good. */
static uint64_t time_for(const struct recovery *w, const char *name, bool *proved) {
    const struct offset *o = &w->offset;
    struct redis *redis = clients_of(w->client)->redis;
    *proved = o->plain;
    if (!o->given || !is_apart(w))
        return o->given ? o->time : 0;
    const struct partition *p = redis_partition(redis, slice_of(name));
    *proved = o->plain && p == redis_partition(redis, o->marks[0].channel);
    return o->tides[p->index].time;
}

/* Is it of the term that the partition has now? */
static bool is_of_term(const struct recovery *w, const char *name) {
    const struct partition *p = redis_partition(clients_of(w->client)->redis, slice_of(name));
    return !is_apart(w) || w->offset.tides[p->index].term == tide_term(p);
}

/* Finds where each channel goes on. The rules are in session.h. */
static void find_positions(struct recovery *w) {
    const struct offset *o = &w->offset;
    bool used = false; /* some channel relies on a time of the offset */
    bool seen = false; /* some mark is used, whose position the login checks */
    w->pending = 1;    /* this function's own */
    for (size_t i = 0; i < w->what.count; i++) {
        struct recovered_channel *ch = &w->what.channels[i];
        const struct mark *m = offset_mark(o, slice_of(ch->name));
        bool proved = false;
        uint64_t time = time_for(w, ch->name, &proved);
        bool later = time > ch->since;
        if (m != NULL && (o->plain ? later : m->at.seq >= ch->floor.seq)) {
            ch->at = m->at;
            ch->moved = !o->plain;
            seen = true;
        } else if (later) {
            used = true;
            w->failed = w->failed || (!proved && !is_of_term(w, ch->name));
            ask_position(w, ch, time);
            continue;
        } else {
            ch->at = ch->floor;
        }
        if (is_apart(w))
            ask_clock(w, ch);
    }
    if (o->plain && used && !seen)
        ask_witness(w, &o->marks[0]);
    answered(w);
}

/* --- the claim ------------------------------------------------------------------------------
 */

/* Times rise in the order of appends only while Redis has the key with the last one. If that
 * key was evicted, times begin again from the machine's clock, which may have been set back. */
static bool clock_known(const struct recovery *w) {
    if (is_apart(w))
        return true; /* position.lua asks each partition's */
    bool known = w->offset.time <= w->what.clock;
    for (size_t i = 0; known && i < w->what.count; i++)
        known = w->what.channels[i].since <= w->what.clock;
    return known;
}

/* Was the offset made on the server that Redis is now? The last terms of it are looked at. */
static bool is_of_server(const struct recovery *w) {
    const struct partition *p = session_redis(w->client->session);
    uint32_t term = w->offset.term ^ w->what.salt;
    uint64_t now = strtoull(p->term, NULL, 10), at = now;
    char digits[DIGITS_SIZE];
    if (w->offset.plain || is_apart(w))
        return w->offset.plain || term == 0;
    do {
        snprintf(digits, sizeof digits, "%llu", (unsigned long long)at);
        if (session_term_of(digits) == term)
            return true;
    } while (at-- > w->what.from && now - at < TERMS_MOST);
    return false;
}

static void on_claimed(void *arg, const struct reply *reply, enum outcome outcome) {
    struct recovery *w = arg;
    (void)outcome;
    long long status = reply_number(reply_item(reply, 0));
    if (reply == NULL || status == SCRIPT_REAPED || status == SESSION_UNSURE) {
        again(w);
        return;
    }
    w->claimed = status == 0;
    if (!recovered_read(&w->what, reply) || w->client->as.gone) {
        over(w, "no such session");
        return;
    }
    w->what.base = w->offset.time;
    if (!is_of_server(w))
        over(w, "another Redis");
    else if (!clock_known(w))
        over(w, "the clock was lost");
    else
        find_positions(w);
}

/* False: Redis is away. */
static bool claim(struct recovery *w) {
    char key[SESSION_KEY_SIZE], id[CLIENT_ID_SIZE], ttl[DIGITS_SIZE];
    struct client *c = w->client;
    struct slice name = session_key(w->pid, key);
    struct slice args[] = {SLICE("claim"),
                           client_id(c, id),
                           slice_of(lease_of(clients_of(c)->leases, name)->incarnation),
                           session_ttl(c->session->all, ttl),
                           c->session->space,
                           w->who != NULL ? name_slice(&w->who->sub) : SLICE("")};
    return redis_script(redis_partition(clients_of(c)->redis, name), SCRIPT_session, &name, 1,
                        args, 6, on_claimed, w);
}

/* --- beginning ------------------------------------------------------------------------------
 */

static void attempt(struct recovery *w) {
    list_remove(&w->link);
    if (w->client->as.gone || !claim(w))
        again(w);
}

void recover_waiting(struct sessions *all) {
    struct list waiting;
    list_init(&waiting);
    list_splice(&waiting, &all->recoveries);
    while (!list_empty(&waiting))
        attempt(container_of(waiting.next, struct recovery, link));
}

void recover_tick(struct sessions *all, uint64_t now) {
    for (struct list *at = all->recoveries.next, *next; at != &all->recoveries; at = next) {
        struct recovery *w = container_of(at, struct recovery, link);
        next = at->next;
        if (w->client->as.gone || now >= w->until)
            over(w, "Redis is away");
        else if (redis_any_up(all->redis) && now >= w->next)
            attempt(w);
    }
}

static bool take_offset(struct recovery *w, struct slice offset) {
    if (offset.len > OFFSET_MOST || (w->text = malloc(offset.len)) == NULL)
        return false;
    memcpy(w->text, offset.ptr, offset.len);
    return offset_parse(&w->offset, (struct slice){w->text, offset.len},
                        clients_of(w->client)->redis->count);
}

bool recover_client(struct client *c, struct slice pid, struct slice offset,
                    struct identity *who, void (*done)(struct client *c, bool recovered)) {
    struct recovery *w = token_valid(pid, SESSION_PID_SIZE - 1) ? calloc(1, sizeof *w) : NULL;
    if (w == NULL)
        return false;
    w->client = c;
    w->who = who != NULL ? identity_ref(who) : NULL;
    client_ref(c);
    list_init(&w->link);
    memcpy(w->pid, pid.ptr, pid.len);
    memcpy(w->name, c->session->pid, SESSION_NAME_LEN);
    w->done = done;
    w->until = client_now(c) + WAITS_MS;
    w->offset.plain = true;
    if (offset.len > 0 && !take_offset(w, offset))
        over(w, "offset");
    else
        attempt(w);
    return true;
}
