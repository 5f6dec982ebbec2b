#include "gateway/presence/overdue.h"

#include "gateway/presence/placing.h"

#define DUE_AT_ONCE    "64"
#define SWEPT_AT_ONCE  "256"
#define GUESTS_AT_ONCE "16"
#define LOOK_LEASES    10 /* intervals between two looks at old scores */
#define LOOKS_ON       2  /* due.lua: there are more old scores to look at */
#define OLD_SCORES     4  /* score intervals after which no node renews a score any more */

void overdue_init(struct overdue *o, struct redis *redis, struct lease *lease,
                  struct metrics *metrics) {
    *o = (struct overdue){.redis = redis, .lease = lease, .metrics = metrics};
}

static void due_ask(struct overdue *o, bool all, bool looks);

/* overdue_take_all is over as soon as nothing is asked any more. */
static void finish(struct overdue *o) {
    void (*done)(void *) = o->done;
    if (done == NULL || o->asked || o->turning)
        return;
    o->done = NULL;
    done(o->owner);
}

static void on_turned(void *arg, const struct reply *reply, enum outcome outcome) {
    struct overdue *o = arg;
    (void)outcome;
    o->turning = false;
    if (reply != NULL && reply_number(reply_item(reply, 1)) != 0)
        overdue_turn(o);
    finish(o);
}

/* Where no room can be told, the sweep ends, and begins again with the next lease. */
static void on_swept(void *arg, size_t good) {
    struct overdue *o = arg;
    o->turning = false;
    if ((o->sweep_more && good > 0) || (o->done != NULL && !o->sweeps_all))
        overdue_turn(o);
    finish(o);
}

static void on_pending(void *arg, const struct reply *reply, enum outcome outcome) {
    struct overdue *o = arg;
    (void)outcome;
    o->sweep_more = reply_number(reply_item(reply, 1)) != 0;
    if (reply != NULL)
        placing_all(o->redis, o->lease->redis, reply, 2, on_swept, o);
    else
        on_swept(o, 0);
}

void overdue_turn(struct overdue *o) {
    bool all = o->done != NULL;
    struct slice what = all ? SLICE("1") : o->tells_again ? SLICE("2") : SLICE("");
    struct slice args[] = {SLICE(SWEPT_AT_ONCE), what};
    if (o->turning)
        return;
    o->sweeps_all = all;
    if (o->redis->count > 1) {
        o->turning =
            redis_script(o->lease->redis, SCRIPT_pending, NULL, 0, args, 2, on_pending, o);
        o->tells_again = o->tells_again && (all || !o->turning);
    } else
        o->turning = redis_script(o->lease->redis, SCRIPT_turn, NULL, 0, NULL, 0, on_turned, o);
}

void overdue_tell_again(struct overdue *o) {
    o->tells_again = o->redis->count > 1;
    if (o->tells_again)
        overdue_turn(o);
}

static void on_due(void *arg, const struct reply *reply, enum outcome outcome) {
    struct overdue *o = arg;
    (void)outcome;
    o->asked = false;
    if (reply != NULL) {
        o->rank = (uint64_t)reply_number(reply_item(reply, 2));
        metric_add(o->metrics, METRIC_REAPED, (uint64_t)reply_number(reply_item(reply, 3)));
        if (reply_number(reply_item(reply, 4)) != 0 || o->tells_again)
            overdue_turn(o);
    }
    bool all = o->done != NULL;
    long long more = reply != NULL ? reply_number(reply_item(reply, 1)) : 0;
    if (more != 0 || (reply != NULL && all && !o->all))
        due_ask(o, all, more == LOOKS_ON);
    finish(o);
}

static void due_ask(struct overdue *o, bool all, bool looks) {
    char age[DIGITS_SIZE], rank[DIGITS_SIZE];
    const struct options *options = o->lease->options;
    struct slice none = {NULL, 0};
    struct slice args[] = {
        SLICE(DUE_AT_ONCE), all ? SLICE("1") : none,
        looks ? slice_digits(OLD_SCORES * options->score_interval + options->lease_timeout, age)
              : none,
        slice_digits(o->rank, rank)};
    if (o->asked)
        return; /* on_due asks for the rest */
    o->all = all;
    o->asked = redis_script(o->lease->redis, SCRIPT_due, NULL, 0, args, 4, on_due, o);
}

static void forget_guests(struct overdue *o);

static void on_forgotten(void *arg, const struct reply *reply, enum outcome outcome) {
    struct overdue *o = arg;
    (void)outcome;
    o->forgetting = false;
    if (reply_number(reply_item(reply, 2)) != 0)
        overdue_turn(o);
    if (reply_number(reply_item(reply, 1)) != 0)
        forget_guests(o);
}

static void forget_guests(struct overdue *o) {
    struct slice most = SLICE(GUESTS_AT_ONCE);
    if (!o->forgetting)
        o->forgetting =
            redis_script(o->lease->redis, SCRIPT_guests, NULL, 0, &most, 1, on_forgotten, o);
}

void overdue_look(struct overdue *o) {
    bool looks =
        lease_now(o->lease) - o->looked >= LOOK_LEASES * o->lease->options->lease_interval;
    if (looks)
        o->looked = lease_now(o->lease);
    due_ask(o, false, looks);
    if (o->lease->options->guests)
        forget_guests(o);
}

void overdue_take_all(struct overdue *o, void (*done)(void *owner), void *owner) {
    o->done = done;
    o->owner = owner;
    due_ask(o, true, false);
    finish(o);
}
