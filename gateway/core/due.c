#include "gateway/core/core.h"

/*
 * Who is taken out of presence by no timer of a node. With each lease every node looks at the
 * connections that linger in Redis, since their node has gone: those that are due go. Now and
 * then some users are looked at whose score nobody has renewed for long: if no node that holds
 * a lease, or is being reaped, has a connection of theirs, they go too.
 */
#define DUE_AT_ONCE "200"
#define LOOK_LEASES 10 /* intervals between two looks at old scores */
#define OLD_SCORES  4  /* score intervals after which a score is one that nobody renews */

static void due_ask(struct core *core, bool all, bool looks);

static void on_due(void *arg, const struct reply *reply, enum outcome outcome) {
    struct core *core = arg;
    (void)outcome;
    core->due.asked = false;
    if (reply != NULL) {
        core->due.rank = (uint64_t)reply_number(reply_item(reply, 2));
        metric_add(core->metrics, METRIC_REAPED, (uint64_t)reply_number(reply_item(reply, 3)));
    }
    bool all = core->due.done != NULL;
    bool more = reply != NULL && reply_number(reply_item(reply, 1)) != 0;
    if (more || (reply != NULL && all && !core->due.all))
        due_ask(core, all, false);
    if (!core->due.asked && all)
        core->due.done(core->owner);
}

static void due_ask(struct core *core, bool all, bool looks) {
    char age[DIGITS_SIZE], rank[DIGITS_SIZE];
    const struct options *o = core->options;
    struct slice none = {NULL, 0};
    struct slice args[] = {
        SLICE(DUE_AT_ONCE), all ? SLICE("1") : none,
        looks ? slice_digits(OLD_SCORES * o->score_interval + o->lease_timeout, age) : none,
        slice_digits(core->due.rank, rank)};
    if (core->due.asked)
        return; /* on_due comes round to it */
    core->due.all = all;
    core->due.asked = redis_script(&core->redis, SCRIPT_due, NULL, 0, args, 4, on_due, core);
}

void due_look(struct core *core) {
    bool looks =
        core_now(core) - core->due.looked >= LOOK_LEASES * core->options->lease_interval;
    if (looks)
        core->due.looked = core_now(core);
    due_ask(core, false, looks);
}

void due_take_all(struct core *core, void (*done)(void *owner)) {
    core->due.done = done;
    due_ask(core, true, false);
    if (!core->due.asked)
        done(core->owner);
}
