#include "gateway/presence/announce.h"

#include "common/utf8.h"
#include "gateway/channel/filter.h"
#include "gateway/channel/name.h"
#include "gateway/presence/membership.h"

/* --- a user comes online or goes offline ----------------------------------------------------
 */

struct coming {
    struct announcer *announcer;
    struct name user;
    bool online;
    struct buf quoted; /* the user's id as JSON */
    struct buf frame;
    struct message bare; /* user_online or user_offline */
};

static void tell(struct coming *e, struct subscriber *s) {
    if (s->gone || s->stamp == e->announcer->all->stamp ||
        slice_eq(s->user, name_slice(&e->user)))
        return;
    s->stamp = e->announcer->all->stamp;
    s->ops->deliver(s, &e->bare);
}

static void tell_list(struct coming *e, struct list *subs) {
    for (struct list *at = subs->next, *next; at != subs; at = next) {
        next = at->next;
        tell(e, container_of(at, struct sub, in_channel)->subscriber);
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

/* The channel of a room, given as a JSON string; NULL: nobody here is in it. */
static struct channel *find_room(const struct announcer *a, struct json_value room) {
    char name[NAME_MAX_LEN], channel[CHANNEL_NAME_SIZE];
    ptrdiff_t len = json_decode(room, name, sizeof name);
    if (len <= 0)
        return NULL;
    return hub_find(a->hub, room_channel((struct slice){name, (size_t)len}, channel));
}

static void tell_room(struct coming *e, struct json_value room) {
    struct channel *ch = find_room(e->announcer, room);
    if (ch == NULL)
        return;
    channel_ref(ch);
    if (roster_names(e->announcer->rosters, ch, e->online ? 1 : 2)) {
        tell_list(e, &ch->live);
        tell_list(e, &ch->behind);
        if (!e->online)
            tell_left(e, ch, room);
    }
    if (ch->hub->redis->count == 1) /* with partitions `turned` follows, or an event */
        roster_touch(e->announcer->rosters, ch);
    channel_unref(ch);
}

static void tell_all(struct coming *e) {
    for (struct list *at = e->announcer->all->list.next, *next; at != &e->announcer->all->list;
         at = next) {
        struct subscriber *s = container_of(at, struct subscriber, link);
        next = at->next;
        if (s->logged_in)
            tell(e, s);
    }
}

/* A user that was announced is now online, or offline, in these rooms, too (turn.lua). */
static void on_turned(struct announcer *a, struct json_value rooms) {
    struct json_iter it;
    json_iter_init(&it, rooms);
    while (json_iter_next(&it)) {
        struct channel *ch = find_room(a, it.value);
        if (ch != NULL)
            roster_touch(a->rosters, ch);
    }
}

static void on_presence(void *arg, struct slice payload) {
    static const char *const names[] = {"event", "userId", "rooms"};
    struct json_value value, fields[3];
    struct coming e = {.announcer = arg};
    if (json_parse(payload, &value) != JSON_OK)
        return;
    json_fields(value, names, fields, 3);
    if (slice_is(fields[0].raw, "\"turned\""))
        on_turned(e.announcer, fields[2]);
    if (!name_from_json(fields[1], true, &e.user))
        return;
    e.online = slice_is(fields[0].raw, "\"user_online\"");
    e.announcer->all->stamp++;
    json_escape(&e.quoted, name_slice(&e.user));
    const char *event = e.online ? "user_online" : "user_offline";
    if (message_bare(&e.bare, &e.frame, event, buf_bytes(&e.quoted))) {
        if (e.announcer->options->presence_all)
            tell_all(&e);
        struct json_iter it;
        json_iter_init(&it, fields[2]);
        while (json_iter_next(&it))
            tell_room(&e, it.value);
        message_done(&e.bare, e.announcer->hub->slabs);
    }
    buf_deinit(&e.quoted);
    buf_deinit(&e.frame);
}

/* --- the channel `all` ----------------------------------------------------------------------
 */

static void on_all(void *arg, struct slice payload) {
    struct announcer *a = arg;
    struct buf frame;
    struct message m;
    buf_init(&frame);
    bool whole = message_parse(&m, payload) && slice_is(m.channel, "\"all\"") && m.seq == 0;
    if (utf8_valid(payload) && (whole || message_text(&m, &frame, SLICE("all"), payload))) {
        for (struct list *at = a->all->list.next, *next; at != &a->all->list; at = next) {
            struct subscriber *s = container_of(at, struct subscriber, link);
            next = at->next;
            if (s->logged_in && filter_passes(&m, s))
                s->ops->deliver(s, &m);
        }
        message_done(&m, a->hub->slabs);
    }
    buf_deinit(&frame);
}

static void on_nothing(void *arg) {
    (void)arg; /* after an outage, the registry and the rosters bring everything up to date */
}

static const struct subscription_events presence_events = {
    .on_confirmed = on_nothing, .on_message = on_presence, .on_lost = on_nothing};
static const struct subscription_events all_events = {
    .on_confirmed = on_nothing, .on_message = on_all, .on_lost = on_nothing};

int announcer_init(struct announcer *a, struct subscribers *all, struct hub *hub,
                   struct leases *leases, struct rosters *rosters,
                   const struct options *options) {
    struct buf name;
    *a = (struct announcer){
        .all = all, .hub = hub, .leases = leases, .rosters = rosters, .options = options};
    buf_init(&name);
    bool good = true;
    for (unsigned i = 0; good && i < hub->redis->count; i++) {
        struct partition *p = redis_at(hub->redis, i);
        buf_clear(&name);
        redis_bell(p, &name, "presence");
        if (!name.failed)
            a->presence_bells[i] = redis_subscribe(p, buf_bytes(&name), &presence_events, a);
        good = a->presence_bells[i] != NULL;
    }
    buf_clear(&name);
    struct partition *p = redis_partition(hub->redis, SLICE("all"));
    redis_doorbell(p, &name, SLICE("all"));
    if (!name.failed)
        a->all_bell = redis_subscribe(p, buf_bytes(&name), &all_events, a);
    buf_deinit(&name);
    return good && a->all_bell != NULL ? 0 : UV_ENOMEM;
}

enum audience announce_room_event(struct announcer *a, struct channel *ch,
                                  const struct message *m, struct name *skip) {
    static const char *const names[] = {"userId"};
    bool joined = slice_is(m->event, "userJoined");
    bool left = slice_is(m->event, "userLeft");
    struct json_value data, user;
    if (slice_is(m->event, "update_member_list")) {
        roster_counted(a->rosters, ch, m->data);
        return AUDIENCE_NONE;
    }
    if (!joined && !left && !slice_is(m->event, "typing"))
        return AUDIENCE_STARTED;
    if (json_parse(m->data, &data) == JSON_OK) {
        json_fields(data, names, &user, 1);
        name_from_json(user, true, skip);
    }
    if (!joined && !left)
        return AUDIENCE_STARTED;
    if (left)
        membership_left(a->leases, ch, name_slice(skip));
    roster_touch(a->rosters, ch);
    return roster_names(a->rosters, ch, 1) ? AUDIENCE_ALL : AUDIENCE_NONE;
}
