#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "gateway/core/request.h"
#include "gateway/core/session.h"

/*
 * login and join: the registry, the inbox, then rooms and topics, all asked for at once; then
 * the session is written, if there is one; then the answer leaves. If one fails for want of
 * Redis, all of it is undone, so that the client can simply try again.
 *
 * A recovery is a login that nobody asked for by an event, with two differences: the registry
 * and the rooms are entered only when all channels are known to be good, since nobody logs in
 * if one is not; and a room that the user has left meanwhile is left out.
 */
struct entry {
    struct request *request;
    struct sub *sub;       /* made by this login; NULL: refused, or the client was in already */
    struct position since; /* as the client gave it */
    struct position now;
    enum check_result result;
    bool resumed;  /* named in `resume` */
    bool checking; /* its first answer is on its way */
    bool left;     /* a recovery's: the user is no member any more */
    unsigned char len;
    char name[NAME_MAX_LEN + 8];
};

struct login {
    unsigned pending;
    bool failed;
    bool too_many;
    bool fresh; /* logs the connection in */
    bool resuming;
    struct entry *room; /* of csId or join: the default from now on */
    struct entry *entries;
    size_t count;
    bool saved;
    const struct recovered *what; /* NULL: no recovery */
    void (*recovered)(void *arg, enum login_end how);
    void *arg;
    bool entering; /* a recovery's second half */
};

static struct slice entry_name(const struct entry *e) {
    return (struct slice){e->name, e->len};
}

static void login_drop(void *state) {
    free(((struct login *)state)->entries);
}

/* --- the answer -----------------------------------------------------------------------------
 */

/* What this connection has of a channel: see PROTOCOL.md, login. */
static const struct position *entry_position(const struct entry *e) {
    return e->resumed && e->result == CHECK_GOOD ? &e->since : &e->now;
}

static void put_position(struct buf *out, const struct position *p) {
    buf_str(out, "{\"epoch\":");
    json_escape(out, slice_of(p->epoch));
    buf_printf(out, ",\"seq\":%llu}", (unsigned long long)p->seq);
}

static void put_lost(struct buf *out, const struct login *l) {
    bool first = true;
    for (size_t i = 0; i < l->count; i++) {
        const struct entry *e = &l->entries[i];
        if (!e->resumed || e->result == CHECK_GOOD)
            continue;
        buf_str(out, first ? ",\"lost\":[" : ",");
        json_escape(out, entry_name(e));
        first = false;
    }
    if (!first)
        buf_char(out, ']');
}

static bool all_recovered(const struct login *l) {
    for (size_t i = 0; i < l->count; i++) {
        if (l->entries[i].resumed && l->entries[i].result != CHECK_GOOD)
            return false;
    }
    return l->resuming;
}

static void put_login(struct buf *out, const struct request *r, const struct login *l) {
    char id[CLIENT_ID_SIZE];
    const struct client *c = r->client;
    buf_str(out, "{\"connectionId\":");
    json_escape(out, client_id(c, id));
    buf_str(out, ",\"node\":");
    json_escape(out, slice_of(c->core->node_id));
    buf_str(out, ",\"userId\":");
    json_escape(out, client_user(c));
    buf_printf(out, ",\"recovered\":%s", all_recovered(l) ? "true" : "false");
    put_lost(out, l);
    buf_str(out, ",\"resume\":{");
    for (size_t i = 0; i < l->count; i++) {
        if (i > 0)
            buf_char(out, ',');
        json_escape(out, entry_name(&l->entries[i]));
        buf_char(out, ':');
        put_position(out, entry_position(&l->entries[i]));
    }
    buf_str(out, "}}");
}

static void put_join(struct buf *out, const struct entry *room) {
    buf_str(out, "{\"room\":");
    json_escape(out, (struct slice){room->name + 5, (size_t)room->len - 5});
    buf_str(out, ",\"epoch\":");
    json_escape(out, slice_of(room->now.epoch));
    buf_printf(out, ",\"seq\":%llu}", (unsigned long long)room->now.seq);
}

static void undo(struct client *c, struct login *l) {
    for (size_t i = 0; i < l->count && !c->gone; i++) {
        if (l->entries[i].sub != NULL)
            client_drop(c, l->entries[i].sub);
    }
    if (l->fresh && !c->gone)
        presence_want(c, false);
}

static void start_all(struct client *c, const struct login *l) {
    for (size_t i = 0; i < l->count && !c->gone; i++) {
        if (l->entries[i].sub == NULL)
            continue;
        room_recheck(c->core, l->entries[i].sub);
        sub_start(l->entries[i].sub);
    }
}

static void is_logged_in(struct client *c, const struct login *l) {
    c->logged_in = true;
    c->core->user_count++;
    c->inbox = client_sub(c, entry_name(&l->entries[0]));
    wheel_clear(&c->core->wheel, &c->timer);
    presence_hold(c);
    LOG(LOG_DEBUG, "login", "user", log_text("%.*s", (int)c->user.len, c->user.ptr),
        "recovered", l->what != NULL ? "true" : "false", NULL);
}

/* While a recovered client entered its rooms it could not be told anything. */
static void renew_rosters(struct client *c, const struct login *l) {
    for (size_t i = 0; i < l->count && !c->gone; i++) {
        const struct entry *e = &l->entries[i];
        if (e->sub != NULL && e->name[0] == 'r')
            roster_renew(c->core, e->sub->channel);
    }
}

static void succeed(struct request *r, struct login *l) {
    struct client *c = r->client;
    struct buf answer;
    buf_init(&answer);
    if (r->row->handle == on_join)
        put_join(&answer, l->room);
    else if (l->what == NULL)
        put_login(&answer, r, l);
    if (l->fresh)
        is_logged_in(c, l);
    if (l->room != NULL)
        c->last_room = client_sub(c, entry_name(l->room));
    if (l->what != NULL) {
        r->abandon = NULL;
        l->recovered(l->arg, LOGIN_DONE);
        renew_rosters(c, l);
        start_all(c, l);
    } else if (request_answer(r, &answer)) {
        start_all(c, l);
    }
    buf_deinit(&answer);
    request_ok(r, (struct slice){NULL, 0});
}

static void fail(struct request *r, struct login *l) {
    struct client *c = r->client;
    undo(c, l);
    if (l->what != NULL) {
        void (*recovered)(void *, enum login_end) = l->recovered;
        void *arg = l->arg;
        enum login_end how = l->failed ? LOGIN_UNANSWERED : LOGIN_LOST;
        request_ok(r, (struct slice){NULL, 0});
        recovered(arg, how);
    } else if (l->too_many) {
        request_fail(r, ERR_TOO_MANY, "room", "a user is in at most 1,000 rooms");
    } else {
        request_unavailable(r, OUTCOME_REFUSED);
    }
}

static void enter_all(struct request *r, struct login *l);
static void save(struct request *r, struct login *l);

static void login_step(struct request *r) {
    struct login *l = r->state;
    struct client *c = r->client;
    if (l->pending > 0)
        return;
    c->entered = NULL;
    bool lost = l->what != NULL && !all_recovered(l);
    if (l->failed || c->gone || lost)
        fail(r, l);
    else if (l->what != NULL && !l->entering)
        enter_all(r, l);
    else if (c->session != NULL && !l->saved)
        save(r, l);
    else
        succeed(r, l);
}

static void one_done(struct request *r, bool good) {
    struct login *l = r->state;
    l->pending--;
    l->failed = l->failed || !good;
    login_step(r);
}

static void on_saved(void *arg, bool good) {
    one_done(arg, good);
}

static void save(struct request *r, struct login *l) {
    struct client *c = r->client;
    for (size_t i = 0; i < l->count; i++) {
        if (!l->entries[i].left)
            continue;
        client_drop(c, l->entries[i].sub);
        l->entries[i].sub = NULL;
    }
    if (l->what != NULL)
        session_restore(c->session, l->what);
    struct sub *room = l->room != NULL ? client_sub(c, entry_name(l->room)) : c->last_room;
    l->saved = true;
    l->pending++;
    session_save(c->session, room, on_saved, r);
}

/* --- what is waited for ---------------------------------------------------------------------
 */

static void on_entered(struct client *c, bool in) {
    one_done(c->current, in);
}

struct slice login_room(const struct client *c) {
    const struct request *r = c->entered == on_entered ? c->current : NULL;
    const struct login *l = r != NULL ? r->state : NULL;
    if (l == NULL || l->room == NULL)
        return (struct slice){NULL, 0};
    return (struct slice){l->room->name + 5, (size_t)l->room->len - 5};
}

static void on_checked(void *arg, struct sub *sub, enum check_result result,
                       const struct position *now) {
    struct entry *e = arg;
    e->checking = false;
    e->sub = sub;
    e->result = result;
    e->now = *now;
    one_done(e->request, result != CHECK_FAILED);
}

static void on_room(void *arg, const struct reply *reply, enum outcome outcome) {
    struct entry *e = arg;
    struct client *c = e->request->client;
    (void)outcome;
    struct login *l = e->request->state;
    long long status = reply_number(reply_item(reply, 0));
    bool good = reply != NULL && status == 0;
    if (reply != NULL && status == SCRIPT_TOO_MANY)
        l->too_many = true;
    if (reply != NULL && status == SCRIPT_NOT_A_MEMBER && l->what != NULL) {
        e->left = true;
        one_done(e->request, true);
        return;
    }
    struct channel *ch = hub_find(&c->core->hub, entry_name(e));
    if (good && ch != NULL && !c->gone) {
        channel_ref(ch);
        if (!roster_entered(c->core, ch, reply))
            roster_send(c, ch, reply);
        channel_unref(ch);
    }
    one_done(e->request, good);
}

static void login_abandon(struct request *r) {
    struct login *l = r->state;
    struct client *c = r->client;
    for (size_t i = 0; i < l->count; i++) {
        l->entries[i].sub = NULL;
        if (l->entries[i].checking)
            l->pending--;
        l->entries[i].checking = false;
    }
    if (c->entered != NULL)
        l->pending--;
    c->entered = NULL;
    l->failed = true;
    login_step(r);
}

/* --- beginning ------------------------------------------------------------------------------
 */

bool room_enter(struct client *c, struct channel *ch, enum room_mode mode, redis_done done,
                void *arg) {
    static const char *const modes[] = {"0", "1", "2"};
    char key[USER_CHANNEL_SIZE];
    struct slice user = client_user(c);
    struct slice keys[] = {channel_name(ch), user_channel(user, key)};
    struct slice room = {ch->name + 5, channel_name(ch).len - 5};
    struct slice args[] = {user, room, slice_of(c->core->incarnation), slice_of(modes[mode])};
    return redis_script(&c->core->redis, SCRIPT_enter, keys, 2, args, 4, done, arg);
}

static void entry_enter(struct request *r, struct entry *e, struct sub *sub,
                        enum room_mode mode) {
    struct login *l = r->state;
    if (e->name[0] != 'r')
        return;
    if (room_enter(r->client, sub->channel, mode, on_room, e))
        l->pending++;
    else
        l->failed = true;
}

static void entry_begin(struct request *r, struct entry *e) {
    struct login *l = r->state;
    struct client *c = r->client;
    struct sub *sub = client_sub(c, entry_name(e));
    bool known = sub != NULL;
    if (known) {
        e->now = sub_position(sub);
        e->result = CHECK_GOOD;
        e->since = e->now;
    } else {
        e->checking = true;
        sub = hub_subscribe(&c->core->hub, c, entry_name(e), &e->since, on_checked, e);
        e->sub = sub;
        l->failed = l->failed || sub == NULL;
        e->checking = sub != NULL;
        l->pending += sub != NULL;
    }
    bool announce = r->row->handle == on_join && !known;
    if (sub != NULL && l->what == NULL)
        entry_enter(r, e, sub, announce ? ROOM_ANNOUNCED : ROOM_QUIETLY);
}

static void enter_registry(struct client *c, struct login *l) {
    c->entered = on_entered;
    l->pending++;
    presence_want(c, true);
}

static void enter_all(struct request *r, struct login *l) {
    l->entering = true;
    l->pending = 1;
    enter_registry(r->client, l);
    for (size_t i = 0; i < l->count; i++)
        entry_enter(r, &l->entries[i], l->entries[i].sub, ROOM_ANEW);
    one_done(r, true);
}

static void begin(struct request *r) {
    struct login *l = r->state;
    struct client *c = r->client;
    if (!redis_up(&c->core->redis)) {
        l->failed = true;
        fail(r, l);
        return;
    }
    r->abandon = login_abandon;
    l->pending = 1; /* this function's own: nothing ends before all has begun */
    if (l->fresh && l->what == NULL)
        enter_registry(c, l);
    for (size_t i = 0; i < l->count; i++)
        entry_begin(r, &l->entries[i]);
    one_done(r, true);
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

static bool read_position(struct json_value value, struct position *out) {
    static const char *const names[] = {"epoch", "seq"};
    struct json_value fields[2];
    char epoch[64];
    json_fields(value, names, fields, 2);
    ptrdiff_t len = json_decode(fields[0], epoch, sizeof epoch);
    if (fields[0].type != JSON_STRING || !json_uint64(fields[1], &out->seq) ||
        out->seq > 1ULL << 53)
        return false;
    /* One that no log can have is an unknown one. */
    bool usable =
        len > 0 && (size_t)len < sizeof out->epoch && memchr(epoch, 0, (size_t)len) == NULL;
    snprintf(out->epoch, sizeof out->epoch, "%.*s", usable ? (int)len : 1,
             usable ? epoch : "?");
    return true;
}

bool field_position(struct request *r, struct json_value value, const char *field,
                    struct position *out) {
    memset(out, 0, sizeof *out);
    if (value.type == JSON_NONE || value.type == JSON_NULL || read_position(value, out))
        return true;
    request_fail(r, ERR_BAD_FIELD, field, "must be {epoch, seq}");
    return false;
}

bool resumable(struct slice user, struct slice name) {
    struct slice rest;
    if (slice_starts(name, SLICE("user:"))) {
        rest = (struct slice){name.ptr + 5, name.len - 5};
        return slice_eq(rest, user);
    }
    if (slice_starts(name, SLICE("room:")))
        rest = (struct slice){name.ptr + 5, name.len - 5};
    else if (slice_starts(name, SLICE("topic:")))
        rest = (struct slice){name.ptr + 6, name.len - 6};
    else
        return false;
    return name_valid(rest);
}

static struct entry *entry_find(struct login *l, struct slice name) {
    for (size_t i = 0; i < l->count; i++) {
        if (slice_eq(entry_name(&l->entries[i]), name))
            return &l->entries[i];
    }
    return NULL;
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
        char bytes[NAME_MAX_LEN + 8];
        struct json_value key = {JSON_STRING, it.key};
        ptrdiff_t len = json_decode(key, bytes, sizeof bytes - 1);
        struct slice name = {bytes, len > 0 ? (size_t)len : 0};
        struct position since;
        if (!resumable(client_user(r->client), name))
            return fail_resume(r, ERR_FORBIDDEN, "names a channel that is not the user's");
        if (!read_position(it.value, &since))
            return fail_resume(r, ERR_BAD_FIELD, "must be an object of {epoch, seq}");
        struct entry *e = entry_find(l, name);
        if (e == NULL) {
            e = entry_add(l, r, "", name);
            added += client_sub(r->client, name) == NULL;
        }
        if (e == NULL)
            return fail_resume(r, ERR_INTERNAL, "out of memory");
        e->since = since;
        e->resumed = true;
        if (added + r->client->sub_count > r->client->core->options->max_subscriptions)
            return fail_resume(r, ERR_TOO_MANY, "names too many channels");
    }
    return true;
}

/* Who speaks from now on. A login that failed before may have left another name behind. */
static bool set_user(struct request *r, const struct name *user, struct json_value username,
                     struct json_value role) {
    struct client *c = r->client;
    struct profile profile = {.username = {0}};
    if (!field_text(r, username, "username", &profile.username) ||
        !field_text(r, role, "role", &profile.role))
        return false;
    if (c->presence_busy || c->is_in) {
        request_unavailable(r, OUTCOME_REFUSED);
        return false;
    }
    char *bytes = malloc(user->len);
    bool named = profile.username.len != 0 || profile.role.len != 0;
    if (named && c->profile == NULL)
        c->profile = malloc(sizeof *c->profile);
    if (bytes == NULL || (named && c->profile == NULL)) {
        free(bytes);
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
        return false;
    }
    memcpy(bytes, user->bytes, user->len);
    free((char *)c->user.ptr);
    c->user = (struct slice){bytes, user->len};
    if (c->profile != NULL)
        *c->profile = profile;
    return true;
}

/* The user of a login or join: *fresh if the connection has none yet. */
static bool read_user(struct request *r, struct json_value id, const char *field, bool optional,
                      struct json_value username, struct json_value role) {
    struct client *c = r->client;
    struct login *l = request_state(r, sizeof *l);
    struct name user = {0};
    if (l == NULL)
        return false;
    r->drop = login_drop;
    if (!field_user(r, id, field, optional || c->logged_in, &user))
        return false;
    if (c->logged_in && user.len != 0 && !slice_eq(name_slice(&user), client_user(c))) {
        request_fail(r, ERR_ALREADY_LOGGED_IN, field, NULL);
        return false;
    }
    l->fresh = !c->logged_in;
    if (l->fresh && !set_user(r, &user, username, role))
        return false;
    if (l->fresh && entry_add(l, r, "user:", client_user(c)) == NULL) {
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
        return false;
    }
    return true;
}

static bool add_room(struct request *r, struct slice room) {
    struct login *l = r->state;
    struct client *c = r->client;
    if (c->sub_count + 2 > c->core->options->max_subscriptions) {
        request_fail(r, ERR_TOO_MANY, "room", NULL);
        return false;
    }
    if (entry_add(l, r, "room:", room) != NULL)
        return true;
    request_fail(r, ERR_INTERNAL, NULL, "out of memory");
    return false;
}

/* Entries may have moved while they were added. */
static void begin_with_room(struct request *r, size_t room) {
    struct login *l = r->state;
    l->room = room < l->count ? &l->entries[room] : NULL;
    begin(r);
}

bool field_object(struct request *r, struct json_value data, const char *first) {
    if (data.type == JSON_OBJECT || data.type == JSON_NONE)
        return true;
    request_fail(r, ERR_BAD_FIELD, first, "data must be an object");
    return false;
}

void on_login(struct request *r, struct json_value data) {
    static const char *const names[] = {"userId", "csId", "username", "role", "resume"};
    struct json_value f[5];
    struct name cs = {0};
    char room[NAME_MAX_LEN + 8];
    json_fields(data, names, f, 5);
    if (!field_object(r, data, "userId") || !read_user(r, f[0], "userId", false, f[2], f[3]))
        return;
    struct login *l = r->state;
    size_t room_at = SIZE_MAX;
    if (!field_user(r, f[1], "csId", true, &cs))
        return;
    if (cs.len != 0) {
        int len = snprintf(room, sizeof room, "room-%.*s", cs.len, cs.bytes);
        if (len > NAME_MAX_LEN) {
            request_fail(r, ERR_BAD_FIELD, "csId", "must be at most 123 bytes");
            return;
        }
        room_at = l->count;
        if (!add_room(r, (struct slice){room, (size_t)len}))
            return;
    }
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
    struct login *l = r->state;
    size_t room_at = l->count;
    if (add_room(r, room.len != 0 ? name_slice(&room) : SLICE("lobby")))
        begin_with_room(r, room_at);
}

/* --- recovery -------------------------------------------------------------------------------
 */

static bool take_user(struct client *c, const struct recovered *what) {
    char *bytes = malloc(what->user.len);
    struct profile *profile = NULL;
    bool named = what->username.len != 0 || what->role.len != 0;
    if (named)
        profile = malloc(sizeof *profile);
    if (bytes == NULL || (named && profile == NULL)) {
        free(bytes);
        free(profile);
        return false;
    }
    memcpy(bytes, what->user.bytes, what->user.len);
    free((char *)c->user.ptr); /* of an attempt that Redis did not answer */
    free(c->profile);
    c->user = (struct slice){bytes, what->user.len};
    if (named)
        *profile = (struct profile){.username = what->username, .role = what->role};
    c->profile = profile;
    return true;
}

static bool take_channels(struct request *r, const struct recovered *what) {
    struct login *l = r->state;
    char key[USER_CHANNEL_SIZE];
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
            e->since = what->channels[i].at;
            e->resumed = true;
        }
    }
    return l->count > 0 && slice_eq(entry_name(&l->entries[0]), inbox);
}

void login_recover(struct client *c, const struct recovered *what,
                   void (*done)(void *arg, enum login_end how), void *arg) {
    struct request *r = calloc(1, sizeof *r);
    struct login *l = calloc(1, sizeof *l);
    if (r == NULL || l == NULL || !take_user(c, what)) {
        free(r);
        free(l);
        done(arg, LOGIN_LOST);
        return;
    }
    *l = (struct login){.fresh = true, .resuming = true, .what = what, .recovered = done};
    l->arg = arg;
    *r = (struct request){.client = c, .row = event_find(SLICE("login")), .state = l};
    r->drop = login_drop;
    client_ref(c);
    c->current = r;
    if (!take_channels(r, what)) {
        fail(r, l);
        return;
    }
    l->room = what->room[0] != '\0' ? entry_find(l, slice_of(what->room)) : NULL;
    begin(r);
}
