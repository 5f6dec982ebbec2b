#include "gateway/presence/registry.h"

#include <stdlib.h>

#include "gateway/channel/hub.h"
#include "gateway/net/conn.h"
#include "gateway/presence/membership.h"
#include "gateway/presence/placing.h"
#include "gateway/presence/user_lease.h"

#define REENTER_AT_ONCE 128
#define LOOKED_AT_MOST  8
#define ONLINE_ARGS     10 /* of online.lua, before the rooms */
#define ONLINE_ROOM     9  /* the argument with the room that it enters first */

void registry_init(struct registry *r, struct leases *leases, const struct options *options,
                   struct wheel *wheel, const struct registry_events *events, void *owner) {
    r->leases = leases;
    r->options = options;
    r->wheel = wheel;
    r->events = events;
    r->owner = owner;
    r->closed = false;
    list_init(&r->beaten);
    for (unsigned i = 0; i < PARTITIONS_MOST; i++) {
        list_init(&r->reentries[i].waiting);
        list_init(&r->reentries[i].gone);
    }
    list_init(&r->lingering);
    list_init(&r->awaited);
}

void registration_init(struct registration *g) {
    list_init(&g->due);
}

static struct lease *lease_for(const struct registration *g) {
    return lease_of_user(registry_of(g)->leases, g->as.user);
}

static struct reentry *reentry_of(struct registry *r, const struct lease *l) {
    return &r->reentries[l->redis->index];
}

/* Its score is written with it, so that may wait as long. Who waits already keeps its place: a
 * login goes before those that are only registered again. */
static void wait_to_enter(struct reentry *e, struct registration *g) {
    if (g->waits)
        return;
    list_remove(&g->due);
    list_push(&e->waiting, &g->due);
    g->waits = true;
}

static void wait_no_more(struct registration *g) {
    list_remove(&g->due);
    g->waits = false;
}

static void pump(struct registry *r, struct lease *l);

/* --- one connection -------------------------------------------------------------------------
 */

static void registry_step(struct registration *g);
static void keep_gone(struct registration *g);

static void tell_entering(struct registration *g, enum entered how) {
    const struct entering *e = g->entering;
    registry_abandon(g);
    e->done(g, how);
}

static void registry_answered(struct registration *g, struct lease *l, bool entering,
                              const struct reply *reply) {
    struct registry *r = registry_of(g);
    long long status = reply_number(reply_item(reply, 0));
    if (status == SCRIPT_REAPED)
        lease_renew_incarnation(l);
    if (status == SCRIPT_REAPED && !entering)
        g->in = false; /* the node that reaps the incarnation takes it out */
    else if (status == SCRIPT_TOO_MANY || status == SCRIPT_REVOKED)
        g->wanted = false;
    else if (status != SCRIPT_REAPED) /* an answer for a former incarnation does not count */
        g->in = entering && g->asked_generation == l->generation;
    if (status == 0 && reply_number(reply_item(reply, 2)) != 0)
        r->events->on_turning(r->owner, l);
    if (status == 0)
        placing_all(r->leases->redis, l->redis, reply, 3, NULL, NULL);
    if (g->in)
        r->events->on_registered(r->owner, g);
}

static enum entered refusal(const struct reply *reply) {
    switch (reply_number(reply_item(reply, 0))) {
    case SCRIPT_TOO_MANY:
        return reply_number(reply_item(reply, 1)) != 0 ? ENTERED_TOO_MANY : ENTERED_FULL;
    case SCRIPT_REVOKED:
        return ENTERED_REVOKED;
    default:
        return ENTERED_NOT;
    }
}

static void on_registry(struct registration *g, bool entering, const struct reply *reply,
                        enum outcome outcome) {
    struct registry *r = registry_of(g);
    struct lease *l = lease_for(g);
    struct reentry *reentry = reentry_of(r, l);
    g->busy = false;
    g->doubtful = entering && reply == NULL && outcome == OUTCOME_UNKNOWN;
    if (reply != NULL)
        registry_answered(g, l, entering, reply);
    else if (g->as.gone && redis_up(l->redis))
        lease_doubt(l); /* the connection could not be taken out */
    if (g->reentering) {
        g->reentering = false;
        reentry->under_way--;
    }
    bool in = g->in && reply != NULL;
    enum entered how = in ? ENTERED : reply != NULL ? refusal(reply) : ENTERED_NOT;
    bool again = reply != NULL && !in && g->wanted; /* registry_step asks once more */
    if (entering && !g->as.gone && g->entering != NULL && !again)
        tell_entering(g, how);
    else if (how == ENTERED_REVOKED && !g->as.gone)
        r->events->on_revoked(r->owner, g);
    bool refused = reply == NULL && redis_up(l->redis);
    if (reply != NULL)
        registry_step(g);
    else if (refused && !g->as.gone && g->wanted)
        wait_to_enter(reentry, g); /* Redis is full: again with the next lease */
    if (reply == NULL)
        keep_gone(g);
    if (!refused)
        pump(r, l);
    subscriber_unref(&g->as);
}

static void on_entered(void *arg, const struct reply *reply, enum outcome outcome) {
    on_registry(arg, true, reply, outcome);
}

static void on_left(void *arg, const struct reply *reply, enum outcome outcome) {
    on_registry(arg, false, reply, outcome);
}

static struct slice or_default(const struct name *n, struct slice otherwise) {
    return n != NULL && n->len != 0 ? name_slice(n) : otherwise;
}

/* Sends online.lua. With one Redis it is given the rooms that the login enters (with partitions
 * they may lie elsewhere). */
static bool send_online(struct registration *g, const struct lease *l, struct slice key,
                        const struct slice args[], size_t rooms) {
    struct registry *r = registry_of(g);
    struct slice first = args[ONLINE_ROOM];
    char node[NODE_KEY_SIZE];
    struct slice *keys = calloc(3 + rooms, sizeof *keys);
    char(*names)[CHANNEL_NAME_SIZE] = calloc(1 + rooms, sizeof *names);
    bool sent = false;
    if (keys != NULL && names != NULL) {
        size_t n = 2;
        keys[0] = key;
        keys[1] = node_key(l->incarnation, node);
        for (size_t i = 0; i < rooms && r->leases->redis->count == 1; i++, n++)
            keys[n] = room_channel(args[ONLINE_ARGS + i], names[i]);
        if (first.len > 0 && rooms == 0 && r->leases->redis->count == 1)
            keys[n++] = room_channel(first, names[rooms]);
        sent = redis_script(l->redis, SCRIPT_online, keys, n, args, ONLINE_ARGS + rooms,
                            on_entered, g);
    }
    free(keys);
    free(names);
    return sent;
}

static bool send_enter(struct registration *g, const struct lease *l, struct slice key,
                       struct slice id) {
    struct registry *r = registry_of(g);
    char address[CONN_ADDRESS_SIZE], issued[DIGITS_SIZE], most[DIGITS_SIZE];
    struct slice user = g->as.user;
    const struct profile *p = g->profile;
    g->as.ops->address(&g->as, address, sizeof address);
    const struct entering *e = g->entering;
    size_t rooms = e != NULL ? e->rooms(e, NULL) : 0;
    struct slice *args = calloc(ONLINE_ARGS + rooms, sizeof *args);
    if (args == NULL)
        return false;
    args[0] = user;
    args[1] = id;
    args[2] = slice_of(l->incarnation);
    args[3] = slice_of(address);
    args[4] = slice_of(g->as.ops->name);
    args[5] = or_default(p != NULL ? &p->username : NULL, user);
    args[6] = or_default(p != NULL ? &p->role : NULL, SLICE("user"));
    args[7] = r->events->issued(r->owner, g, issued);
    /* Only a login is refused, not a connection that is registered again. */
    args[8] = slice_digits(e != NULL ? r->options->max_per_user : 0, most);
    args[ONLINE_ROOM] = e != NULL ? e->room : (struct slice){NULL, 0};
    if (e != NULL)
        e->rooms(e, args + ONLINE_ARGS);
    g->came = redis_clock_least(&l->redis->clock, uv_hrtime() / 1000) / 1000;
    bool sent = send_online(g, l, key, args, rooms);
    free(args);
    return sent;
}

/* How long, in ms, a connection that is over has to stay in presence after this node is gone.
 */
static uint64_t lingers_for(const struct registration *g) {
    const struct registry *r = registry_of(g);
    uint64_t due = g->heard + r->options->linger;
    uint64_t now = leases_now(r->leases);
    return g->as.gone && r->draining && due > now ? due - now : 0;
}

/* Is another connection of the user registered here? False is no proof that there is none. Only
 * some are looked at, so that the end of many connections of one user takes no longer for each
 * than that of one. */
static bool has_other(const struct registration *g) {
    char key[CHANNEL_NAME_SIZE];
    struct hub *hub = registry_of(g)->hub;
    struct channel *inbox = hub != NULL ? hub_find(hub, user_channel(g->as.user, key)) : NULL;
    unsigned looked = 0;
    if (inbox == NULL)
        return false;
    for (struct list *at = inbox->live.next; at != &inbox->live && looked < LOOKED_AT_MOST;
         at = at->next, looked++) {
        const struct sub *sub = container_of(at, struct sub, in_channel);
        const struct registration *other = registration_of(sub->subscriber);
        if (other != g && other->in && other->wanted)
            return true;
    }
    return false;
}

static bool send_leave(struct registration *g, const struct lease *l, struct slice key,
                       struct slice id) {
    char ms[DIGITS_SIZE], node[NODE_KEY_SIZE];
    struct slice keys[] = {key, node_key(l->incarnation, node)};
    uint64_t left = lingers_for(g);
    struct slice args[] = {g->as.user, id, slice_of(l->incarnation), {NULL, 0}, {NULL, 0}};
    size_t count = 3;
    if (left > 0)
        args[count++] = slice_digits(left, ms);
    else if (has_other(g))
        args[count++] = SLICE("1");
    if (left == 0 && !g->as.gone && registry_of(g)->leases->redis->config.constants.tap != 0) {
        args[4] = SLICE("silent"); /* else: closed */
        count = 5;
    }
    return redis_script(l->redis, left > 0 ? SCRIPT_linger : SCRIPT_offline, keys, 2, args,
                        count, on_left, g);
}

static void registry_step(struct registration *g) {
    char id_bytes[CLIENT_ID_SIZE];
    char key_bytes[CHANNEL_NAME_SIZE];
    struct registry *r = registry_of(g);
    bool in = g->wanted;
    bool as_wanted = g->in == in && (in || !g->doubtful);
    if (g->busy || as_wanted || g->as.user.len == 0 || (in && g->as.gone))
        return;
    struct lease *l = lease_for(g);
    if (!l->held) { /* until this incarnation has its lease, its writes are refused */
        if (in)
            wait_to_enter(reentry_of(r, l), g);
        keep_gone(g);
        return;
    }
    struct slice key = user_channel(g->as.user, key_bytes);
    struct slice id = subscriber_id(&g->as, id_bytes);
    if (!(in ? send_enter(g, l, key, id) : send_leave(g, l, key, id))) {
        keep_gone(g); /* Redis is away; registry_reenter is called when it is back */
        return;
    }
    g->busy = true;
    g->asked_generation = l->generation;
    subscriber_ref(&g->as);
}

void registry_await(struct registration *g, struct entering *e) {
    g->entering = e;
    e->registration = g;
    list_push(&registry_of(g)->awaited, &e->link);
}

void registry_abandon(struct registration *g) {
    if (g->entering != NULL)
        list_remove(&g->entering->link);
    g->entering = NULL;
}

void registry_want(struct registration *g, bool in) {
    g->wanted = in;
    registry_step(g);
}

void registry_leave(struct registration *g) {
    struct registry *r = registry_of(g);
    uint64_t linger = r->options->linger;
    wait_no_more(g);
    g->heard = leases_now(r->leases); /* it lingers from now on */
    if (g->as.user.len == 0)
        return;
    if (linger == 0 || r->draining) {
        registry_want(g, false);
        return;
    }
    subscriber_ref(&g->as); /* the timer's */
    list_push(&r->lingering, &g->as.link);
    wheel_set(r->wheel, &g->timer, g->heard + linger);
}

void registry_lingered(struct registration *g) {
    list_remove(&g->as.link);
    registry_want(g, false);
    subscriber_unref(&g->as);
}

void registry_redis_up(struct registry *r, const struct partition *p, bool changed) {
    struct reentry *e = &r->reentries[p->index];
    e->lost = e->lost || changed;
}

void registry_redis_down(struct registry *r, const struct partition *p) {
    for (struct list *at = r->all.list.next, *next; at != &r->all.list; at = next) {
        struct registration *g = registration_at(at);
        next = at->next;
        if (g->entering != NULL && !g->busy &&
            lease_for(g)->redis == p) /* a script under way fails by itself */
            tell_entering(g, ENTERED_NOT);
    }
}

/* --- those that ended while their partition was away -----------------------------------------
 */

/* Keeps a connection that is over until its partition can be told. */
static void keep_gone(struct registration *g) {
    struct registry *r = registry_of(g);
    if (r->closed || !g->as.gone || g->wanted || !(g->in || g->doubtful) ||
        g->as.user.len == 0 || !list_empty(&g->as.link))
        return;
    subscriber_ref(&g->as);
    list_push(&reentry_of(r, lease_for(g))->gone, &g->as.link);
}

static void on_told(void *arg, const struct reply *reply, enum outcome outcome) {
    struct registration *g = arg;
    struct registry *r = registry_of(g);
    struct lease *l = lease_for(g);
    (void)outcome;
    reentry_of(r, l)->telling--;
    if (reply != NULL && reply_number(reply_item(reply, 1)) != 0)
        r->events->on_turning(r->owner, l);
    if (reply != NULL)
        placing_all(r->leases->redis, l->redis, reply, 2, NULL, NULL);
    pump(r, l);
    subscriber_unref(&g->as);
}

static bool tell_one_gone(struct registration *g, struct lease *l) {
    char name[CHANNEL_NAME_SIZE], came[DIGITS_SIZE];
    struct slice key = user_channel(g->as.user, name);
    struct slice args[] = {g->as.user, slice_of(l->former), slice_digits(g->came, came)};
    return redis_script(l->redis, SCRIPT_went, &key, 1, args, 3, on_told, g);
}

/* Tells the partition of those that ended under the former incarnation, when that is due, if it
 * may have lost them. A Redis that has lost nothing has them until the incarnation is reaped,
 * or has announced that they went though the node had no answer. True: all are told. */
static bool tell_gone(struct registry *r, struct lease *l) {
    struct reentry *e = reentry_of(r, l);
    while (lease_is_former_due(l) && e->telling < REENTER_AT_ONCE && !list_empty(&e->gone)) {
        struct registration *g = registration_at(e->gone.next);
        bool former = g->asked_generation + 1 == l->generation;
        if (!redis_up(l->redis))
            return false;
        list_remove(&g->as.link);
        if (former && e->lost && tell_one_gone(g, l))
            e->telling++;
        else
            subscriber_unref(&g->as); /* an earlier incarnation has been reaped */
    }
    bool all = e->telling == 0 && list_empty(&e->gone);
    e->lost = e->lost && !(all && lease_is_former_due(l));
    return all;
}

/* --- registering all again ------------------------------------------------------------------
 */

static void pump(struct registry *r, struct lease *l) {
    struct reentry *e = reentry_of(r, l);
    while (l->held && e->under_way < REENTER_AT_ONCE && !list_empty(&e->waiting)) {
        struct registration *g = container_of(e->waiting.next, struct registration, due);
        if (!redis_up(l->redis))
            return;
        wait_no_more(g);
        registry_step(g);
        if (!g->busy)
            continue;
        g->reentering = true;
        e->under_way++;
        membership_renew(r->leases, &g->as);
    }
    if (e->under_way == 0 && list_empty(&e->waiting) && tell_gone(r, l))
        lease_all_entered(l);
}

void registry_pump(struct registry *r) {
    for (unsigned i = 0; i < r->leases->count; i++)
        pump(r, &r->leases->all[i]);
}

/* Those that linger do so under the former incarnation, which ends. */
static void end_lingering(struct registry *r, const struct lease *l) {
    for (struct list *at = r->lingering.next, *next; at != &r->lingering; at = next) {
        struct registration *g = registration_at(at);
        next = at->next;
        if (lease_for(g) != l)
            continue;
        wheel_clear(r->wheel, &g->timer);
        list_remove(&g->as.link);
        g->wanted = false;
        keep_gone(g);
        subscriber_unref(&g->as); /* the timer's */
    }
}

void registry_reenter(struct registry *r, struct lease *l) {
    for (struct list *at = r->all.list.next; at != &r->all.list; at = at->next) {
        struct registration *g = registration_at(at);
        if (lease_for(g) != l)
            continue;
        g->in = false;
        if (g->wanted)
            wait_to_enter(reentry_of(r, l), g);
    }
    end_lingering(r, l);
    pump(r, l);
}

/* --- the end --------------------------------------------------------------------------------
 */

void registry_drain(struct registry *r) {
    r->draining = true;
    while (!list_empty(&r->lingering)) {
        struct registration *g = registration_at(r->lingering.next);
        wheel_clear(r->wheel, &g->timer);
        registry_lingered(g);
    }
}

void registry_close(struct registry *r) {
    r->closed = true;
    while (!list_empty(&r->lingering)) {
        struct registration *g = registration_at(r->lingering.next);
        list_remove(&g->as.link);
        wheel_clear(r->wheel, &g->timer);
        subscriber_unref(&g->as);
    }
    for (unsigned i = 0; i < PARTITIONS_MOST; i++) {
        struct list *gone = &r->reentries[i].gone;
        while (!list_empty(gone)) {
            struct registration *g = registration_at(gone->next);
            list_remove(&g->as.link);
            subscriber_unref(&g->as);
        }
    }
}
