#include "gateway/login/ask.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/client/field.h"
#include "gateway/client/limits.h"

static void login_drop(void *state) {
    free(((struct login *)state)->entries);
}

static struct entry *entry_add(struct login *l, struct request *r, const char *kind,
                               struct slice name) {
    struct entry *grown = realloc(l->entries, (l->count + 1) * sizeof *grown);
    if (grown == NULL)
        return NULL;
    l->entries = grown;
    struct entry *e = &grown[l->count++];
    memset(e, 0, sizeof *e);
    e->request = r;
    e->len = (unsigned char)snprintf(e->name, sizeof e->name, "%s%.*s", kind, (int)name.len,
                                     name.ptr);
    return e;
}

static bool fail_resume(struct request *r, enum err err, const char *message) {
    request_fail(r, err, "resume", message);
    return false;
}

static bool read_resume(struct request *r, struct json_value resume) {
    struct login *l = r->state;
    struct json_iter it;
    if (resume.type == JSON_NONE || resume.type == JSON_NULL)
        return true;
    if (resume.type != JSON_OBJECT)
        return fail_resume(r, ERR_BAD_FIELD, "must be an object of positions");
    l->resuming = true;
    size_t added = l->count;
    json_iter_init(&it, resume);
    while (json_iter_next(&it)) {
        char bytes[CHANNEL_NAME_SIZE];
        struct json_value key = {JSON_STRING, it.key};
        ptrdiff_t len = json_decode(key, bytes, sizeof bytes - 1);
        struct slice name = {bytes, len > 0 ? (size_t)len : 0};
        struct position since;
        if (!resumable(client_user(r->client), name))
            return fail_resume(r, ERR_FORBIDDEN, "names a channel that is not the user's");
        if (!field_read_position(it.value, &since))
            return fail_resume(r, ERR_BAD_FIELD, "must be an object of {epoch, seq}");
        struct entry *e = entry_find(l, name);
        if (e == NULL) {
            e = entry_add(l, r, "", name);
            added += sub_find(&r->client->as, name) == NULL;
            if (!limits_may_make(r->client))
                return fail_resume(r, ERR_TOO_MANY, "names too many without a message");
        }
        if (e == NULL)
            return fail_resume(r, ERR_INTERNAL, "out of memory");
        e->since = since;
        e->resumed = true;
        if (added + r->client->as.sub_count > clients_of(r->client)->options->max_subscriptions)
            return fail_resume(r, ERR_TOO_MANY, "names too many channels");
    }
    return true;
}

/* Sets the client's user and profile. A login that failed may have left others there, which are
 * replaced. False: no memory. */
static bool take_user(struct client *c, const struct name *user, const struct profile *p) {
    char *bytes = malloc(user->len);
    bool named = p->username.len != 0 || p->role.len != 0;
    if (named && c->presence.profile == NULL)
        c->presence.profile = malloc(sizeof *c->presence.profile);
    if (bytes == NULL || (named && c->presence.profile == NULL)) {
        free(bytes);
        return false;
    }
    memcpy(bytes, user->bytes, user->len);
    free((char *)c->as.user.ptr);
    c->as.user = (struct slice){bytes, user->len};
    if (c->presence.profile != NULL)
        *c->presence.profile = *p;
    return true;
}

static bool set_user(struct request *r, const struct name *user, struct json_value username,
                     struct json_value role) {
    struct client *c = r->client;
    struct profile profile = {.username = {0}};
    if (!field_text(r, username, "username", &profile.username) ||
        !field_text(r, role, "role", &profile.role))
        return false;
    if (c->presence.busy || c->presence.in) {
        request_unavailable(r, OUTCOME_REFUSED);
        return false;
    }
    if (take_user(c, user, &profile))
        return true;
    request_fail(r, ERR_INTERNAL, NULL, "out of memory");
    return false;
}

/* Reads the user of a login or join. Sets login.fresh if the connection has no user yet. False:
 * the request has failed. */
static bool read_user(struct request *r, struct json_value id, const char *field, bool optional,
                      struct json_value username, struct json_value role) {
    struct client *c = r->client;
    struct login *l = request_state(r, sizeof *l);
    struct name user = {0};
    if (l == NULL)
        return false;
    r->drop = login_drop;
    if (!field_user(r, id, field, optional || c->as.logged_in, &user))
        return false;
    if (c->as.logged_in && user.len != 0 && !slice_eq(name_slice(&user), client_user(c))) {
        request_fail(r, ERR_ALREADY_LOGGED_IN, field, NULL);
        return false;
    }
    l->fresh = !c->as.logged_in;
    if (l->fresh && !set_user(r, &user, username, role))
        return false;
    if (l->fresh && entry_add(l, r, "user:", client_user(c)) == NULL) {
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
        return false;
    }
    return true;
}

/* Adds a room; *at is its index among the entries. announced: others are told, as by `join`.
 * False: the request has failed. */
static bool add_room(struct request *r, struct slice room, bool announced, size_t *at) {
    struct login *l = r->state;
    struct client *c = r->client;
    char bytes[CHANNEL_NAME_SIZE];
    struct slice name = room_channel(room, bytes);
    struct entry *e = entry_find(l, name);
    size_t most = clients_of(c)->options->max_subscriptions;
    bool full = c->as.sub_count + l->count + (l->fresh ? 1 : 2) > most;
    if (e == NULL && (full || !limits_may_make(c))) {
        request_fail(r, ERR_TOO_MANY, "room", full ? NULL : "too many without a message");
        return false;
    }
    if (e == NULL)
        e = entry_add(l, r, "", name);
    if (e != NULL) {
        e->announced = announced;
        *at = (size_t)(e - l->entries);
        return true;
    }
    request_fail(r, ERR_INTERNAL, NULL, "out of memory");
    return false;
}

/* room: an index, since entries may have moved while others were added. */
static void begin_with_room(struct request *r, size_t room) {
    struct login *l = r->state;
    l->room = room < l->count ? &l->entries[room] : NULL;
    login_begin(r);
}

void on_login(struct request *r, struct json_value data) {
    static const char *const names[] = {"userId", "csId", "username", "role",
                                        "resume", "room", "available"};
    struct json_value f[7];
    struct name cs = {0}, own = {0};
    char room[CHANNEL_NAME_SIZE];
    json_fields(data, names, f, 7);
    r->client->wants_available = r->client->wants_available || f[6].type == JSON_TRUE;
    if (!field_object(r, data, "userId") || !read_user(r, f[0], "userId", false, f[2], f[3]))
        return;
    size_t room_at = SIZE_MAX;
    if (!field_user(r, f[1], "csId", true, &cs) || !field_name(r, f[5], "room", true, &own))
        return;
    if (cs.len != 0) {
        int len = snprintf(room, sizeof room, "room-%.*s", cs.len, cs.bytes);
        if (len > NAME_MAX_LEN) {
            request_fail(r, ERR_BAD_FIELD, "csId", "must be at most 123 bytes");
            return;
        }
        if (!add_room(r, (struct slice){room, (size_t)len}, false, &room_at))
            return;
    }
    if (own.len != 0 && !add_room(r, name_slice(&own), true, &room_at))
        return;
    if (read_resume(r, f[4]))
        begin_with_room(r, room_at);
}

void on_join(struct request *r, struct json_value data) {
    static const char *const names[] = {"id", "room", "username", "role"};
    struct json_value f[4];
    struct name room = {0};
    json_fields(data, names, f, 4);
    if (!field_object(r, data, "id") || !read_user(r, f[0], "id", false, f[2], f[3]) ||
        !field_name(r, f[1], "room", true, &room))
        return;
    ((struct login *)r->state)->joins = true;
    size_t room_at;
    if (add_room(r, room.len != 0 ? name_slice(&room) : SLICE("lobby"), true, &room_at))
        begin_with_room(r, room_at);
}

/* --- recovery -------------------------------------------------------------------------------
 */

static bool take_channels(struct request *r, const struct recovered *what) {
    struct login *l = r->state;
    char key[CHANNEL_NAME_SIZE];
    struct slice inbox = user_channel(client_user(r->client), key);
    for (int pass = 0; pass < 2; pass++) { /* the inbox first */
        for (size_t i = 0; i < what->count; i++) {
            struct slice name = slice_of(what->channels[i].name);
            if (slice_eq(name, inbox) != (pass == 0))
                continue;
            struct entry *e =
                resumable(name_slice(&what->user), name) ? entry_add(l, r, "", name) : NULL;
            if (e == NULL)
                return false;
            e->was = &what->channels[i];
            e->since = e->was->at;
            e->resumed = true;
        }
    }
    return l->count > 0 && slice_eq(entry_name(&l->entries[0]), inbox);
}

void login_recover(struct client *c, const struct recovered *what,
                   void (*done)(void *arg, enum login_end how), void *arg) {
    struct login *l = calloc(1, sizeof *l);
    struct profile profile = {.username = what->username, .role = what->role};
    bool taken = l != NULL && take_user(c, &what->user, &profile);
    struct request *r = taken ? request_make(c, &clients_of(c)->rows[EVENT_LOGIN]) : NULL;
    if (r == NULL) {
        free(l);
        done(arg, LOGIN_LOST);
        return;
    }
    *l = (struct login){
        .fresh = true, .resuming = true, .what = what, .recovered = done, .arg = arg};
    r->state = l;
    r->drop = login_drop;
    if (!take_channels(r, what)) {
        login_fail(r, l);
        return;
    }
    l->room = what->room[0] != '\0' ? entry_find(l, slice_of(what->room)) : NULL;
    login_begin(r);
}
