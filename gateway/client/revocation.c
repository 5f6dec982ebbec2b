#include "gateway/client/revocation.h"

#include <stdlib.h>

#include "common/log.h"
#include "gateway/channel/filter.h"
#include "gateway/presence/sockets.h"

#define ASKED_AT_ONCE 128
#define CODE_GONE     4000
#define CODE_REVOKED  4403

/* --- closing --------------------------------------------------------------------------------
 */

/* What has happened to a user. */
struct mark {
    bool all;          /* all connections are closed; else those of tokens that were revoked */
    int64_t before_ms; /* tokens that were issued before are no good */
    uint16_t code;
    const char *reason;
};

static bool affects(const void *arg, const struct identity *who) {
    const struct mark *m = arg;
    return m->all || (who != NULL && (!who->has_iat || who->iat_ms < m->before_ms));
}

/* except: a JSON array, or empty (filter.h). */
static void close_subs(struct list *subs, const struct mark *m, struct slice except) {
    for (struct list *at = subs->next, *next; at != subs; at = next) {
        struct client *c = client_of(container_of(at, struct sub, in_channel)->subscriber);
        next = at->next;
        bool spared = except.len > 0 && filter_excepts(&c->as, except);
        if (!c->as.gone && !spared && affects(m, c->identity))
            client_close(c, m->code, m->reason);
    }
}

static void close_channel(struct revocation *r, struct slice name, const struct mark *m,
                          struct slice except) {
    struct channel *ch = hub_find(r->clients->hub, name);
    if (ch == NULL)
        return;
    channel_ref(ch);
    close_subs(&ch->live, m, except);
    close_subs(&ch->behind, m, except);
    channel_unref(ch);
}

/* A login waits for the registry, before it enters channels. Redis may have let it in before
 * the news, and the answer comes by another link. */
static void close_waiting(struct registry *r, struct slice user, const struct mark *m) {
    for (struct list *at = r->awaited.next, *next; at != &r->awaited; at = next) {
        struct client *c =
            client_of(&container_of(at, struct entering, link)->registration->as);
        next = at->next;
        if (slice_eq(client_user(c), user) && affects(m, c->identity))
            client_close(c, m->code, m->reason);
    }
}

/* Clients that are logged in are in their user's channel. */
static void close_user(struct revocation *r, struct slice user, const struct mark *m) {
    char name[CHANNEL_NAME_SIZE];
    close_channel(r, user_channel(user, name), m, (struct slice){NULL, 0});
    close_waiting(&r->clients->registry, user, m);
    holders_close(&r->clients->holders, user, affects, m, m->code, m->reason);
}

/* Those that are logged in are in an index. */
static struct client *find_socket(const struct clients *all, struct slice id) {
    struct subscriber *s = sockets_find(all->sockets, id);
    const struct list *list = &all->registry.all.list;
    for (struct list *at = list->next; at != list && s == NULL; at = at->next) {
        struct subscriber *one = container_of(at, struct subscriber, link);
        s = !one->logged_in && filter_is_socket(one, id) ? one : NULL;
    }
    return s != NULL ? client_of(s) : NULL;
}

static void close_socket(struct revocation *r, struct slice id, const struct mark *m) {
    struct client *c = find_socket(r->clients, id);
    if (c != NULL && !c->as.gone)
        client_close(c, m->code, m->reason);
}

/* Seconds since 1970, perhaps with a fraction, as revoke.lua writes them. */
static bool read_before(struct slice text, struct mark *m) {
    char digits[32], *end;
    if (text.len == 0 || text.len >= sizeof digits)
        return false;
    memcpy(digits, text.ptr, text.len);
    digits[text.len] = '\0';
    double seconds = strtod(digits, &end);
    if (*end != '\0' || !(seconds >= 0 && seconds < 1e13))
        return false;
    *m = (struct mark){.before_ms = (int64_t)(seconds * 1000 + 0.5),
                       .code = CODE_REVOKED,
                       .reason = "revoked"};
    return true;
}

/* --- news -----------------------------------------------------------------------------------
 */

static void on_news(void *arg, struct slice payload) {
    struct revocation *r = arg;
    static const char *const names[] = {"event",  "userId", "before",
                                        "socket", "room",   "except"};
    struct json_value value, f[6];
    struct name name;
    char channel[CHANNEL_NAME_SIZE];
    struct mark m = {.all = true, .code = CODE_GONE, .reason = "disconnected"};
    if (json_parse(payload, &value) != JSON_OK)
        return;
    json_fields(value, names, f, 6);
    bool revoked = slice_is(f[0].raw, "\"revoked\"");
    r->clients->revocations += revoked;
    if (revoked ? !read_before(f[2].raw, &m) : !slice_is(f[0].raw, "\"disconnected\""))
        return;
    if (name_from_json(f[1], true, &name))
        close_user(r, name_slice(&name), &m);
    else if (!revoked && name_from_json(f[3], false, &name))
        close_socket(r, name_slice(&name), &m);
    else if (!revoked && name_from_json(f[4], false, &name))
        close_channel(r, room_channel(name_slice(&name), channel), &m, f[5].raw);
}

/* --- news that were missed ------------------------------------------------------------------
 */

static void forget_users(struct revocation *r) {
    for (size_t i = 0; i < r->count; i++)
        identity_unref(r->users[i]);
    free(r->users);
    r->users = NULL;
    r->count = r->room = r->next = 0;
}

/* Without memory some are left out, and doubt remains. */
static void add_user(void *arg, struct identity *who) {
    struct revocation *r = arg;
    char name[CHANNEL_NAME_SIZE];
    if (who == NULL || redis_partition(r->clients->redis,
                                       user_channel(name_slice(&who->sub), name)) != r->redis)
        return;
    if (r->count == r->room) {
        size_t room = r->room * 2 + 64;
        struct identity **grown = realloc(r->users, room * sizeof(void *));
        if (grown == NULL) {
            r->doubtful = true;
            return;
        }
        r->users = grown;
        r->room = room;
    }
    r->users[r->count++] = identity_ref(who);
}

/* That of the first client here that has one: all are the same user's. */
static struct identity *identity_among(const struct list *subs) {
    struct identity *who = NULL;
    for (const struct list *at = subs->next; at != subs && who == NULL; at = at->next)
        who = client_of(container_of(at, const struct sub, in_channel)->subscriber)->identity;
    return who;
}

static void gather_users(struct revocation *r) {
    r->doubtful = false;
    forget_users(r);
    struct hub *hub = r->clients->hub;
    for (const struct channel *ch = hub_next(hub, r->redis, NULL); ch != NULL;
         ch = hub_next(hub, r->redis, ch)) {
        if (!slice_starts(channel_name(ch), SLICE("user:")))
            continue;
        struct identity *who = identity_among(&ch->live);
        add_user(r, who != NULL ? who : identity_among(&ch->behind));
    }
    const struct list *awaited = &r->clients->registry.awaited;
    for (struct list *at = awaited->next; at != awaited; at = at->next)
        add_user(
            r, client_of(&container_of(at, struct entering, link)->registration->as)->identity);
    holders_each(&r->clients->holders, add_user, r);
}

static void on_marks(void *arg, const struct reply *reply, enum outcome outcome) {
    struct revocation *r = arg;
    (void)outcome;
    r->asking = false;
    if (reply == NULL) {
        r->doubtful = true; /* again with the next lease, or when Redis is back */
        forget_users(r);
        return;
    }
    for (size_t i = 0; i < r->asked; i++) {
        struct mark m;
        if (read_before(reply_text(reply_item(reply, i + 1)), &m))
            close_user(r, name_slice(&r->users[r->next + i]->sub), &m);
    }
    r->next += r->asked;
    if (r->next == r->count)
        forget_users(r);
    revocation_pump(r);
}

static void ask_some(struct revocation *r) {
    struct slice keys[ASKED_AT_ONCE];
    char names[ASKED_AT_ONCE][CHANNEL_NAME_SIZE];
    r->asked = 0;
    while (r->asked < ASKED_AT_ONCE && r->next + r->asked < r->count) {
        struct slice user = name_slice(&r->users[r->next + r->asked]->sub);
        keys[r->asked] = user_channel(user, names[r->asked]);
        r->asked++;
    }
    r->asking =
        redis_script(r->redis, SCRIPT_revocations, keys, r->asked, NULL, 0, on_marks, r);
}

void revocation_pump(struct revocation *r) {
    if (r->asking || !r->confirmed || !redis_up(r->redis))
        return;
    if (r->doubtful)
        gather_users(r);
    if (r->next < r->count)
        ask_some(r);
}

static void on_confirmed(void *arg) {
    struct revocation *r = arg;
    r->confirmed = r->doubtful = true;
    revocation_pump(r);
}

static void on_lost(void *arg) {
    struct revocation *r = arg;
    r->confirmed = false;
}

/* --- life -----------------------------------------------------------------------------------
 */

static const struct subscription_events news = {
    .on_confirmed = on_confirmed, .on_message = on_news, .on_lost = on_lost};

int revocation_init(struct revocation *r, struct clients *clients, struct partition *redis) {
    struct buf name;
    *r = (struct revocation){.clients = clients, .redis = redis};
    buf_init(&name);
    redis_bell(redis, &name, "revoked");
    if (!name.failed)
        r->bell = redis_subscribe(redis, buf_bytes(&name), &news, r);
    buf_deinit(&name);
    return r->bell != NULL ? 0 : UV_ENOMEM;
}

void revocation_deinit(struct revocation *r) {
    forget_users(r);
}
