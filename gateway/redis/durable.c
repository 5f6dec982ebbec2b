#include "gateway/redis/durable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/log.h"

#define REPLICAS_MOST 100
#define WAIT_MOST_MS  60000
#define CLOCK_TTL     31622400000U /* ms: YEAR of clock.lua */

struct durable_call {
    struct durable *durable;
    struct list link; /* in `answered`, once Redis has answered */
    const struct durable_part *part;
    unsigned doubts; /* of the part, when the append was sent */
    redis_done done;
    void *arg;
    struct reply *reply; /* owned */
};

/* --- the option -----------------------------------------------------------------------------
 */

static bool read_number(const char *text, unsigned most, unsigned *out) {
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0')
        return false;
    *out = (unsigned)strtoul(text, NULL, 10);
    return *out > 0 && *out <= most;
}

const char *durable_parse(struct durable *d, const char *text) {
    char first[8] = "";
    const char *colon = strchr(text, ':');
    *d = (struct durable){.ms = 0};
    if (text[0] == '\0')
        return NULL;
    if (colon != NULL && colon - text < (ptrdiff_t)sizeof first)
        memcpy(first, text, (size_t)(colon - text));
    d->all = strcmp(first, "all") == 0;
    if (d->all)
        d->replicas = 1; /* until the owner knows */
    if (colon == NULL || !read_number(colon + 1, WAIT_MOST_MS, &d->ms) ||
        (!d->all && !read_number(first, REPLICAS_MOST, &d->replicas)))
        return "must be N:MS or all:MS: from 1 to 100 replicas, and the longest wait for them, "
               "from 1 to 60000 milliseconds";
    return NULL;
}

/* --- the link -------------------------------------------------------------------------------
 */

void durable_init(struct durable *d, const struct link *commands,
                  const struct link_events *events, void *owner, struct metrics *metrics) {
    d->commands = commands;
    d->metrics = metrics;
    list_init(&d->answered);
    list_init(&d->waiting);
    if (!durable_is_on(d))
        return;
    snprintf(d->name, sizeof d->name, "%s-wait", commands->name);
    link_init(&d->link, commands->loop, commands->address, events, owner, d->name, false,
              commands->timeout_ms);
    d->link.backoff_ms = commands->backoff_ms;
}

/* A server that tells no run_id is not compared. */
static bool same_server(const struct durable *d) {
    return strcmp(d->link.greeting.run, d->commands->greeting.run) == 0;
}

bool durable_ready(const struct durable *d) {
    return !durable_is_on(d) || (d->link.state == LINK_READY && same_server(d));
}

bool durable_astray(const struct durable *d) {
    return durable_is_on(d) && d->link.state == LINK_READY &&
           d->commands->state == LINK_READY && !same_server(d);
}

/* --- the end of calls -----------------------------------------------------------------------
 */

static void finish(struct durable_call *c, bool good) {
    if (good && c->doubts == c->part->doubts)
        c->done(c->arg, c->reply, OUTCOME_NONE);
    else
        c->done(c->arg, NULL, OUTCOME_UNKNOWN);
    durable_drop(c);
}

/* A `done` may begin another call, which is not one of these. */
static void finish_all(struct durable *d, struct list *calls, bool good) {
    struct list over;
    list_init(&over);
    list_splice(&over, calls);
    while (!list_empty(&over)) {
        struct durable_call *c = container_of(over.next, struct durable_call, link);
        list_remove(&c->link);
        if (!good)
            metric_add(d->metrics, METRIC_REDIS_WAITS_SHORT, 1);
        finish(c, good);
    }
}

/* --- WAIT -----------------------------------------------------------------------------------
 */

static void tell(struct durable *d, const struct reply *reply) {
    bool lacks = reply_number(reply) < d->needed;
    if (lacks && !d->lacking)
        LOG(LOG_WARN, "redis_replicas_short", "replicas", log_text("%lld", reply_number(reply)),
            "needed", log_text("%u", d->needed), "ms", log_text("%u", d->ms), "means",
            "messages are stored, and their senders are told that it is unknown", NULL);
    else if (!lacks && d->lacking)
        LOG(LOG_INFO, "redis_replicas_enough", "replicas",
            log_text("%lld", reply_number(reply)), NULL);
    d->lacking = lacks;
}

static void on_written(void *arg, const struct reply *reply, enum outcome outcome) {
    struct durable *d = arg;
    (void)outcome;
    d->written = reply != NULL && reply_number(reply) == 1;
}

static void on_waited(void *arg, const struct reply *reply, enum outcome outcome) {
    struct durable *d = arg;
    (void)outcome;
    d->asked = false;
    bool counts = reply != NULL && d->written;
    if (counts)
        tell(d, reply);
    finish_all(d, &d->waiting, counts && reply_number(reply) >= d->needed);
}

/* Redis waits for this link's last write, and so for what it had written before that.
 * (Redis 7.0 takes any command for a write, later versions and Valkey do not.) So a key's
 * expiry is written first: the clock of a partition, which whoever appends writes too. That is
 * no write if the key is not there, and of all writes it is one that a full Redis takes, and a
 * Cluster replicates. */
static bool ask(struct durable *d) {
    const struct durable_call *first = container_of(d->waiting.next, struct durable_call, link);
    struct buf b;
    char number[DIGITS_SIZE];
    buf_init(&b);
    buf_str(&b, "*3\r\n$7\r\nPEXPIRE\r\n");
    resp_bulk(&b, slice_of(first->part->clock));
    resp_bulk(&b, slice_digits(CLOCK_TTL, number));
    size_t write = b.len;
    buf_str(&b, "*3\r\n$4\r\nWAIT\r\n");
    resp_bulk(&b, slice_digits(d->needed, number));
    resp_bulk(&b, slice_digits(d->ms, number));
    struct slice none = {NULL, 0}, all = buf_bytes(&b);
    struct slice wait = {all.ptr + write, all.len - write};
    d->written = false;
    bool sent =
        !b.failed &&
        link_send(&d->link, -1, 3, (struct slice){all.ptr, write}, none, on_written, d) &&
        link_send(&d->link, -1, 3, wait, none, on_waited, d);
    buf_deinit(&b);
    return sent;
}

void durable_watch(struct durable *d) {
    if (d->asked && uv_now(d->link.loop) - d->asked_at > d->ms + d->link.timeout_ms)
        link_reset(&d->link, "WAIT is not answered");
}

void durable_flush(struct durable *d) {
    if (!durable_is_on(d))
        return;
    if (!list_empty(&d->answered) && !d->asked) {
        list_splice(&d->waiting, &d->answered);
        d->needed = d->replicas;
        d->asked = same_server(d) && ask(d);
        d->asked_at = uv_now(d->link.loop);
        if (!d->asked)
            finish_all(d, &d->waiting, false);
    }
    link_flush(&d->link);
}

void durable_fell(struct durable *d) {
    finish_all(d, &d->waiting, false);
    finish_all(d, &d->answered, false);
}

/* --- calls ----------------------------------------------------------------------------------
 */

struct durable_call *durable_begin(struct durable *d, const struct durable_part *part,
                                   redis_done done, void *arg) {
    struct durable_call *c = malloc(sizeof *c);
    if (c == NULL)
        return NULL;
    *c = (struct durable_call){
        .durable = d, .part = part, .doubts = part->doubts, .done = done, .arg = arg};
    list_init(&c->link);
    return c;
}

void durable_drop(struct durable_call *c) {
    free(c->reply);
    free(c);
}

void durable_move(void *call, struct durable *to) {
    struct durable_call *c = call;
    c->durable = to;
    c->doubts = c->part->doubts;
}

void durable_answered(void *call, const struct reply *reply, enum outcome outcome) {
    struct durable_call *c = call;
    struct durable *d = c->durable;
    if (reply == NULL) {
        c->done(c->arg, NULL, outcome);
        durable_drop(c);
        return;
    }
    c->reply = reply_copy(reply);
    if (c->reply == NULL) {
        finish(c, false);
        return;
    }
    list_push(&d->answered, &c->link);
}
