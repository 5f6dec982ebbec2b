#include "gateway/session/session.h"

#include <stdlib.h>

#include "common/hash.h"
#include "common/random.h"
#include "gateway/net/token.h"

#define SPARE_MS      60000 /* a hash in use lives this much longer than sio-recovery */
#define PID_TRIES     32
#define FIXED_FIELDS  9
#define CHANNEL_FIELD (NAME_MAX_LEN + 96)

/* --- all sessions ---------------------------------------------------------------------------
 */

void sessions_init(struct sessions *all, struct leases *leases, const struct options *options,
                   const struct hub *hub) {
    all->leases = leases;
    all->redis = leases->redis;
    all->options = options;
    all->upsets = &hub->upsets;
    all->tides = hub->tides;
    list_init(&all->kept);
    list_init(&all->recoveries);
}

uint32_t session_term_of(const char *term) {
    return (uint32_t)hash_add(HASH_EMPTY, term, strlen(term));
}

void sessions_redis_up(struct sessions *all, const struct partition *p) {
    all->terms[p->index] = session_term_of(p->term);
}

/* --- life -----------------------------------------------------------------------------------
 */

static bool make_pid(char pid[SESSION_PID_SIZE], const char *name) {
    memcpy(pid, name, SESSION_NAME_LEN);
    return token_make(pid + SESSION_NAME_LEN, SESSION_PID_SIZE - 1 - SESSION_NAME_LEN);
}

void session_name(struct session *s, const char pid[SESSION_PID_SIZE]) {
    char key[SESSION_KEY_SIZE];
    memcpy(s->pid, pid, sizeof s->pid);
    s->home = (uint8_t)redis_partition(s->all->redis, session_key(pid, key))->index;
}

/* Takes a pid whose partition can be written to, if one is found. */
static bool take_pid(struct session *s, const char *name) {
    char pid[SESSION_PID_SIZE] = "";
    for (unsigned i = 0; i < PID_TRIES; i++) {
        if (!make_pid(pid, name))
            return false;
        session_name(s, pid);
        bool serves = redis_up(session_redis(s)) && session_lease(s)->held;
        if (serves || s->all->redis->count == 1)
            break;
    }
    return true;
}

bool session_open(struct client *c, const char *name, struct slice space) {
    struct session *s = calloc(1, sizeof *s);
    if (s == NULL)
        return false;
    s->all = clients_of(c)->sessions;
    if (!take_pid(s, name)) {
        free(s);
        return false;
    }
    session_free(c->session);
    s->client = c;
    s->space = space;
    list_init(&s->link);
    c->session = s;
    return true;
}

void session_free(struct session *s) {
    if (s == NULL)
        return;
    list_remove(&s->link);
    if (s->all->tides != NULL)
        free(s->owed);
    free(s->standings);
    free(s->client->as.origin);
    s->client->as.origin = NULL;
    free(s);
}

uint32_t session_term(const struct session *s) {
    return s->all->terms[s->home];
}

struct partition *session_redis(const struct session *s) {
    return redis_at(s->all->redis, s->home);
}

struct lease *session_lease(const struct session *s) {
    return lease_in(s->all->leases, session_redis(s));
}

/* --- channels -------------------------------------------------------------------------------
 */

static struct standing *find(const struct session *s, const struct sub *sub) {
    for (unsigned i = 0; i < s->count; i++) {
        if (s->standings[i].sub == sub)
            return &s->standings[i];
    }
    return NULL;
}

void session_moved(struct session *s, struct standing *t, bool moved) {
    s->moved += moved;
    s->moved -= t->moved;
    t->moved = moved;
}

void session_entering(const struct client *c) {
    if (c->session != NULL)
        c->session->calm = 0;
}

/* Makes room for another standing. */
static bool grow(struct session *s) {
    struct standing *grown = realloc(s->standings, (s->count + 1) * sizeof *grown);
    if (grown == NULL)
        return false;
    s->standings = grown;
    if (s->all->tides == NULL)
        return true;
    uint64_t *owed = realloc(s->owed, (s->count + 1) * sizeof *owed);
    if (owed == NULL)
        return false;
    owed[s->count] = 0;
    s->owed = owed;
    return true;
}

void session_owes(struct session *s, const struct standing *t, uint64_t time) {
    uint64_t *owed = &s->owed[t - s->standings];
    if (time <= t->since) /* what is not later than this says nothing */
        time = t->since + 1;
    if (*owed < time)
        *owed = time;
    s->calm = 0;
}

void session_entered(struct sub *sub, const struct position *floor, uint64_t clock,
                     bool resumed) {
    struct session *s = client_of(sub->subscriber)->session;
    if (s == NULL)
        return;
    if (!grow(s)) {
        s->beyond = true;
        return;
    }
    s->version++;
    s->calm = 0;
    bool apart = s->all->tides != NULL;
    if (!apart && s->count == 0 && s->base == 0) /* it has no time of another Redis */
        s->term = session_term(s) ^ s->salt;
    if (resumed) {
        uint32_t salt = (uint32_t)random_u64() | 1;
        s->term ^= s->salt ^ salt;
        s->salt = salt;
    }
    /* The check's answer may be older than the sub, and than messages that the client has. */
    uint64_t high = apart ? s->all->tides[sub->channel->redis->index].time : s->high;
    uint64_t since = clock > high ? clock : high;
    s->standings[s->count++] =
        (struct standing){.sub = sub, .floor = *floor, .since = since, .version = s->version};
}

void session_changed(struct client *c, const struct sub *sub) {
    struct session *s = c->session;
    struct standing *t = s != NULL && sub != NULL ? find(s, sub) : NULL;
    if (s == NULL)
        return;
    s->version++;
    if (t != NULL)
        t->version = s->version;
    if (s->stored)
        session_sync(s);
}

void session_restore(struct session *s, const struct recovered *what) {
    if (what->state != NULL && s->client->state == NULL)
        s->client->state = strdup(what->state);
    s->salt = what->salt;
    if (s->all->tides != NULL)
        return;
    s->base = what->base;
    s->high = what->clock;
    s->term = session_term(s) ^ s->salt;
}

void session_restore_channel(struct sub *sub, const struct recovered_channel *was) {
    struct session *s = client_of(sub->subscriber)->session;
    struct standing *t = find(s, sub);
    if (t == NULL)
        return; /* no memory */
    if (s->all->tides != NULL && !position_is(&was->at, &was->floor))
        session_owes(s, t, t->since); /* the client had nothing later when it came back */
    t->floor = was->floor;
    t->since = was->since;
    session_moved(s, t, was->moved);
}

/* Many sessions may be written again at once, so sessions_keep does so in its next turns. */
static void write_again(struct session *s) {
    s->stored_term = 0;
    s->kept = 0;
    list_remove(&s->link);
    list_push(s->all->kept.next, &s->link); /* as the first */
}

void session_reset(struct sub *sub, struct slice epoch, uint64_t from) {
    struct session *s = client_of(sub->subscriber)->session;
    struct standing *t = s != NULL ? find(s, sub) : NULL;
    if (t == NULL)
        return;
    position_set(&t->floor, epoch, t->floor.seq < from ? t->floor.seq : from);
    t->version = ++s->version;
    if (s->stored)
        write_again(s);
}

/* --- in Redis -------------------------------------------------------------------------------
 */

/* Arguments of session.lua. Some of them point into `text`. */
struct fields {
    struct slice *args;
    size_t count;
    struct buf text;
};

struct slice session_key(const char *pid, char out[SESSION_KEY_SIZE]) {
    int len = snprintf(out, SESSION_KEY_SIZE, "sio:%s", pid);
    return (struct slice){out, (size_t)len};
}

struct slice session_ttl(const struct sessions *all, char out[DIGITS_SIZE]) {
    return slice_digits(all->options->sio_recovery + SPARE_MS, out);
}

static void put(struct fields *f, const char *name, struct slice value) {
    f->args[f->count++] = slice_of(name);
    f->args[f->count++] = value;
}

static void put_who(struct fields *f, const struct session *s, char id[CLIENT_ID_SIZE]) {
    const struct client *c = s->client;
    const struct profile *p = c->presence.profile;
    put(f, "user", client_user(c));
    put(f, "namespace", s->space);
    put(f, "origin", subscriber_origin(&c->as, id));
    if (p != NULL && p->username.len > 0)
        put(f, "username", name_slice(&p->username));
    if (p != NULL && p->role.len > 0)
        put(f, "role", name_slice(&p->role));
}

/* Adds "c:<channel>" and "<epoch> <floor> <since>" of each channel that changed after the
 * version `after`. */
static void put_channels(struct fields *f, const struct session *s, uint64_t after) {
    for (unsigned i = 0; i < s->count && !f->text.failed; i++) {
        const struct standing *t = &s->standings[i];
        size_t from = f->text.len;
        if (t->version <= after)
            continue;
        buf_printf(&f->text, "c:%s", t->sub->channel->name);
        size_t value = f->text.len;
        buf_printf(&f->text, "%s %llu %llu%s", t->floor.epoch, (unsigned long long)t->floor.seq,
                   (unsigned long long)t->since, t->sub->granted ? " 1" : "");
        f->args[f->count++] = (struct slice){f->text.data + from, value - from};
        f->args[f->count++] = (struct slice){f->text.data + value, f->text.len - value};
    }
}

static bool send_fields(struct session *s, struct fields *f, bool whole, redis_done done) {
    char key_bytes[SESSION_KEY_SIZE], id[CLIENT_ID_SIZE], origin[CLIENT_ID_SIZE];
    char ttl[DIGITS_SIZE], salt[DIGITS_SIZE];
    struct client *c = s->client;
    struct slice key = session_key(s->pid, key_bytes);
    f->args[0] = whole ? SLICE("put") : SLICE("add");
    f->args[1] = client_id(c, id);
    f->args[2] = slice_of(session_lease(s)->incarnation);
    f->args[3] = session_ttl(s->all, ttl);
    f->count = 4;
    put(f, "salt", slice_digits(s->salt, salt));
    put(f, "room", s->room != NULL ? channel_name(s->room->channel) : SLICE(""));
    s->stated = s->stated || c->state != NULL;
    if (s->stated)
        put(f, "state", slice_of(c->state != NULL ? c->state : ""));
    if (whole)
        put_who(f, s, origin);
    put_channels(f, s, whole ? 0 : s->saved);
    return !f->text.failed &&
           redis_script(session_redis(s), SCRIPT_session, &key, 1, f->args, f->count, done, c);
}

static bool send_state(struct session *s, bool whole, redis_done done) {
    struct fields f = {.args =
                           calloc(4 + 2 * (size_t)(FIXED_FIELDS + s->count), sizeof *f.args)};
    buf_init(&f.text);
    /* The arguments point into the buffer, so it must not move. */
    bool sent = f.args != NULL && buf_reserve(&f.text, s->count * (size_t)CHANNEL_FIELD) &&
                send_fields(s, &f, whole, done);
    buf_deinit(&f.text);
    free(f.args);
    return sent;
}

static void tell(struct session *s, bool good) {
    void (*done)(void *, bool) = s->done;
    s->done = NULL;
    if (done != NULL)
        done(s->arg, good);
}

void session_taken(struct session *s) {
    struct client *c = s->client;
    client_ref(c);
    s->stored = false;
    if (!c->as.gone)
        client_close(c, 1000, "recovered by another connection");
    tell(s, false);
    client_unref(c);
}

static void on_state(void *arg, const struct reply *reply, enum outcome outcome) {
    struct client *c = arg;
    struct session *s = c->session;
    long long status = reply_number(reply_item(reply, 0));
    (void)outcome;
    s->busy = false;
    if (status == SCRIPT_REAPED)
        lease_renew_incarnation(session_lease(s));
    if (status == SCRIPT_REAPED && s->stored && !c->as.gone) {
        write_again(s); /* under the next incarnation; `done` waits for that */
    } else if (reply == NULL || status == SCRIPT_REAPED) {
        s->stored_term = 0; /* sessions_keep writes all of it */
        tell(s, false);
    } else if (status == SESSION_TAKEN) {
        session_taken(s);
    } else if (status == SESSION_NONE) {
        s->stored = false;
        session_sync(s);
    } else {
        s->saved = s->sending;
        if (s->saved < s->version)
            session_sync(s);
        else
            tell(s, true);
    }
    client_unref(c);
}

static void sent_state(struct session *s) {
    s->busy = true;
    s->sending = s->version;
    client_ref(s->client);
}

void session_sync(struct session *s) {
    struct client *c = s->client;
    bool whole = !s->stored || s->dropped > s->saved || s->stored_term != session_term(s);
    if (s->busy || c->as.gone) {
        if (c->as.gone)
            tell(s, false);
        return; /* on_state calls this again */
    }
    if (s->beyond || s->count > SESSION_CHANNELS_MOST) {
        session_over(s, false); /* it is not recovered */
        s->saved = s->version;
        tell(s, true);
        return;
    }
    if (!send_state(s, whole, on_state)) {
        s->stored_term = 0;
        tell(s, false);
        return;
    }
    sent_state(s);
    s->stored = true;
    if (whole)
        s->stored_term = session_term(s);
    if (list_empty(&s->link)) {
        s->kept = client_now(c);
        list_push(&s->all->kept, &s->link);
    }
}

/* Tells Redis that the client left one channel. Only good if Redis lacks nothing else. */
static bool send_drop(struct session *s, const struct channel *ch) {
    char key_bytes[SESSION_KEY_SIZE], id[CLIENT_ID_SIZE], field[NAME_MAX_LEN + 16];
    struct client *c = s->client;
    struct slice key = session_key(s->pid, key_bytes);
    int len = snprintf(field, sizeof field, "c:%s", ch->name);
    struct slice args[] = {SLICE("drop"),
                           client_id(c, id),
                           slice_of(session_lease(s)->incarnation),
                           SLICE("0"),
                           {field, (size_t)len}};
    return redis_script(session_redis(s), SCRIPT_session, &key, 1, args, 5, on_state, c);
}

void session_dropped(struct sub *sub) {
    struct session *s = client_of(sub->subscriber)->session;
    struct standing *t = s != NULL ? find(s, sub) : NULL;
    if (t == NULL)
        return;
    bool alone = !s->busy && s->saved == s->version && s->stored_term == session_term(s) &&
                 s->room != sub;
    session_moved(s, t, false);
    *t = s->standings[--s->count];
    if (s->all->tides != NULL)
        s->owed[t - s->standings] = s->owed[s->count];
    if (s->room == sub)
        s->room = NULL;
    s->dropped = ++s->version;
    if (!s->stored || s->client->as.gone)
        return;
    if (alone && send_drop(s, sub->channel))
        sent_state(s);
    else
        session_sync(s);
}

void session_save(struct session *s, struct sub *room, void (*done)(void *arg, bool good),
                  void *arg) {
    s->done = done;
    s->arg = arg;
    s->room = room;
    s->version++;
    session_sync(s);
}

bool session_abandon(struct session *s) {
    if (s == NULL || s->done == NULL || s->busy)
        return false;
    s->done = NULL;
    return true;
}

void session_over(struct session *s, bool back) {
    char key_bytes[SESSION_KEY_SIZE], id[CLIENT_ID_SIZE], ttl[DIGITS_SIZE];
    if (s == NULL || !s->stored)
        return;
    /* The client was told that it left a channel, but Redis was not: a write was under way. Or
     * the session was written in another term, and is not recovered until it is written again.
     */
    if (back &&
        (s->dropped > (s->busy ? s->sending : s->saved) || s->stored_term != session_term(s)))
        send_state(s, true, NULL);
    struct slice key = session_key(s->pid, key_bytes);
    struct slice args[] = {back ? SLICE("leave") : SLICE("end"), client_id(s->client, id),
                           slice_of(session_lease(s)->incarnation),
                           slice_digits(s->all->options->sio_recovery, ttl)};
    s->stored = false;
    list_remove(&s->link);
    redis_script(session_redis(s), SCRIPT_session, &key, 1, args, 4, NULL, NULL);
}
