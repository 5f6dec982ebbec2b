#include "gateway/presence/raw_users.h"

#include <stdio.h>

#include "gateway/channel/name.h"
#include "gateway/presence/user_lease.h"

#define REWRITE_AT_ONCE 64

void raw_users_init(struct raw_users *all, struct leases *leases, const struct options *options,
                    const char *birth) {
    *all = (struct raw_users){.leases = leases, .options = options, .birth = birth};
    list_init(&all->all);
    for (unsigned i = 0; i < PARTITIONS_MOST; i++)
        list_init(&all->again[i].waiting);
}

static struct lease *lease_for(const struct raw_user *u) {
    return lease_of_user(u->all->leases, name_slice(&u->who->sub));
}

static struct raw_again *again_of(struct raw_users *all, const struct lease *l) {
    return &all->again[l->redis->index];
}

static void pump(struct raw_users *all, struct lease *l);

uint64_t raw_users_number(struct raw_users *all) {
    return ++all->last;
}

struct slice raw_users_id(const struct raw_users *all, uint64_t number, char out[RAW_ID_SIZE]) {
    int len = snprintf(out, RAW_ID_SIZE, "r%llu-%s", (unsigned long long)number, all->birth);
    return (struct slice){out, (size_t)len};
}

static struct slice raw_id(const struct raw_user *u, char out[RAW_ID_SIZE]) {
    return raw_users_id(u->all, u->number, out);
}

/* When the token was issued, as the scripts want it. */
static struct slice put_iat(const struct identity *who, char out[DIGITS_SIZE]) {
    if (!who->has_iat)
        return (struct slice){NULL, 0};
    return slice_digits(who->iat_ms > 0 ? (uint64_t)who->iat_ms : 0, out);
}

/* --- scripts --------------------------------------------------------------------------------
 */

static void on_entered(void *arg, const struct reply *reply, enum outcome outcome);

static bool send_enter(struct raw_user *u) {
    struct raw_users *all = u->all;
    const struct lease *l = lease_for(u);
    char key_bytes[CHANNEL_NAME_SIZE], id[RAW_ID_SIZE], address[CONN_ADDRESS_SIZE];
    char iat[DIGITS_SIZE], most[DIGITS_SIZE];
    struct slice key = user_channel(name_slice(&u->who->sub), key_bytes);
    conn_address_text(&u->address, address);
    struct slice args[] = {
        raw_id(u, id),        slice_of(l->incarnation),
        slice_of(address),    u->channel,
        put_iat(u->who, iat), slice_digits(u->entering ? all->options->max_per_user : 0, most)};
    if (!l->held || !redis_script(l->redis, SCRIPT_raw_enter, &key, 1, args, 6, on_entered, u))
        return false;
    u->busy = true;
    u->asked_generation = l->generation;
    return true;
}

/* Until the incarnation has its lease, its writes are refused. Then pump() goes on. */
static bool enter_or_wait(struct raw_user *u) {
    const struct lease *l = lease_for(u);
    if (l->held || !redis_up(l->redis))
        return send_enter(u);
    list_remove(&u->link);
    list_push(&again_of(u->all, l)->waiting, &u->link);
    return true;
}

static void send_leave(struct raw_user *u) {
    char key_bytes[CHANNEL_NAME_SIZE], id[RAW_ID_SIZE];
    struct slice key = user_channel(name_slice(&u->who->sub), key_bytes);
    struct slice arg = raw_id(u, id);
    struct lease *l = lease_for(u);
    if (!redis_script(l->redis, SCRIPT_raw_leave, &key, 1, &arg, 1, NULL, NULL) &&
        redis_up(l->redis))
        lease_doubt(l); /* under a new incarnation the entry does not count */
}

/* --- answers --------------------------------------------------------------------------------
 */

static void tell_entered(struct raw_user *u, enum raw_entered how) {
    u->entering = false;
    u->all->ops->entered(u, how);
}

static void entering_answered(struct raw_user *u, const struct reply *reply, long long status) {
    if (status == SCRIPT_REVOKED)
        tell_entered(u, RAW_REVOKED);
    else if (status == SCRIPT_TOO_MANY)
        tell_entered(u, RAW_TOO_MANY);
    else if (u->in)
        tell_entered(u, RAW_ENTERED);
    else if (reply == NULL || !enter_or_wait(u)) /* it was for a former incarnation */
        tell_entered(u, RAW_AWAY);
}

static void rewriting_answered(struct raw_user *u, const struct reply *reply,
                               long long status) {
    if (reply != NULL && status == SCRIPT_REVOKED) {
        u->all->ops->revoked(u);
    } else if (!u->in) { /* again, perhaps with the next lease */
        list_remove(&u->link);
        list_push(&again_of(u->all, lease_for(u))->waiting, &u->link);
    }
}

static void on_entered(void *arg, const struct reply *reply, enum outcome outcome) {
    struct raw_user *u = arg;
    struct raw_users *all = u->all;
    struct lease *l = lease_for(u);
    long long status = reply_number(reply_item(reply, 0));
    bool written = reply != NULL && status == 0;
    (void)outcome;
    u->busy = false;
    u->in = written && u->asked_generation == l->generation;
    if (status == SCRIPT_REAPED)
        lease_renew_incarnation(l);
    again_of(all, l)->under_way -= u->rewriting;
    u->rewriting = false;
    if (!u->wanted) {
        u->in = written;
        raw_user_leave(u);
    } else if (u->entering) {
        entering_answered(u, reply, status);
    } else {
        rewriting_answered(u, reply, status);
    }
    if (reply != NULL)
        pump(all, l);
}

/* --- connections ----------------------------------------------------------------------------
 */

bool raw_user_enter(struct raw_users *all, struct raw_user *u) {
    u->all = all;
    if (u->number == 0)
        u->number = raw_users_number(all);
    u->entering = u->wanted = true;
    list_init(&u->link);
    if (!enter_or_wait(u))
        return false;
    if (u->busy)
        list_push(&all->all, &u->link);
    return true;
}

void raw_user_leave(struct raw_user *u) {
    u->wanted = u->entering = false;
    list_remove(&u->link);
    if (u->busy)
        return; /* the answer calls this again */
    if (u->in)
        send_leave(u);
    u->all->ops->free(u);
}

void raw_users_renew(struct raw_users *all, struct lease *l) {
    struct list stay;
    list_init(&stay);
    while (!list_empty(&all->all)) {
        struct raw_user *u = container_of(all->all.next, struct raw_user, link);
        bool its = lease_for(u) == l;
        list_remove(&u->link);
        list_push(its ? &again_of(all, l)->waiting : &stay, &u->link);
        u->in = u->in && !its;
    }
    list_splice(&all->all, &stay);
    pump(all, l);
}

static void pump(struct raw_users *all, struct lease *l) {
    struct raw_again *a = again_of(all, l);
    while (a->under_way < REWRITE_AT_ONCE && !list_empty(&a->waiting)) {
        struct raw_user *u = container_of(a->waiting.next, struct raw_user, link);
        if (!u->busy && !send_enter(u))
            return;
        list_remove(&u->link);
        list_push(&all->all, &u->link);
        a->under_way += !u->rewriting;
        u->rewriting = true;
    }
}

void raw_users_redis_down(struct raw_users *all, const struct partition *p) {
    struct list *waiting = &all->again[p->index].waiting;
    for (struct list *at = waiting->next, *next; at != waiting; at = next) {
        struct raw_user *u = container_of(at, struct raw_user, link);
        next = at->next;
        if (!u->entering)
            continue;
        list_remove(&u->link);
        tell_entered(u, RAW_AWAY);
    }
}

void raw_users_pump(struct raw_users *all) {
    for (unsigned i = 0; i < all->leases->count; i++)
        pump(all, &all->leases->all[i]);
}
