#include "gateway/login/ask.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/client/authorize.h"
#include "gateway/client/bearer.h"
#include "gateway/client/field.h"
#include "gateway/client/limits.h"
#include "gateway/client/welcome.h"
#include "gateway/login/authenticate.h"
#include "gateway/spaces.h"

static void login_drop(void *state) {
    struct login *l = state;
    channels_free(l->asks);
    free(l->entries);
    identity_unref(l->who);
    identity_unref(l->former);
    buf_deinit(&l->denied);
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

/* Notes a channel that is lost to the bearer of this token. */
static void deny(struct login *l, struct slice name) {
    if (l->denied.len != 0)
        buf_char(&l->denied, ',');
    json_escape(&l->denied, name);
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
        if (!authorize_channel(l->who, name)) {
            deny(l, name);
            continue;
        }
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

/* What a token says of a user counts. The client may only say what to call a user of whose name
 * the token says nothing. */
static bool read_profile(struct request *r, const struct identity *who,
                         struct json_value username, struct json_value role,
                         struct profile *p) {
    if (who != NULL)
        *p = (struct profile){.username = who->username, .role = who->role};
    if (p->username.len == 0 && !field_text(r, username, "username", &p->username))
        return false;
    return who != NULL || field_text(r, role, "role", &p->role);
}

static bool set_user(struct request *r, const struct name *user, struct json_value username,
                     struct json_value role) {
    struct client *c = r->client;
    const struct login *l = r->state;
    struct profile profile = {.username = {0}};
    if (!read_profile(r, l->who, username, role, &profile))
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

/* The request's state: a login by this identity, whose reference it takes over. NULL: no
 * memory; the request has failed. */
static struct login *make_login(struct request *r, struct identity *who) {
    struct login *l = request_state(r, sizeof *l);
    if (l == NULL) {
        identity_unref(who);
        return NULL;
    }
    l->who = who;
    buf_init(&l->denied);
    r->drop = login_drop;
    return l;
}

/* Reads the user of a login or join. The token's is the one, if there is a token. */
static bool read_id(struct request *r, struct json_value id, const char *field,
                    struct name *user) {
    const struct client *c = r->client;
    const struct login *l = r->state;
    if (!field_user(r, id, field, l->who != NULL || c->as.logged_in, user))
        return false;
    bool named = user->len != 0;
    if (l->who != NULL && named && !slice_eq(name_slice(user), name_slice(&l->who->sub))) {
        request_fail(r, ERR_FORBIDDEN, field,
                     is_guest(l->who) ? "without a token, a guest is nobody else"
                                      : "must be the token's user");
        return false;
    }
    if (c->as.logged_in && named && !slice_eq(name_slice(user), client_user(c))) {
        request_fail(r, ERR_ALREADY_LOGGED_IN, field, NULL);
        return false;
    }
    if (l->who != NULL)
        *user = l->who->sub;
    return true;
}

/* Begins a login or join by this identity, whose reference it takes over. Sets login.fresh if
 * the connection has no user yet. False: the request has failed. */
static bool read_user(struct request *r, struct identity *who, struct json_value id,
                      const char *field, struct json_value username, struct json_value role) {
    struct client *c = r->client;
    struct login *l = make_login(r, who);
    struct name user = {0};
    if (l == NULL || !read_id(r, id, field, &user))
        return false;
    l->fresh = !c->as.logged_in;
    if (l->fresh && !set_user(r, &user, username, role))
        return false;
    if (l->fresh && entry_add(l, r, "user:", client_user(c)) == NULL) {
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
        return false;
    }
    return true;
}

static bool may_enter(struct request *r, struct slice room, const char *field) {
    struct login *l = r->state;
    char bytes[CHANNEL_NAME_SIZE];
    const struct entry *e = entry_find(l, room_channel(room, bytes));
    bool granted = r->trusted || (e != NULL && e->granted);
    bool may = granted || authorize_bearer(l->who, RIGHT_ROOMS, room);
    if (!may)
        request_fail(r, ERR_FORBIDDEN, field, NULL);
    return may;
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

/* From here on the client has the identity of this login. If a first login fails, it will have
 * again what it had before: that of its handshake, or none. */
static void take_identity(struct client *c, struct login *l) {
    if (l->who == c->identity)
        return;
    if (!l->fresh) {
        authenticate_anew(c, identity_ref(l->who));
        return;
    }
    l->identified = true;
    l->former = c->identity; /* its reference, too */
    c->identity = identity_ref(l->who);
}

/* room: an index, since entries may have moved while others were added. */
static void begin_with_room(struct request *r, size_t room) {
    struct login *l = r->state;
    l->room = room < l->count ? &l->entries[room] : NULL;
    take_identity(r->client, l);
    login_begin(r);
}

/* Writes room-<csId>. False: the request has failed. */
static bool cs_room(struct request *r, const struct name *cs, char out[CHANNEL_NAME_SIZE],
                    struct slice *room) {
    int len = snprintf(out, CHANNEL_NAME_SIZE, "room-%.*s", cs->len, cs->bytes);
    *room = (struct slice){out, (size_t)len};
    if (len > NAME_MAX_LEN) {
        request_fail(r, ERR_BAD_FIELD, "csId", "must be at most 123 bytes");
        return false;
    }
    return may_enter(r, *room, "csId");
}

/* The back end has named rooms, which need no right. *at: of the first, if there is one. False:
 * the request has failed. */
static bool add_granted(struct request *r, size_t *at) {
    struct login *l = r->state;
    struct json_iter it;
    for (const struct welcome *w = r->client->welcome; w != NULL; w = w->next) {
        if (w->join.type != JSON_ARRAY)
            continue;
        json_iter_init(&it, w->join);
        while (json_iter_next(&it)) {
            struct name name;
            size_t one;
            if (!field_escaped_name(it.value, &name))
                continue;
            if (!add_room(r, name_slice(&name), true, &one))
                return false;
            l->entries[one].granted = true;
            *at = *at == SIZE_MAX ? one : *at;
        }
    }
    return true;
}

/* A socket that CONNECT logs in enters the namespace's default room, if it has the right.
 * False: the request has failed. */
static bool add_default(struct request *r, size_t *at) {
    const struct client *c = r->client;
    const struct login *l = r->state;
    struct slice nsp = c->as.ops->nsp != NULL ? c->as.ops->nsp(&c->as) : SLICE("/");
    struct slice room = spaces_default_room(clients_of(c)->options, nsp);
    if (!c->unheard || room.len == 0 || !authorize_bearer(l->who, RIGHT_ROOMS, room))
        return true;
    if (!add_room(r, room, true, at))
        return false;
    l->entries[*at].unasked = true;
    return true;
}

static void log_in(struct request *r, struct json_value data, struct identity *who) {
    static const char *const names[] = {"userId", "csId", "username", "role",
                                        "resume", "room", "available"};
    struct json_value f[7];
    struct name cs = {0}, own = {0};
    struct slice room;
    char bytes[CHANNEL_NAME_SIZE];
    json_fields(data, names, f, 7);
    r->client->wants_available = r->client->wants_available || f[6].type == JSON_TRUE;
    if (!read_user(r, who, f[0], "userId", f[2], f[3]))
        return;
    /* On /ws, where `builtin` is `none`, it enters nothing new: lines of the map do that. */
    ((struct login *)r->state)->members_only =
        r->client->own_only && r->client->as.ops->nsp == NULL;
    size_t room_at = SIZE_MAX;
    if (!field_user(r, f[1], "csId", true, &cs) || !field_name(r, f[5], "room", true, &own))
        return;
    if (!add_granted(r, &room_at))
        return;
    if (cs.len != 0 && !cs_room(r, &cs, bytes, &room))
        return;
    if (own.len != 0 && !may_enter(r, name_slice(&own), "room"))
        return;
    if (cs.len != 0 && !add_room(r, room, false, &room_at))
        return;
    if (own.len != 0 && !add_room(r, name_slice(&own), true, &room_at))
        return;
    if (room_at == SIZE_MAX && !add_default(r, &room_at))
        return;
    if (read_resume(r, f[4]))
        begin_with_room(r, room_at);
}

static void join(struct request *r, struct json_value data, struct identity *who) {
    static const char *const names[] = {"id", "room", "username", "role"};
    struct json_value f[4];
    struct name name = {0};
    json_fields(data, names, f, 4);
    if (!read_user(r, who, f[0], "id", f[2], f[3]) || !field_name(r, f[1], "room", true, &name))
        return;
    struct slice room = name.len != 0 ? name_slice(&name) : SLICE("lobby");
    ((struct login *)r->state)->joins = true;
    size_t room_at, granted = SIZE_MAX;
    if (!add_granted(r, &granted))
        return;
    if (may_enter(r, room, "room") && add_room(r, room, true, &room_at))
        begin_with_room(r, room_at);
}

static struct json_value token_of(struct json_value data) {
    static const char *const names[] = {"token"};
    struct json_value token;
    json_fields(data, names, &token, 1);
    return token;
}

void on_login(struct request *r, struct json_value data) {
    if (field_object(r, data, "userId"))
        authenticate(r, data, token_of(data), log_in);
}

void on_join(struct request *r, struct json_value data) {
    if (field_object(r, data, "id"))
        authenticate(r, data, token_of(data), join);
}

/* --- recovery -------------------------------------------------------------------------------
 */

/* Channels that the bearer may not be in are left out. */
static bool take_channels(struct request *r, const struct recovered *what) {
    struct login *l = r->state;
    char key[CHANNEL_NAME_SIZE];
    struct slice inbox = user_channel(client_user(r->client), key);
    for (int pass = 0; pass < 2; pass++) { /* the inbox first */
        for (size_t i = 0; i < what->count; i++) {
            struct slice name = slice_of(what->channels[i].name);
            bool granted = what->channels[i].granted;
            if (slice_eq(name, inbox) != (pass == 0) ||
                !(granted || authorize_channel(l->who, name)))
                continue;
            struct entry *e =
                resumable(name_slice(&what->user), name) ? entry_add(l, r, "", name) : NULL;
            if (e == NULL)
                return false;
            e->was = &what->channels[i];
            e->granted = granted;
            e->since = e->was->at;
            e->resumed = true;
        }
    }
    return l->count > 0 && slice_eq(entry_name(&l->entries[0]), inbox);
}

void login_recover(struct client *c, const struct recovered *what, struct identity *who,
                   void (*done)(void *arg, enum login_end how), void *arg) {
    struct login *l = calloc(1, sizeof *l);
    struct profile profile = {.username = what->username, .role = what->role};
    if (who != NULL)
        profile.role = who->role;
    if (who != NULL && who->username.len != 0)
        profile.username = who->username;
    bool taken = l != NULL && take_user(c, &what->user, &profile);
    struct request *r = taken ? request_make(c, &clients_of(c)->rows[EVENT_LOGIN]) : NULL;
    if (r == NULL) {
        free(l);
        done(arg, LOGIN_LOST);
        return;
    }
    *l = (struct login){.fresh = true,
                        .resuming = true,
                        .what = what,
                        .who = who != NULL ? identity_ref(who) : NULL,
                        .recovered = done,
                        .arg = arg};
    buf_init(&l->denied);
    r->state = l;
    r->drop = login_drop;
    if (!take_channels(r, what)) {
        login_fail(r, l);
        return;
    }
    l->room = what->room[0] != '\0' ? entry_find(l, slice_of(what->room)) : NULL;
    take_identity(c, l);
    login_begin(r);
}

/* --- told by a back end ---------------------------------------------------------------------
 */

void login_enter(struct request *r, struct slice room, const struct position *since) {
    struct client *c = r->client;
    char bytes[CHANNEL_NAME_SIZE];
    size_t at;
    if (sub_find(&c->as, room_channel(room, bytes)) != NULL) {
        request_ok(r, (struct slice){NULL, 0});
        return;
    }
    struct login *l = make_login(r, c->identity != NULL ? identity_ref(c->identity) : NULL);
    if (l == NULL || !add_room(r, room, false, &at))
        return;
    l->told = l->members_only = true;
    l->entries[at].since = *since;
    l->entries[at].resumed = true;
    login_begin(r);
}
