#include "gateway/presence/heard.h"

#include <assert.h>
#include <stdlib.h>

#include "gateway/channel/name.h"
#include "gateway/presence/placing.h"
#include "gateway/presence/user_lease.h"

#define AT_ONCE     32 /* users of a round that are read at once */
#define LOOK_LEASES 10 /* intervals between two looks at who is due */

static_assert(PARTITIONS_MOST <= 64, "there is a bit for each partition");

/* A question to a partition of users. */
struct asking {
    struct heard *heard;
    struct partition *home;
};

static void read_on(struct heard *h);

void heard_init(struct heard *h, struct redis *redis, struct leases *leases) {
    *h = (struct heard){.redis = redis, .leases = leases};
}

void heard_changed(struct heard *h, const struct partition *p) {
    uint64_t bit = (uint64_t)1 << p->index;
    h->changed |= h->known & bit;
    h->known |= bit;
}

/* --- asking ---------------------------------------------------------------------------------
 */

static void one_answered(struct heard *h) {
    if (--h->asked == 0)
        read_on(h);
}

static void on_told(void *arg, const struct reply *reply, enum outcome outcome) {
    struct asking a = *(struct asking *)arg;
    (void)outcome;
    free(arg);
    if (reply != NULL)
        placing_all(a.heard->redis, a.home, reply, 1, NULL, NULL);
    one_answered(a.heard);
}

/* Takes "<user> <room>" apart. */
static bool take_names(struct slice what, struct slice *user, struct slice *room) {
    const char *blank = what.len == 0 ? NULL : memchr(what.ptr, ' ', what.len);
    if (blank == NULL)
        return false;
    *user = (struct slice){what.ptr, (size_t)(blank - what.ptr)};
    *room = (struct slice){blank + 1, what.len - user->len - 1};
    return user->len <= NAME_MAX_LEN && room->len <= NAME_MAX_LEN; /* else no node wrote it */
}

static void ask(struct heard *h, struct partition *home, const struct slice keys[],
                const struct slice args[], size_t count) {
    struct asking *a = malloc(sizeof *a);
    if (a == NULL)
        return;
    *a = (struct asking){.heard = h, .home = home};
    if (redis_script(home, SCRIPT_retell, keys, count, args, 2 * count, on_told, a))
        h->asked++;
    else
        free(a);
}

/* Asks a partition of those of its users that the answer names. */
static void ask_home(struct heard *h, struct partition *home, const struct reply *reply) {
    char names[AT_ONCE][CHANNEL_NAME_SIZE];
    struct slice keys[AT_ONCE], args[2 * AT_ONCE], user, room;
    size_t n = 0;
    for (size_t i = 2; i < reply->count && n < AT_ONCE; i++) {
        if (!take_names(reply_text(reply->items[i]), &user, &room) ||
            lease_of_user(h->leases, user)->redis != home)
            continue;
        keys[n] = user_channel(user, names[n]);
        args[2 * n] = user;
        args[2 * n + 1] = room;
        n++;
    }
    if (n > 0)
        ask(h, home, keys, args, n);
}

/* --- a round --------------------------------------------------------------------------------
 */

static bool is_home(const struct heard *h, unsigned partition) {
    return (h->homes >> partition & 1) != 0;
}

static void on_read(void *arg, const struct reply *reply, enum outcome outcome) {
    struct heard *h = arg;
    (void)outcome;
    h->rank = (uint64_t)reply_number(reply_item(reply, 1));
    if (h->rank == 0)
        h->at++;
    for (unsigned i = 0; reply != NULL && i < h->redis->count; i++) {
        if (is_home(h, i))
            ask_home(h, redis_at(h->redis, i), reply);
    }
    one_answered(h);
}

/* Reads more of the rooms' partitions, one after the other. */
static void read_on(struct heard *h) {
    char most[DIGITS_SIZE], rank[DIGITS_SIZE];
    struct slice none = {NULL, 0};
    struct slice args[] = {slice_digits(AT_ONCE, most),
                           h->all ? slice_digits(h->rank, rank) : none};
    for (; h->at < h->redis->count && !lease_first(h->leases)->stopping; h->at++) {
        h->asked = 1;
        if (redis_script(redis_at(h->redis, h->at), SCRIPT_heard, NULL, 0, args, 2, on_read, h))
            return;
        h->rank = 0;
        args[1] = h->all ? slice_digits(0, rank) : none;
    }
    h->asked = 0;
    h->under_way = false;
}

/* The partitions where this node's connections are registered. Before, users who are there
 * would seem to be gone. */
static uint64_t settled(const struct heard *h) {
    uint64_t out = 0;
    for (unsigned i = 0; i < h->leases->count; i++) {
        const struct lease *l = &h->leases->all[i];
        if (redis_up(l->redis) && l->held && l->former[0] == '\0')
            out |= (uint64_t)1 << i;
    }
    return out;
}

void heard_look(struct heard *h) {
    uint64_t now = leases_now(h->leases);
    uint64_t changed = h->changed & settled(h);
    bool due = now - h->looked >= LOOK_LEASES * lease_first(h->leases)->options->lease_interval;
    if (h->under_way || h->redis->count == 1 || (changed == 0 && !due))
        return;
    h->all = changed != 0;
    h->homes = h->all ? changed : settled(h);
    h->changed &= ~changed;
    if (!h->all)
        h->looked = now;
    h->under_way = true;
    h->at = 0;
    h->rank = 0;
    read_on(h);
}
