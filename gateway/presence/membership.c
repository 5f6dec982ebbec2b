#include "gateway/presence/membership.h"

#include <stdlib.h>

#include "gateway/channel/name.h"
#include "gateway/presence/placing.h"
#include "gateway/presence/user_lease.h"

#define RENEWALS_AT_ONCE 64 /* of each partition */

/* --- entering and leaving -------------------------------------------------------------------
 */

/* With partitions the user's partition decides first, and then the room is told. */
struct deciding {
    struct redis *redis;
    struct partition *home;
    redis_done done;
    void *arg;
};

static void answer_nobody(void *arg, const struct reply *reply, enum outcome outcome) {
    (void)arg, (void)reply, (void)outcome;
}

static void on_decided(void *arg, const struct reply *reply, enum outcome outcome) {
    struct deciding d = *(struct deciding *)arg;
    free(arg);
    if (reply == NULL || reply_number(reply_item(reply, 0)) != 0)
        d.done(d.arg, reply, outcome);
    else if (!placing_room(d.redis, d.home, reply, 2, d.done, d.arg))
        d.done(d.arg, NULL, OUTCOME_UNKNOWN); /* the sweep tells the room */
}

static bool decide(const struct leases *leases, enum script script, struct slice mine,
                   const struct slice args[], size_t count, redis_done done, void *arg) {
    struct deciding *d = malloc(sizeof *d);
    if (d == NULL)
        return false;
    *d = (struct deciding){.redis = leases->redis,
                           .home = redis_partition(leases->redis, mine),
                           .done = done != NULL ? done : answer_nobody,
                           .arg = arg};
    if (redis_script(d->home, script, &mine, 1, args, count, on_decided, d))
        return true;
    free(d);
    return false;
}

static bool enter(const struct leases *leases, struct slice user, struct slice channel,
                  enum membership how, redis_done done, void *arg) {
    static const char *const modes[] = {"0", "1", "2", "3", "4"};
    char key[CHANNEL_NAME_SIZE];
    struct slice keys[] = {user_channel(user, key), channel};
    const struct lease *l = lease_of(leases, keys[0]);
    struct slice args[] = {user, room_of(channel), slice_of(l->incarnation),
                           slice_of(modes[how])};
    if (leases->redis->count == 1)
        return redis_script(l->redis, SCRIPT_enter, keys, 2, args, 4, done, arg);
    return redis_up(redis_partition(leases->redis, channel)) &&
           decide(leases, SCRIPT_enter, keys[0], args, 4, done, arg);
}

bool membership_enter(const struct leases *leases, const struct subscriber *s,
                      const struct channel *ch, enum membership how, redis_done done,
                      void *arg) {
    return enter(leases, s->user, channel_name(ch), how, done, arg);
}

/* Has a partition that is needed too much to do? */
static bool is_full(const struct leases *leases, struct slice user, struct slice channel) {
    char key[CHANNEL_NAME_SIZE];
    return redis_is_full(lease_of(leases, user_channel(user, key))->redis) ||
           redis_is_full(redis_partition(leases->redis, channel));
}

bool membership_put(const struct leases *leases, struct slice user, struct slice channel,
                    redis_done done, void *arg) {
    return !is_full(leases, user, channel) &&
           enter(leases, user, channel, MEMBER_QUIETLY, done, arg);
}

bool membership_leave(const struct leases *leases, struct slice user, struct slice channel,
                      enum leaves how, redis_done done, void *arg) {
    static const char *const modes[] = {"", "1", "2"};
    char key[CHANNEL_NAME_SIZE];
    struct slice keys[] = {user_channel(user, key), channel};
    const struct lease *l = lease_of(leases, keys[0]);
    struct slice args[] = {user, room_of(channel), slice_of(l->incarnation),
                           slice_of(modes[how])};
    if (is_full(leases, user, channel) || !redis_up(redis_partition(leases->redis, channel)))
        return false;
    if (leases->redis->count == 1)
        return redis_script(l->redis, SCRIPT_leave, keys, 2, args, 4, done, arg);
    return decide(leases, SCRIPT_leave, keys[0], args, 4, done, arg);
}

/* --- a user left elsewhere ------------------------------------------------------------------
 */

/* A connection is in a room that its user may have left by another connection. */
struct leaver {
    struct renewals *renewals;     /* goes on when this one is answered; or NULL */
    struct subscriber *subscriber; /* a reference */
    uint32_t serial;
    struct name room;
};

static void tell_leaver(struct subscriber *s, struct slice room) {
    struct buf data;
    buf_init(&data);
    buf_str(&data, "{\"room\":");
    json_escape(&data, room);
    buf_str(&data, ",\"userId\":");
    json_escape(&data, s->user);
    buf_char(&data, '}');
    if (!data.failed)
        subscriber_emit(s, "userLeft", buf_bytes(&data), false);
    buf_deinit(&data);
}

static void renewals_pump(struct renewals *r);

static void on_member(void *arg, const struct reply *reply, enum outcome outcome) {
    struct leaver *l = arg;
    struct subscriber *s = l->subscriber;
    (void)outcome;
    long long status = reply != NULL ? reply_number(reply_item(reply, 0)) : 0;
    /* TOO_MANY: an outage took the membership, and the user has joined other rooms since. */
    bool left = status == SCRIPT_NOT_A_MEMBER || status == SCRIPT_TOO_MANY;
    char channel[CHANNEL_NAME_SIZE];
    struct sub *sub = s->gone ? NULL : sub_find(s, room_channel(name_slice(&l->room), channel));
    bool same = sub != NULL && sub->serial == l->serial;
    if (left && same && sub->started) {
        sub_drop(sub);
        tell_leaver(s, name_slice(&l->room));
    } else if (left && same) {
        sub->recheck = true; /* a login under way owns the sub: see membership_recheck */
    }
    subscriber_unref(s);
    if (l->renewals != NULL) {
        l->renewals->under_way--;
        renewals_pump(l->renewals);
    }
    free(l);
}

/* renewals: its number under way includes the question; or NULL. */
static void ask_member(const struct leases *leases, struct sub *sub, bool again,
                       struct renewals *renewals) {
    struct leaver *l = malloc(sizeof *l);
    struct channel *ch = sub->channel;
    struct slice key = channel_name(ch);
    struct slice user = sub->subscriber->user;
    if (l == NULL)
        return;
    l->renewals = renewals;
    l->subscriber = sub->subscriber;
    l->serial = sub->serial;
    name_set(&l->room, room_of(key));
    bool sent = again
                    ? membership_enter(leases, sub->subscriber, ch, MEMBER_AGAIN, on_member, l)
                    : redis_script(ch->redis, SCRIPT_member, &key, 1, &user, 1, on_member, l);
    if (!sent) {
        free(l);
        return;
    }
    subscriber_ref(l->subscriber);
    if (renewals != NULL)
        renewals->under_way++;
}

void membership_renew(const struct leases *leases, struct subscriber *s) {
    for (struct list *at = s->subs.next; at != &s->subs; at = at->next) {
        struct sub *sub = container_of(at, struct sub, in_subscriber);
        if (is_room(channel_name(sub->channel)))
            ask_member(leases, sub, true, NULL);
    }
}

/* --- the rooms of a partition, after its outage ---------------------------------------------
 */

static void renewals_put(struct renewals *r, const struct sub *sub) {
    if (r->count == r->room) {
        size_t room = r->room == 0 ? 64 : 2 * r->room;
        void *grown = realloc(r->all, room * sizeof *r->all);
        if (grown == NULL)
            return;
        r->all = grown;
        r->room = room;
    }
    subscriber_ref(sub->subscriber);
    r->all[r->count].subscriber = sub->subscriber;
    r->all[r->count++].serial = sub->serial;
}

static void put_room(struct renewals *r, struct channel *ch) {
    struct list *const lists[] = {&ch->live, &ch->behind};
    for (int i = 0; i < 2; i++) {
        for (struct list *at = lists[i]->next; at != lists[i]; at = at->next) {
            struct sub *sub = container_of(at, struct sub, in_channel);
            if (lease_of_user(r->leases, sub->subscriber->user)->redis != ch->redis)
                renewals_put(r, sub);
        }
    }
}

static void renew_sub(struct renewals *r, struct subscriber *s, uint32_t serial) {
    for (struct list *at = s->subs.next; at != &s->subs; at = at->next) {
        struct sub *sub = container_of(at, struct sub, in_subscriber);
        if (sub->serial != serial)
            continue;
        ask_member(r->leases, sub, true, r);
        return;
    }
}

static void renewals_pump(struct renewals *r) {
    while (r->next < r->count && r->under_way < RENEWALS_AT_ONCE) {
        struct subscriber *s = r->all[r->next].subscriber;
        uint32_t serial = r->all[r->next++].serial;
        if (!s->gone)
            renew_sub(r, s, serial);
        subscriber_unref(s);
    }
    if (r->next == r->count)
        renewals_deinit(r);
}

void membership_renew_rooms(struct renewals *r, struct hub *hub, const struct partition *p) {
    renewals_deinit(r);
    for (struct channel *ch = hub_next(hub, p, NULL); ch != NULL; ch = hub_next(hub, p, ch)) {
        if (is_room(channel_name(ch)))
            put_room(r, ch);
    }
    renewals_pump(r);
}

void renewals_init(struct renewals *r, const struct leases *leases) {
    *r = (struct renewals){.leases = leases};
}

void renewals_deinit(struct renewals *r) {
    while (r->next < r->count)
        subscriber_unref(r->all[r->next++].subscriber);
    free(r->all);
    r->all = NULL;
    r->count = r->room = r->next = 0;
}

/* --- a user that left -----------------------------------------------------------------------
 */

void membership_recheck(const struct leases *leases, struct sub *sub) {
    if (!sub->recheck)
        return;
    sub->recheck = false;
    ask_member(leases, sub, false, NULL);
}

/* Redis is asked, since the user may have joined again meanwhile. A sub that is made after the
 * question is not dropped. */
void membership_left(const struct leases *leases, struct channel *ch, struct slice user) {
    struct list *const lists[] = {&ch->live, &ch->behind};
    for (int i = 0; i < 2; i++) {
        for (struct list *at = lists[i]->next; at != lists[i]; at = at->next) {
            struct sub *sub = container_of(at, struct sub, in_channel);
            if (slice_eq(sub->subscriber->user, user))
                ask_member(leases, sub, false, NULL);
        }
    }
}
