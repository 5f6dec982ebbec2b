#include "gateway/login/login.h"

#include <stdio.h>

#include "common/log.h"
#include "gateway/client/bearer.h"
#include "gateway/client/early.h"
#include "gateway/client/goodbye.h"
#include "gateway/client/welcome.h"
#include "gateway/presence/heartbeat.h"
#include "gateway/presence/membership.h"
#include "gateway/presence/roster.h"
#include "gateway/presence/sockets.h"

struct entry *entry_find(struct login *l, struct slice name) {
    for (size_t i = 0; i < l->count; i++) {
        if (slice_eq(entry_name(&l->entries[i]), name))
            return &l->entries[i];
    }
    return NULL;
}
/* --- the answer -----------------------------------------------------------------------------
 */

/* The position of a channel that the answer gives: see PROTOCOL.md, login. If the connection
 * was in the channel before, the position has moved on since the check. */
static struct position entry_position(const struct client *c, const struct entry *e) {
    const struct sub *known = e->sub == NULL ? sub_find(&c->as, entry_name(e)) : NULL;
    if (known != NULL)
        return sub_position(known);
    return e->resumed && e->result == CHECK_GOOD ? e->since : e->now;
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
    if (l->denied.len != 0)
        buf_str(out, first ? ",\"lost\":[" : ",");
    buf_slice(out, buf_bytes(&l->denied));
    if (!first || l->denied.len != 0)
        buf_char(out, ']');
}

static void put_channel(struct buf *out, bool first, struct slice name, struct position at) {
    if (!first)
        buf_char(out, ',');
    json_escape(out, name);
    buf_char(out, ':');
    put_position(out, &at);
}

/* Writes every channel of the connection: those of this login, then those from before. */
static void put_channels(struct buf *out, const struct client *c, struct login *l) {
    bool first = true;
    for (size_t i = 0; i < l->count; i++) {
        const struct entry *e = &l->entries[i];
        if (e->left)
            continue;
        put_channel(out, first, entry_name(e), entry_position(c, e));
        first = false;
    }
    for (struct list *at = c->as.subs.next; at != &c->as.subs; at = at->next) {
        const struct sub *sub = container_of(at, struct sub, in_subscriber);
        if (entry_find(l, channel_name(sub->channel)) != NULL)
            continue;
        put_channel(out, first, channel_name(sub->channel), sub_position(sub));
        first = false;
    }
}

static bool all_recovered(const struct login *l) {
    for (size_t i = 0; i < l->count; i++) {
        if (l->entries[i].resumed && l->entries[i].result != CHECK_GOOD)
            return false;
    }
    return l->resuming && l->denied.len == 0;
}

/* What subscribe-hook has said of channels. */
static void put_words(struct buf *out, const struct login *l) {
    bool first = true;
    for (size_t i = 0; i < l->count; i++) {
        const struct entry *e = &l->entries[i];
        if (e->data.len == 0 || e->left)
            continue;
        buf_str(out, first ? ",\"channels\":{" : ",");
        json_escape(out, entry_name(e));
        buf_str(out, ":{\"data\":");
        buf_slice(out, e->data);
        buf_char(out, '}');
        first = false;
    }
    if (!first)
        buf_char(out, '}');
}

static void put_login(struct buf *out, const struct request *r, struct login *l) {
    char id[CLIENT_ID_SIZE];
    const struct client *c = r->client;
    buf_str(out, "{\"connectionId\":");
    json_escape(out, client_id(c, id));
    buf_str(out, ",\"node\":");
    json_escape(out, slice_of(lease_first(clients_of(c)->leases)->node_id));
    buf_str(out, ",\"userId\":");
    json_escape(out, client_user(c));
    buf_printf(out, ",\"recovered\":%s", all_recovered(l) ? "true" : "false");
    put_lost(out, l);
    if (c->identity != NULL && c->identity->data != NULL) {
        buf_str(out, ",\"data\":");
        buf_str(out, c->identity->data);
    }
    put_words(out, l);
    buf_str(out, ",\"resume\":{");
    put_channels(out, c, l);
    buf_str(out, "}}");
}

static void put_join(struct buf *out, const struct client *c, const struct entry *room) {
    struct position at = entry_position(c, room);
    buf_str(out, "{\"room\":");
    json_escape(out, entry_room(room));
    buf_str(out, ",\"epoch\":");
    json_escape(out, slice_of(at.epoch));
    buf_printf(out, ",\"seq\":%llu", (unsigned long long)at.seq);
    if (room->data.len != 0) {
        buf_str(out, ",\"data\":");
        buf_slice(out, room->data);
    }
    buf_char(out, '}');
}

static void undo(struct client *c, struct login *l) {
    for (size_t i = 0; i < l->count && !c->as.gone; i++) {
        if (l->entries[i].sub != NULL)
            sub_drop(l->entries[i].sub);
    }
    if (l->fresh && !c->as.gone)
        registry_want(&c->presence, false);
}

static void start_all(struct client *c, const struct login *l) {
    for (size_t i = 0; i < l->count && !c->as.gone; i++) {
        if (l->entries[i].sub == NULL)
            continue;
        membership_recheck(clients_of(c)->leases, l->entries[i].sub);
        sub_start(l->entries[i].sub);
    }
}

static void is_logged_in(struct client *c, const struct login *l) {
    c->as.logged_in = true;
    clients_of(c)->user_count++;
    c->inbox = sub_find(&c->as, entry_name(&l->entries[0]));
    wheel_clear(&clients_of(c)->wheel, &c->presence.timer);
    heartbeat_hold(&c->presence);
    goodbye_changed(c);
    early_release(c);
    LOG(LOG_DEBUG, "login", "user", log_text("%.*s", (int)c->as.user.len, c->as.user.ptr),
        "recovered", l->what != NULL ? "true" : "false", NULL);
}

/* A client that is recovered, or that logs in as it connects, could not be sent anything while
 * it entered its rooms. So their rosters are sent again. */
static void renew_rosters(struct client *c, const struct login *l) {
    for (size_t i = 0; i < l->count && !c->as.gone; i++) {
        const struct entry *e = &l->entries[i];
        if (e->sub != NULL && entry_is_room(e))
            roster_renew(clients_of(c)->rosters, e->sub->channel);
    }
}

/* The position that the client was told is not good any more: it is told another one. */
static void tell_position(struct client *c, const struct login *l) {
    const struct entry *e = &l->entries[0];
    struct buf data;
    if (e->sub == NULL || e->result == CHECK_GOOD)
        return;
    buf_init(&data);
    put_join(&data, c, e);
    if (data.failed)
        client_close(c, 1011, "out of memory");
    else
        subscriber_emit(&c->as, "joined", buf_bytes(&data), false);
    buf_deinit(&data);
}

static void find_socket(struct client *c, const struct login *l) {
    if (l->fresh && !c->as.gone && !sockets_enter(clients_of(c)->sockets, &c->as))
        client_close(c, 1011, "out of memory");
}

static void succeed(struct request *r, struct login *l) {
    struct client *c = r->client;
    bool unheard = c->unheard;
    struct buf answer;
    buf_init(&answer);
    if (l->joins)
        put_join(&answer, c, l->room);
    else if (l->what == NULL && !l->told)
        put_login(&answer, r, l);
    if (l->fresh)
        is_logged_in(c, l);
    if (l->room != NULL)
        c->last_room = sub_find(&c->as, entry_name(l->room));
    if (l->what != NULL) {
        r->abandon = NULL;
        l->recovered(l->arg, LOGIN_DONE);
        find_socket(c, l);
        welcome_say(c);
        renew_rosters(c, l);
        start_all(c, l);
    } else if (request_answer(r, &answer)) {
        find_socket(c, l);
        welcome_say(c);
        if (unheard)
            renew_rosters(c, l);
        if (l->told)
            tell_position(c, l);
        start_all(c, l);
    }
    buf_deinit(&answer);
    client_watch(c);
    request_ok(r, (struct slice){NULL, 0});
}

/* What the back end has said was revoked since: the next login asks it again. (A door that logs
 * its clients in does so by itself.) */
static bool asks_again(const struct client *c, const struct login *l) {
    return l->who != NULL && l->who->asked && !c->unheard;
}

void login_fail(struct request *r, struct login *l) {
    struct client *c = r->client;
    undo(c, l);
    if (l->identified)
        client_identify(c, l->former);
    l->former = NULL;
    if (l->what != NULL) {
        void (*recovered)(void *, enum login_end) = l->recovered;
        void *arg = l->arg;
        bool refused = l->too_many || l->full || l->revoked;
        enum login_end how = l->failed && !refused ? LOGIN_UNANSWERED : LOGIN_LOST;
        request_ok(r, (struct slice){NULL, 0});
        recovered(arg, how);
    } else if (l->refused) {
        char message[QUESTION_MESSAGE_SIZE];
        struct failure failure = question_failure(&l->refusal, message);
        request_fail_with(r, &failure);
    } else if (l->away) {
        request_unavailable(r, l->outcome);
    } else if (l->revoked && !asks_again(c, l)) {
        request_fail(r, ERR_UNAUTHORIZED, "token", "revoked");
    } else if (l->full) {
        metric_limited(clients_of(c)->metrics, LIMIT_PER_USER);
        request_fail(r, ERR_TOO_MANY, l->joins ? "id" : "userId",
                     "has as many connections as one may");
    } else if (l->stranger) {
        request_fail(r, ERR_NOT_A_MEMBER, "csId", "must be that of a room of the user's");
    } else if (l->too_many) {
        metric_limited(clients_of(c)->metrics, LIMIT_ROOMS);
        const char *named = l->room != NULL ? "csId" : "resume";
        request_fail(r, ERR_TOO_MANY, l->joins ? "room" : named,
                     "the user belongs to as many rooms as one may");
    } else {
        request_unavailable(r, OUTCOME_REFUSED);
    }
}

/* Takes the client out of the rooms of which the user is no member: they are lost to it. */
static void drop_left(struct client *c, struct login *l) {
    for (size_t i = 0; l->what == NULL && i < l->count; i++) {
        struct entry *e = &l->entries[i];
        struct sub *sub = e->left ? sub_find(&c->as, entry_name(e)) : NULL;
        if (sub != NULL)
            sub_drop(sub);
        if (e->left) {
            e->sub = NULL;
            e->result = CHECK_LOST;
        }
    }
}

static void check_all(struct request *r, struct login *l);
static void ask_all(struct request *r, struct login *l);
static void enter_registry(struct request *r, struct login *l);
static void enter_all(struct request *r, struct login *l);
static void save(struct request *r, struct login *l);

static void login_step(struct request *r) {
    struct login *l = r->state;
    struct client *c = r->client;
    if (l->pending > 0)
        return;
    registry_abandon(&c->presence);
    bool lost = l->what != NULL && !all_recovered(l);
    if (l->failed || c->as.gone || lost)
        login_fail(r, l);
    else if (!l->checked)
        check_all(r, l);
    else if (!l->asked)
        ask_all(r, l);
    else if (!l->registered)
        enter_registry(r, l);
    else if (!l->entered)
        enter_all(r, l);
    else if (c->session != NULL && !l->saved)
        save(r, l);
    else {
        drop_left(c, l);
        succeed(r, l);
    }
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
    if (l->what != NULL)
        session_restore(c->session, l->what);
    welcome_state(c);
    for (size_t i = 0; i < l->count; i++) {
        struct entry *e = &l->entries[i];
        if (e->left) {
            sub_drop(e->sub);
            e->sub = NULL;
        } else if (e->was != NULL) {
            session_restore_channel(e->sub, e->was);
        }
    }
    struct sub *room = l->room != NULL ? sub_find(&c->as, entry_name(l->room)) : c->last_room;
    l->saved = true;
    l->pending++;
    session_save(c->session, room, on_saved, r);
}

/* --- the answers that a step awaits ---------------------------------------------------------
 */

static void on_entered(struct registration *g, enum entered how) {
    struct request *r = client_of(&g->as)->current;
    struct login *l = r->state;
    l->too_many = how == ENTERED_TOO_MANY;
    l->revoked = how == ENTERED_REVOKED;
    l->full = how == ENTERED_FULL;
    one_done(r, how == ENTERED);
}

/* entering.rooms. A recovery gives none: the user was in its rooms already, and it is not known
 * yet which of them the user has left meanwhile. The same holds for members only. */
static size_t put_rooms(const struct entering *entering, struct slice *out) {
    const struct login *l = container_of(entering, struct login, entering);
    size_t count = 0;
    for (size_t i = 0; l->what == NULL && !l->members_only && i < l->count; i++) {
        if (!entry_is_room(&l->entries[i]) || l->entries[i].left)
            continue;
        if (out != NULL)
            out[count] = entry_room(&l->entries[i]);
        count++;
    }
    return count;
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
    if (e->sub != NULL)
        e->sub->entering = false;
    long long status = reply_number(reply_item(reply, 0));
    bool good = reply != NULL && status == 0;
    if (reply != NULL && status == SCRIPT_TOO_MANY)
        l->too_many = true;
    if (reply != NULL && status == SCRIPT_NOT_A_MEMBER &&
        (l->what != NULL || l->members_only || e->resumed)) {
        e->left = true;
        l->stranger = l->stranger || !(l->what != NULL || e->resumed);
        one_done(e->request, !l->stranger);
        return;
    }
    struct channel *ch = hub_find(clients_of(c)->hub, entry_name(e));
    if (good && ch != NULL && !c->as.gone) {
        channel_ref(ch);
        struct rosters *rosters = clients_of(c)->rosters;
        if (!roster_entered(rosters, ch, reply))
            roster_send(rosters, &c->as, ch, reply);
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
    if (c->presence.entering != NULL)
        l->pending--;
    registry_abandon(&c->presence);
    if (session_abandon(c->session))
        l->pending--;
    l->pending -= channels_cancel(l->asks);
    l->failed = true;
    login_step(r);
}

/* --- beginning ------------------------------------------------------------------------------
 */

static void entry_enter(struct request *r, struct entry *e, struct sub *sub,
                        enum membership how) {
    struct login *l = r->state;
    if (!entry_is_room(e))
        return;
    if (membership_enter(clients_of(r->client)->leases, &r->client->as, sub->channel, how,
                         on_room, e)) {
        l->pending++;
        if (e->sub != NULL)
            e->sub->entering = true;
    } else {
        l->failed = true;
    }
}

static enum membership how_of(const struct login *l, const struct entry *e) {
    if (l->what != NULL)
        return MEMBER_AGAIN;
    if (l->members_only && !e->granted)
        return MEMBER_ONLY;
    return e->announced && !e->known ? MEMBER_ANNOUNCED
           : e->resumed              ? MEMBER_RESUMED
                                     : MEMBER_QUIETLY;
}

static void entry_begin(struct request *r, struct entry *e) {
    struct login *l = r->state;
    struct client *c = r->client;
    struct sub *sub = sub_find(&c->as, entry_name(e));
    e->known = sub != NULL;
    if (e->known) {
        e->now = sub_position(sub);
        e->result = CHECK_GOOD;
        e->since = e->now;
    } else {
        e->checking = true;
        sub =
            hub_subscribe(clients_of(c)->hub, &c->as, entry_name(e), &e->since, on_checked, e);
        e->sub = sub;
        l->failed = l->failed || sub == NULL;
        e->checking = sub != NULL;
        l->pending += sub != NULL;
    }
    if (sub != NULL && e->granted)
        sub->granted = true;
    if (sub != NULL && !l->checks_first)
        entry_enter(r, e, sub, how_of(l, e));
}

/* The first step of a recovery, or if the back end is to be asked: checks the channels. */
static void check_all(struct request *r, struct login *l) {
    l->checked = true;
    l->pending = 1; /* this function's own, so that the step cannot end before all has begun */
    for (size_t i = 0; i < l->count; i++)
        entry_begin(r, &l->entries[i]);
    one_done(r, true);
}

/* --- subscribe-hook -------------------------------------------------------------------------
 */

static bool is_asked_about(const struct client *c, const struct login *l,
                           const struct entry *e) {
    return !c->current->trusted && !e->granted && !e->unasked && !l->told && !e->known &&
           channels_asked(c, entry_name(e));
}

/* What the back end refuses of a `resume` is lost; a room that is named refuses the login. */
static void take_word(struct request *r, struct entry *e) {
    struct login *l = r->state;
    struct channel_word word;
    switch (channels_said(l->asks, r->client, entry_name(e), &word)) {
    case CHANNEL_OPEN:
        e->data = word.data;
        break;
    case CHANNEL_REFUSED:
        e->left = true;
        if (!e->resumed || (e == l->room && l->what == NULL)) {
            l->refused = true;
            l->refusal = word.answer;
        }
        break;
    case CHANNEL_AWAY:
        l->away = true;
        l->outcome = word.outcome;
        break;
    }
}

static void on_said(struct request *r) {
    struct login *l = r->state;
    for (size_t i = 0; l->pending == 1 && i < l->count; i++)
        take_word(r, &l->entries[i]);
    one_done(r, !l->refused && !l->away);
}

static void ask_all(struct request *r, struct login *l) {
    struct slice *names = calloc(l->count + 1, sizeof *names);
    size_t count = 0;
    for (size_t i = 0; names != NULL && i < l->count; i++)
        if (is_asked_about(r->client, l, &l->entries[i]))
            names[count++] = entry_name(&l->entries[i]);
    int calls = names != NULL ? channels_ask(r, names, count, &l->asks, on_said) : -1;
    free(names);
    l->asked = true;
    l->pending = 1 + (calls > 0 ? (unsigned)calls : 0);
    one_done(r, calls >= 0);
}

static void enter_registry(struct request *r, struct login *l) {
    struct client *c = r->client;
    l->registered = true;
    l->pending = 1;
    l->entering = (struct entering){.rooms = put_rooms, .done = on_entered};
    if (l->room != NULL && !l->members_only)
        l->entering.room = entry_room(l->room);
    registry_await(&c->presence, &l->entering);
    registry_want(&c->presence, true);
}

static void enter_all(struct request *r, struct login *l) {
    l->entered = true;
    l->pending = 1;
    for (size_t i = 0; i < l->count; i++) {
        struct entry *e = &l->entries[i];
        struct sub *sub = sub_find(&r->client->as, entry_name(e));
        if (!l->checks_first) {
            entry_begin(r, e);
            continue;
        }
        e->sub = e->sub != NULL ? sub : NULL; /* it may have been dropped meanwhile */
        l->failed = l->failed || sub == NULL;
        if (!e->left && sub != NULL)
            entry_enter(r, e, sub, how_of(l, e));
    }
    one_done(r, true);
}

static bool all_up(const struct client *c, const struct login *l) {
    for (size_t i = 0; i < l->count; i++) {
        if (!redis_up(redis_partition(clients_of(c)->redis, entry_name(&l->entries[i]))))
            return false;
    }
    return l->count > 0 || redis_any_up(clients_of(c)->redis);
}

void login_begin(struct request *r) {
    struct login *l = r->state;
    struct client *c = r->client;
    if (!all_up(c, l)) {
        l->failed = true;
        login_fail(r, l);
        return;
    }
    r->abandon = login_abandon;
    l->asked = true;
    for (size_t i = 0; i < l->count; i++) {
        struct entry *e = &l->entries[i];
        e->known = sub_find(&c->as, entry_name(e)) != NULL;
        l->asked = l->asked && !is_asked_about(c, l, e);
    }
    l->checks_first = l->what != NULL || !l->asked;
    l->checked = !l->checks_first;
    l->registered = !l->fresh;
    login_step(r);
}
