#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/utf8.h"
#include "gateway/core/core.h"

#define REENTER_AT_ONCE 128
#define SCORES_AT_ONCE  500
#define ONLINE_ARGS     8 /* of online.lua, before the rooms */

/* --- the registry ---------------------------------------------------------------------------
 */

static void presence_step(struct client *c);
static void reenter_pump(struct core *core);

static void registry_answered(struct client *c, bool entering, const struct reply *reply) {
    struct core *core = c->core;
    long long status = reply_number(reply_item(reply, 0));
    if (status == SCRIPT_REAPED)
        lease_renew_incarnation(core);
    if (status == SCRIPT_REAPED && !entering)
        c->is_in = false; /* whoever reaps the incarnation takes it out */
    else if (status == SCRIPT_TOO_MANY)
        c->wanted_in = false;
    else if (status != SCRIPT_REAPED) /* of a former incarnation it is reaped: not in yet */
        c->is_in = entering && c->asked_generation == core->generation;
    if (c->is_in)
        client_tell_available(c);
}

static void on_registry(struct client *c, bool entering, const struct reply *reply) {
    struct core *core = c->core;
    c->presence_busy = false;
    if (reply != NULL)
        registry_answered(c, entering, reply);
    else if (c->as.gone && redis_up(&core->redis))
        core->ghosts = true; /* it could not be taken out: a new incarnation leaves it behind */
    if (c->reentering) {
        c->reentering = false;
        core->reentering--;
    }
    bool in = c->is_in && reply != NULL;
    bool too_many = reply != NULL && reply_number(reply_item(reply, 0)) == SCRIPT_TOO_MANY;
    bool again = reply != NULL && !in && c->wanted_in; /* presence_step asks once more */
    if (entering && !c->as.gone && c->entered != NULL && !again) {
        void (*entered)(struct client *, enum entered) = c->entered;
        c->entered = NULL;
        entered(c, in ? ENTERED : too_many ? ENTERED_TOO_MANY : ENTERED_NOT);
    }
    bool refused = reply == NULL && redis_up(&core->redis);
    if (reply != NULL)
        presence_step(c);
    else if (refused && !c->as.gone && c->wanted_in && list_empty(&c->reenter))
        list_push(&core->reenter,
                  &c->reenter); /* as by a full Redis: again with the next lease */
    if (!refused)
        reenter_pump(core);
    client_unref(c);
}

static void on_entered(void *arg, const struct reply *reply, enum outcome outcome) {
    (void)outcome;
    on_registry(arg, true, reply);
}

static void on_left(void *arg, const struct reply *reply, enum outcome outcome) {
    (void)outcome;
    on_registry(arg, false, reply);
}

static struct slice or_default(const struct name *n, struct slice otherwise) {
    return n != NULL && n->len != 0 ? name_slice(n) : otherwise;
}

static bool send_enter(struct client *c, struct slice key, struct slice id) {
    struct core *core = c->core;
    char address[CONN_ADDRESS_SIZE];
    struct slice user = client_user(c);
    const struct profile *p = c->profile;
    c->as.ops->address(&c->as, address, sizeof address);
    size_t rooms = login_rooms(c, NULL);
    struct slice *args = calloc(ONLINE_ARGS + rooms, sizeof *args);
    if (args == NULL)
        return false;
    args[0] = user;
    args[1] = id;
    args[2] = slice_of(core->incarnation);
    args[3] = slice_of(address);
    args[4] = slice_of(c->as.ops->name);
    args[5] = or_default(p != NULL ? &p->username : NULL, user);
    args[6] = or_default(p != NULL ? &p->role : NULL, SLICE("user"));
    args[7] = login_room(c);
    login_rooms(c, args + ONLINE_ARGS);
    bool sent = redis_script(&core->redis, SCRIPT_online, &key, 1, args, ONLINE_ARGS + rooms,
                             on_entered, c);
    free(args);
    return sent;
}

/* How long a connection that is over stays in presence after this node has gone. */
static uint64_t lingers_for(const struct client *c) {
    uint64_t due = c->heard + c->core->options->linger;
    uint64_t now = core_now(c->core);
    return c->as.gone && c->core->draining && due > now ? due - now : 0;
}

static bool send_leave(struct client *c, struct slice key, struct slice id) {
    char ms[DIGITS_SIZE];
    uint64_t left = lingers_for(c);
    struct slice args[] = {client_user(c), id, slice_of(c->core->incarnation),
                           slice_digits(left, ms)};
    return redis_script(&c->core->redis, left > 0 ? SCRIPT_linger : SCRIPT_offline, &key, 1,
                        args, left > 0 ? 4 : 3, on_left, c);
}

/* One script at a time a client: two could overtake one another after a SCRIPT FLUSH. */
static void presence_step(struct client *c) {
    char id_bytes[CLIENT_ID_SIZE];
    char key_bytes[CHANNEL_NAME_SIZE];
    bool in = c->wanted_in;
    if (c->presence_busy || c->is_in == in || c->as.user.len == 0 || (in && c->as.gone))
        return;
    if (!c->core->leased) { /* until this incarnation has its lease, its writes are refused */
        if (in && list_empty(&c->reenter))
            list_push(&c->core->reenter, &c->reenter);
        return;
    }
    struct slice key = user_channel(client_user(c), key_bytes);
    struct slice id = client_id(c, id_bytes);
    if (!(in ? send_enter(c, key, id) : send_leave(c, key, id)))
        return; /* Redis is away: presence_reenter comes when it is back */
    c->presence_busy = true;
    c->asked_generation = c->core->generation;
    client_ref(c);
}

void presence_want(struct client *c, bool in) {
    c->wanted_in = in;
    presence_step(c);
}

void presence_leave(struct client *c) {
    uint64_t linger = c->core->options->linger;
    list_remove(&c->reenter);
    c->heard = core_now(c->core); /* it lingers from now on */
    if (c->as.user.len == 0)
        return;
    if (linger == 0 || c->core->draining) {
        presence_want(c, false);
        return;
    }
    client_ref(c); /* the timer's */
    list_push(&c->core->lingering, &c->as.link);
    wheel_set(&c->core->wheel, &c->timer, core_now(c->core) + linger);
}

void presence_redis_down(struct core *core) {
    for (struct list *at = core->clients.list.next, *next; at != &core->clients.list;
         at = next) {
        struct client *c = client_at(at);
        void (*entered)(struct client *, enum entered) = c->entered;
        next = at->next;
        if (entered == NULL || c->presence_busy)
            continue; /* a script under way fails by itself */
        c->entered = NULL;
        entered(c, ENTERED_NOT);
    }
}

/* --- beats ----------------------------------------------------------------------------------
 */

void presence_hold(struct client *c) {
    if (c->beating)
        wheel_set(&c->core->wheel, &c->timer, c->heard + c->core->options->heartbeat_timeout);
}

void presence_beat(struct client *c, bool heartbeat) {
    struct core *core = c->core;
    c->heard = core_now(core);
    bool first = heartbeat && !c->beating;
    c->beating = c->beating || heartbeat;
    if (!c->as.logged_in)
        return;
    if (first)
        presence_hold(c);
    if (!c->wanted_in) {
        presence_want(c, true);
        presence_hold(c);
    }
    if (c->beating && list_empty(&c->beats))
        list_push(&core->beaten, &c->beats);
}

void presence_timer(struct client *c) {
    struct core *core = c->core;
    if (c->as.gone) { /* lingered long enough */
        list_remove(&c->as.link);
        presence_want(c, false);
        client_unref(c);
        return;
    }
    uint64_t due = c->heard + core->options->heartbeat_timeout;
    if (!c->beating)
        return;
    if (core_now(core) < due) {
        wheel_set(&core->wheel, &c->timer, due);
        return;
    }
    LOG(LOG_DEBUG, "heartbeat_silent", "user",
        log_text("%.*s", (int)c->as.user.len, c->as.user.ptr), NULL);
    list_remove(&c->beats);
    presence_want(c, false);
}

static void on_scores(void *arg, const struct reply *reply, enum outcome outcome) {
    struct core *core = arg;
    (void)outcome;
    if (reply != NULL && reply_number(reply_item(reply, 0)) == SCRIPT_REAPED)
        lease_renew_incarnation(core);
}

struct scores {
    struct slice args[SCORES_AT_ONCE + 1];
    size_t count;
};

static void scores_send(struct core *core, struct scores *s) {
    char key[INCARNATION_SIZE + 8];
    struct slice name = node_channel(core->incarnation, key);
    if (s->count > 1)
        redis_script(&core->redis, SCRIPT_beat, &name, 1, s->args, s->count, on_scores, core);
    s->count = 1;
}

static void scores_add(struct core *core, struct scores *s, const struct client *c) {
    s->args[s->count++] = client_user(c);
    if (s->count == SCORES_AT_ONCE + 1)
        scores_send(core, s);
}

/* Those who sent a heartbeat since the last time, and a share of the others, so that each of
 * them has its turn within score_interval. */
void presence_scores(struct core *core, uint64_t elapsed_ms) {
    struct scores s = {.count = 1};
    s.args[0] = slice_of(core->incarnation);
    while (!list_empty(&core->beaten)) {
        struct client *c = container_of(core->beaten.next, struct client, beats);
        list_remove(&c->beats);
        scores_add(core, &s, c);
    }
    uint64_t share = 1 + core->clients.count * elapsed_ms / core->options->score_interval;
    for (uint64_t i = 0; i < share && i < core->clients.count; i++) {
        struct client *c = client_at(core->clients.list.next);
        list_remove(&c->as.link);
        list_push(&core->clients.list, &c->as.link);
        chunks_expire(c->chunks, core_now(core));
        if (c->is_in && c->wanted_in && !c->beating)
            scores_add(core, &s, c);
    }
    scores_send(core, &s);
}

/* --- registering all anew -------------------------------------------------------------------
 */

void rooms_reenter(struct client *c) {
    for (struct list *at = c->as.subs.next; at != &c->as.subs; at = at->next) {
        struct sub *sub = container_of(at, struct sub, in_subscriber);
        if (is_room(channel_name(sub->channel)))
            room_reenter(c->core, sub);
    }
}

static void reenter_pump(struct core *core) {
    while (core->leased && core->reentering < REENTER_AT_ONCE && !list_empty(&core->reenter)) {
        struct client *c = container_of(core->reenter.next, struct client, reenter);
        if (!redis_up(&core->redis))
            return;
        list_remove(&c->reenter);
        presence_step(c);
        if (!c->presence_busy)
            continue;
        c->reentering = true;
        core->reentering++;
        rooms_reenter(c);
    }
    if (core->reentering == 0 && list_empty(&core->reenter))
        lease_all_entered(core);
}

void presence_pump(struct core *core) {
    reenter_pump(core);
}

void presence_reenter(struct core *core) {
    for (struct list *at = core->clients.list.next; at != &core->clients.list; at = at->next) {
        struct client *c = client_at(at);
        c->is_in = false;
        if (c->wanted_in && list_empty(&c->reenter))
            list_push(&core->reenter, &c->reenter);
    }
    reenter_pump(core);
}

/* --- comings and goings ---------------------------------------------------------------------
 */

struct coming {
    struct core *core;
    struct name user;
    bool online;
    struct buf quoted; /* the user's id as JSON */
    struct buf frame;
    struct message bare; /* user_online or user_offline */
};

static void tell_client(struct coming *e, struct client *c) {
    if (c->as.gone || c->as.stamp == e->core->stamp ||
        slice_eq(client_user(c), name_slice(&e->user)))
        return;
    c->as.stamp = e->core->stamp;
    c->as.ops->deliver(&c->as, &e->bare);
}

static void tell_list(struct coming *e, struct list *subs) {
    for (struct list *at = subs->next, *next; at != subs; at = next) {
        next = at->next;
        tell_client(e, client_of(container_of(at, struct sub, in_channel)->subscriber));
    }
}

static void tell_left(struct coming *e, struct channel *ch, struct json_value room) {
    struct buf data, frame;
    struct message m;
    buf_init(&data);
    buf_init(&frame);
    buf_str(&data, "{\"room\":");
    buf_slice(&data, room.raw);
    buf_str(&data, ",\"userId\":");
    buf_slice(&data, buf_bytes(&e->quoted));
    buf_char(&data, '}');
    if (!data.failed &&
        message_ephemeral(&m, &frame, channel_name(ch), "userLeft", buf_bytes(&data)))
        channel_deliver(ch, &m, AUDIENCE_ALL, name_slice(&e->user));
    buf_deinit(&data);
    buf_deinit(&frame);
}

static void tell_room(struct coming *e, struct json_value room) {
    char bytes[NAME_MAX_LEN + 8] = "room:";
    ptrdiff_t len = json_decode(room, bytes + 5, NAME_MAX_LEN);
    if (len <= 0)
        return;
    struct channel *ch = hub_find(&e->core->hub, (struct slice){bytes, (size_t)len + 5});
    if (ch == NULL)
        return;
    channel_ref(ch);
    if (!roster_is_big(ch)) {
        tell_list(e, &ch->live);
        tell_list(e, &ch->behind);
        if (!e->online)
            tell_left(e, ch, room);
    }
    roster_touch(e->core, ch);
    channel_unref(ch);
}

static void tell_all(struct coming *e) {
    for (struct list *at = e->core->clients.list.next, *next; at != &e->core->clients.list;
         at = next) {
        struct client *c = client_at(at);
        next = at->next;
        if (c->as.logged_in)
            tell_client(e, c);
    }
}

static void on_presence(void *arg, struct slice payload) {
    static const char *const names[] = {"event", "userId", "rooms"};
    struct json_value value, fields[3];
    struct coming e = {.core = arg};
    if (json_parse(payload, &value) != JSON_OK)
        return;
    json_fields(value, names, fields, 3);
    if (!name_from_json(fields[1], true, &e.user))
        return;
    e.online = slice_is(fields[0].raw, "\"user_online\"");
    e.core->stamp++;
    json_escape(&e.quoted, name_slice(&e.user));
    const char *event = e.online ? "user_online" : "user_offline";
    if (message_bare(&e.bare, &e.frame, event, buf_bytes(&e.quoted))) {
        if (e.core->options->presence_all)
            tell_all(&e);
        struct json_iter it;
        json_iter_init(&it, fields[2]);
        while (json_iter_next(&it))
            tell_room(&e, it.value);
        message_done(&e.bare, &e.core->net->slabs);
    }
    buf_deinit(&e.quoted);
    buf_deinit(&e.frame);
}

/* --- everybody ------------------------------------------------------------------------------
 */

static void on_all(void *arg, struct slice payload) {
    struct core *core = arg;
    struct buf frame;
    struct message m;
    buf_init(&frame);
    bool whole = message_parse(&m, payload) && slice_is(m.channel, "\"all\"") && m.seq == 0;
    if (utf8_valid(payload) && (whole || message_text(&m, &frame, SLICE("all"), payload))) {
        for (struct list *at = core->clients.list.next, *next; at != &core->clients.list;
             at = next) {
            struct client *c = client_at(at);
            next = at->next;
            if (c->as.logged_in)
                c->as.ops->deliver(&c->as, &m);
        }
        message_done(&m, &core->net->slabs);
    }
    buf_deinit(&frame);
}

static void on_nothing(void *arg) {
    (void)arg; /* what was missed while Redis was away, presence_reenter and rosters mend */
}

static const struct subscription_events presence_events = {
    .on_confirmed = on_nothing, .on_message = on_presence, .on_lost = on_nothing};
static const struct subscription_events all_events = {
    .on_confirmed = on_nothing, .on_message = on_all, .on_lost = on_nothing};

int presence_init(struct core *core) {
    struct buf name;
    list_init(&core->beaten);
    list_init(&core->reenter);
    list_init(&core->lingering);
    buf_init(&name);
    buf_printf(&name, "%spresence", core->redis.config.constants.prefix);
    if (!name.failed)
        core->presence_bell =
            redis_subscribe(&core->redis, buf_bytes(&name), &presence_events, core);
    buf_clear(&name);
    redis_doorbell(&core->redis, &name, SLICE("all"));
    if (!name.failed)
        core->all_bell = redis_subscribe(&core->redis, buf_bytes(&name), &all_events, core);
    buf_deinit(&name);
    return core->presence_bell != NULL && core->all_bell != NULL ? 0 : UV_ENOMEM;
}
