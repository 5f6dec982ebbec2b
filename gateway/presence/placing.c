#include "gateway/presence/placing.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/channel/name.h"

#define FIELDS  4 /* of a room in what is to be placed: placing.lua */
#define ARGS    5 /* of a room in place.lua */
#define AT_ONCE 64
/* The name of the key in which a room's partition has the version that it has of a user. */
#define STAMP_SIZE (sizeof "stamp: " + 2 * (size_t)NAME_MAX_LEN)

/* A user and a room that is to hear of the user. */
struct entry {
    const struct reply *todo; /* the user's part of the answer, which is kept */
    size_t at;                /* of the room in it */
    struct partition *where;  /* the room's */
    uint32_t step;            /* the script that tells it; 0: none yet */
    bool good;                /* the room has been told */
};

struct placing {
    struct redis *redis;
    struct partition *home;
    struct reply *kept;
    struct entry *entries;
    size_t count;
    uint32_t steps;
    unsigned waiting; /* steps without an answer, and one more while they are sent */
    placing_done done;
    redis_done room_done; /* of placing_room, in place of the above */
    void *arg;
};

struct step {
    struct placing *placing;
    uint32_t number;
};

/* --- what is to be placed -------------------------------------------------------------------
 */

static struct slice user_of(const struct entry *e) {
    return reply_text(reply_item(e->todo, 0));
}
static struct slice room_in(const struct entry *e) {
    return reply_text(reply_item(e->todo, e->at));
}
static struct slice version_of(const struct entry *e) {
    return reply_text(reply_item(e->todo, e->at + 1));
}

static struct slice stamp_of(const struct entry *e, char out[STAMP_SIZE]) {
    struct slice room = room_in(e), user = user_of(e);
    int len = snprintf(out, STAMP_SIZE, "stamp:%.*s %.*s", (int)room.len, room.ptr,
                       (int)user.len, user.ptr); /* names have no blanks */
    return (struct slice){out, (size_t)len};
}

static size_t rooms_of(const struct reply *todo) {
    return todo->count < 2 ? 0 : (todo->count - 2) / FIELDS;
}

static void add_all(struct placing *p, const struct reply *todo) {
    char name[CHANNEL_NAME_SIZE];
    for (size_t i = 0; i < rooms_of(todo); i++) {
        struct entry e = {.todo = todo, .at = 2 + i * FIELDS};
        if (room_in(&e).len > NAME_MAX_LEN || user_of(&e).len > NAME_MAX_LEN)
            continue; /* no node wrote it */
        e.where = redis_partition(p->redis, room_channel(room_in(&e), name));
        p->entries[p->count++] = e;
    }
}

static void placing_free(struct placing *p) {
    free(p->kept);
    free(p->entries);
    free(p);
}

/* Keeps the items of an answer from `from` on. NULL: nothing is to be placed, or no memory;
 * then the notes stay for the sweep. */
static struct placing *placing_make(struct redis *r, struct partition *home,
                                    const struct reply *answer, size_t from) {
    size_t rooms = 0;
    for (size_t i = from; i < answer->count; i++)
        rooms += rooms_of(answer->items[i]);
    struct placing *p = rooms > 0 ? calloc(1, sizeof *p) : NULL;
    if (p == NULL)
        return NULL;
    *p = (struct placing){.redis = r, .home = home};
    p->kept = reply_copy(answer);
    p->entries = calloc(rooms, sizeof *p->entries);
    if (p->kept == NULL || p->entries == NULL) {
        placing_free(p);
        return NULL;
    }
    for (size_t i = from; i < p->kept->count; i++)
        add_all(p, p->kept->items[i]);
    return p;
}

/* --- the end --------------------------------------------------------------------------------
 */

/* Takes the notes out of rooms that have been told. If that fails, the sweep tells them again,
 * and they know it already. */
static size_t take_out(struct placing *p) {
    char names[AT_ONCE][CHANNEL_NAME_SIZE];
    struct slice keys[AT_ONCE], args[3 * AT_ONCE];
    size_t n = 0, good = 0;
    for (size_t i = 0; i < p->count; i++) {
        const struct entry *e = &p->entries[i];
        if (e->good) {
            good++;
            keys[n] = user_channel(user_of(e), names[n]);
            args[3 * n] = user_of(e);
            args[3 * n + 1] = room_in(e);
            args[3 * n + 2] = version_of(e);
            n++;
        }
        if (n == AT_ONCE || (n > 0 && i + 1 == p->count)) {
            redis_script(p->home, SCRIPT_placed, keys, n, args, 3 * n, NULL, NULL);
            n = 0;
        }
    }
    return good;
}

static void one_answered(struct placing *p) {
    if (--p->waiting > 0)
        return;
    size_t good = take_out(p);
    if (p->done != NULL)
        p->done(p->arg, good);
    placing_free(p);
}

/* --- steps ----------------------------------------------------------------------------------
 */

static void on_placed(void *arg, const struct reply *reply, enum outcome outcome) {
    struct step *s = arg;
    struct placing *p = s->placing;
    for (size_t i = 0; i < p->count; i++) {
        if (p->entries[i].step == s->number)
            p->entries[i].good = reply != NULL;
    }
    free(s);
    if (p->room_done != NULL)
        p->room_done(p->arg, reply, outcome);
    one_answered(p);
}

static void put_entry(const struct entry *e, struct slice *args) {
    bool here = reply_number(reply_item(e->todo, 1)) != 0;
    bool member = reply_number(reply_item(e->todo, e->at + 3)) != 0;
    args[0] = user_of(e);
    args[1] = version_of(e);
    args[2] = reply_text(reply_item(e->todo, e->at + 2));
    args[3] = member ? SLICE("1") : SLICE("0");
    args[4] = here ? SLICE("1") : SLICE("0");
}

/* Tells the rooms of one partition, from this entry on, at most AT_ONCE. */
static bool tell_some(struct placing *p, size_t from) {
    char names[AT_ONCE][CHANNEL_NAME_SIZE], stamps[AT_ONCE][STAMP_SIZE];
    struct slice keys[2 * AT_ONCE], args[1 + ARGS * AT_ONCE];
    struct partition *where = p->entries[from].where;
    size_t n = 0;
    struct step *s = malloc(sizeof *s);
    p->steps++;
    args[0] = p->room_done != NULL ? SLICE("1") : SLICE("");
    for (size_t i = from; i < p->count && n < AT_ONCE; i++) {
        struct entry *e = &p->entries[i];
        if (e->step != 0 || e->where != where)
            continue;
        e->step = p->steps;
        keys[2 * n] = room_channel(room_in(e), names[n]);
        keys[2 * n + 1] = stamp_of(e, stamps[n]);
        put_entry(e, args + 1 + ARGS * n);
        n++;
    }
    if (s == NULL)
        return false;
    *s = (struct step){.placing = p, .number = p->steps};
    if (redis_script(where, SCRIPT_place, keys, 2 * n, args, 1 + ARGS * n, on_placed, s)) {
        p->waiting++;
        return true;
    }
    free(s);
    return false;
}

void placing_all(struct redis *r, struct partition *home, const struct reply *answer,
                 size_t from, placing_done done, void *arg) {
    struct placing *p = placing_make(r, home, answer, from);
    if (p == NULL) {
        if (done != NULL)
            done(arg, 0);
        return;
    }
    p->done = done;
    p->arg = arg;
    p->waiting = 1;
    for (size_t i = 0; i < p->count; i++) {
        if (p->entries[i].step == 0)
            tell_some(p, i);
    }
    one_answered(p);
}

bool placing_room(struct redis *r, struct partition *home, const struct reply *answer,
                  size_t at, redis_done done, void *arg) {
    struct placing *p = placing_make(r, home, answer, at);
    if (p == NULL)
        return false;
    p->room_done = done;
    p->arg = arg;
    if (p->count == 1 && tell_some(p, 0))
        return true;
    placing_free(p);
    return false;
}
