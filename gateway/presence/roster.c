#include "gateway/presence/roster.h"

#include <stdlib.h>

#include "common/bucket.h"
#include "common/log.h"
#include "common/random.h"
#include "gateway/channel/name.h"

#define RETRY_MS 500

/* What rosters and single events of a room may take on a node, all of its connections together.
 * A roster is sent at once after a while of quiet, and then so rarely that it keeps to this. */
#define ROSTER_BYTES_MS 1048  /* bytes in a ms: 1 MiB in a second */
#define ROSTER_WAIT_MS  30000 /* the longest time between two rosters */
#define SINGLE_BYTES    128   /* of one such event */
#define SINGLES_BURST_S 8     /* single events may take so many seconds' bytes at once */

/* The state of a room's roster on this node; channel.room points to it. */
struct room {
    struct wheel_timer timer;
    struct channel *channel;
    struct rosters *all;
    uint64_t sent_at;     /* loop time when a roster or counts were sent last */
    uint64_t whole_at;    /* loop time from which on the next whole roster may be sent */
    uint64_t sent_hash;   /* of the whole roster that was sent last */
    uint64_t sent_online; /* as the counts that were sent last had it */
    uint64_t sent_total;
    struct bucket singles; /* in ms / 1000 */
    uint64_t online;       /* members, as the index of rooms was told last */
    bool reading;          /* a script is under way */
    bool again;            /* something changed since: read once more after it */
    bool big;
};

void rosters_init(struct rosters *all, uv_loop_t *loop, struct redis *redis,
                  const struct options *options, struct room_index *index) {
    *all = (struct rosters){.redis = redis, .options = options, .loop = loop, .index = index};
    wheel_init(&all->wheel, uv_now(loop));
    member_pages_init(&all->pages, redis);
    random_bytes(&all->key, sizeof all->key);
}

static struct room *room_state(struct rosters *all, struct channel *ch) {
    struct room *room = ch->room;
    if (room != NULL)
        return room;
    room = calloc(1, sizeof *room);
    if (room == NULL)
        return NULL;
    room->channel = ch;
    room->all = all;
    ch->room = room;
    return room;
}

void roster_free(struct channel *ch) {
    struct room *room = ch->room;
    if (room == NULL)
        return;
    room_index_changed(room->all->index,
                       room_of(channel_name(ch))); /* nobody here is in it any more */
    wheel_clear(&room->all->wheel, &room->timer);
    free(room);
    ch->room = NULL;
}

/* --- the frames -----------------------------------------------------------------------------
 */

struct roster {
    const struct reply *reply;
    size_t first; /* of the ids */
    uint64_t online;
    uint64_t total;
    uint64_t hash;
};

/* Adds an item to a hash of all items so far. The hash has a secret key, since users choose
 * their ids and must not be able to make two rosters with one hash. */
static uint64_t hash_item(const struct rosters *all, uint64_t hash, const void *bytes,
                          size_t len) {
    struct siphash_key key = {all->key.k0 ^ hash, all->key.k1};
    return siphash(&key, (struct slice){bytes, len});
}

/* Reads online, total, id... from a script's answer, from the item `at` on. */
static struct roster roster_of(const struct rosters *all, const struct reply *reply,
                               size_t at) {
    struct roster r = {.reply = reply, .first = at + 2, .hash = 0};
    r.online = (uint64_t)reply_number(reply_item(reply, at));
    r.total = (uint64_t)reply_number(reply_item(reply, at + 1));
    r.hash = hash_item(all, r.hash, &r.online, sizeof r.online);
    r.hash = hash_item(all, r.hash, &r.total, sizeof r.total);
    for (size_t i = r.first; i < reply->count; i++) {
        struct slice id = reply_text(reply->items[i]);
        r.hash = hash_item(all, r.hash, id.ptr, id.len);
    }
    return r;
}

typedef void (*roster_out)(void *arg, struct channel *ch, struct message *m);

static void put_event(struct channel *ch, const char *event, struct slice data, roster_out out,
                      void *arg) {
    struct buf frame;
    struct message m;
    buf_init(&frame);
    if (message_ephemeral(&m, &frame, channel_name(ch), event, data)) {
        out(arg, ch, &m);
        message_done(&m, ch->hub->slabs);
    }
    buf_deinit(&frame);
}

static void put_counts(struct channel *ch, const struct roster *r, roster_out out, void *arg) {
    struct buf data;
    buf_init(&data);
    buf_str(&data, "{\"room\":");
    json_escape(&data, room_of(channel_name(ch)));
    buf_printf(&data, ",\"online\":%llu,\"total\":%llu}", (unsigned long long)r->online,
               (unsigned long long)r->total);
    if (!data.failed)
        put_event(ch, "update_member_list", buf_bytes(&data), out, arg);
    buf_deinit(&data);
}

/* Makes every frame of a roster and passes it to `out`. Returns about how many bytes each
 * connection gets. */
static size_t put_roster(struct channel *ch, const struct roster *r, roster_out out,
                         void *arg) {
    bool twice = slice_starts(room_of(channel_name(ch)), SLICE("room-"));
    struct buf data;
    buf_init(&data);
    buf_char(&data, '[');
    for (size_t i = r->first; i < r->reply->count; i++) {
        if (i > r->first)
            buf_char(&data, ',');
        json_escape_any(&data, reply_text(r->reply->items[i]));
    }
    buf_char(&data, ']');
    if (!data.failed && twice)
        put_event(ch, "Online_user", buf_bytes(&data), out, arg);
    if (!data.failed)
        put_event(ch, "onlineUsers", buf_bytes(&data), out, arg);
    size_t bytes = (data.len + SINGLE_BYTES) * (twice ? 2 : 1) + SINGLE_BYTES;
    buf_deinit(&data);
    put_counts(ch, r, out, arg);
    return bytes;
}

static void to_all(void *arg, struct channel *ch, struct message *m) {
    (void)arg;
    channel_deliver(ch, m, AUDIENCE_ENTERED, (struct slice){NULL, 0});
}

static void to_one(void *arg, struct channel *ch, struct message *m) {
    struct subscriber *s = arg;
    (void)ch;
    s->ops->deliver(s, m);
}

/* --- when -----------------------------------------------------------------------------------
 */

static void size_up(struct room *room, uint64_t total) {
    const struct options *o = room->all->options;
    if (total > o->big_room)
        room->big = true;
    else if (total <= o->big_room_until)
        room->big = false;
}

static uint64_t listeners(const struct channel *ch) {
    uint64_t count = 0;
    for (const struct list *at = ch->live.next; at != &ch->live; at = at->next)
        count++;
    for (const struct list *at = ch->behind.next; at != &ch->behind; at = at->next)
        count++;
    return count;
}

bool roster_names(struct rosters *all, struct channel *ch, unsigned events) {
    struct room *room = room_state(all, ch);
    if (room == NULL || room->big)
        return false;
    uint64_t cost = listeners(ch) * SINGLE_BYTES * events * 1000 / ROSTER_BYTES_MS;
    uint64_t now = uv_now(all->loop) * 1000;
    if (!bucket_has(&room->singles, now, cost, SINGLES_BURST_S * 1000000ULL))
        return false;
    bucket_take(&room->singles, now, cost);
    return true;
}

void roster_counted(struct rosters *all, struct channel *ch, struct slice counts) {
    static const char *const names[] = {"total"};
    struct json_value data, total;
    struct room *room = room_state(all, ch);
    uint64_t n;
    if (room == NULL || json_parse(counts, &data) != JSON_OK)
        return;
    json_fields(data, names, &total, 1);
    if (json_uint64(total, &n))
        size_up(room, n);
    roster_touch(all, ch);
}

/* Takes over the counts of a roster. */
static void learn(struct room *room, const struct roster *r) {
    size_up(room, r->total);
    if (r->online == room->online)
        return;
    room->online = r->online;
    room_index_changed(room->all->index, room_of(channel_name(room->channel)));
}

static bool counts_changed(const struct room *room, const struct roster *r) {
    return r->online != room->sent_online || r->total != room->sent_total;
}

static void publish_whole(struct room *room, const struct roster *r) {
    uint64_t now = uv_now(room->all->loop);
    uint64_t most = listeners(room->channel);
    size_t bytes = put_roster(room->channel, r, to_all, NULL);
    uint64_t wait = bytes * most / ROSTER_BYTES_MS;
    room->sent_hash = r->hash;
    room->whole_at = now + (wait < ROSTER_WAIT_MS ? wait : ROSTER_WAIT_MS);
}

/* Sends what changed. While a whole roster would be too much for the room, its counts go alone,
 * and the roster is read again when it may be sent. */
static void roster_publish(struct room *room, const struct roster *r) {
    uint64_t now = uv_now(room->all->loop);
    learn(room, r);
    if (r->hash == room->sent_hash && !counts_changed(room, r))
        return;
    room->sent_at = now;
    if (now >= room->whole_at) {
        publish_whole(room, r);
    } else {
        if (counts_changed(room, r))
            put_counts(room->channel, r, to_all, NULL);
        wheel_set(&room->all->wheel, &room->timer, room->whole_at);
    }
    room->sent_online = r->online;
    room->sent_total = r->total;
}

/* Redis did not answer. The roster is read again a little later, until it does. (When the
 * subscriber link was lost, the room is touched after it has healed. But that link may be up
 * while commands fail.) */
static void roster_again(struct room *room) {
    wheel_set(&room->all->wheel, &room->timer, uv_now(room->all->loop) + RETRY_MS);
}

static void on_roster(void *arg, const struct reply *reply, enum outcome outcome) {
    struct channel *ch = arg;
    struct room *room = ch->room;
    (void)outcome;
    if (room != NULL)
        room->reading = false;
    if (room != NULL && reply != NULL) {
        struct roster r = roster_of(room->all, reply, 1);
        roster_publish(room, &r);
    } else if (room != NULL) {
        roster_again(room);
    }
    if (room != NULL && room->again) {
        room->again = false;
        roster_touch(room->all, ch);
    }
    channel_unref(ch);
}

static void roster_read(struct room *room) {
    struct channel *ch = room->channel;
    struct slice key = channel_name(ch);
    if (!redis_script(ch->redis, SCRIPT_roster, &key, 1, NULL, 0, on_roster, ch)) {
        roster_again(room);
        return;
    }
    room->reading = true;
    channel_ref(ch);
}

void roster_touch(struct rosters *all, struct channel *ch) {
    struct room *room = room_state(all, ch);
    if (room == NULL)
        return;
    uint64_t due = room->sent_at + all->options->roster_interval;
    if (room->reading)
        room->again = true;
    else if (room->sent_at != 0 && uv_now(all->loop) < due)
        wheel_set(&all->wheel, &room->timer, due);
    else
        roster_read(room);
}

void roster_healed(struct rosters *all, struct channel *ch) {
    if (ch->room != NULL)
        roster_touch(all, ch);
}

void roster_renew(struct rosters *all, struct channel *ch) {
    struct room *room = room_state(all, ch);
    if (room == NULL)
        return;
    room->sent_hash = 0;
    roster_touch(all, ch);
}

static void on_due(void *owner, struct wheel_timer *t) {
    (void)owner;
    struct room *room = container_of(t, struct room, timer);
    if (!room->reading)
        roster_read(room);
}

void rosters_tick(struct rosters *all, uint64_t now) {
    wheel_run(&all->wheel, now, on_due, all);
}

void roster_send(struct rosters *all, struct subscriber *s, struct channel *ch,
                 const struct reply *reply) {
    struct roster r = roster_of(all, reply, 2);
    put_roster(ch, &r, to_one, s);
}

bool roster_entered(struct rosters *all, struct channel *ch, const struct reply *reply) {
    struct room *room = room_state(all, ch);
    struct roster r = roster_of(all, reply, 2);
    if (room == NULL)
        return false;
    learn(room, &r);
    if (r.hash == room->sent_hash)
        return false;
    uint64_t now = uv_now(all->loop);
    if (room->sent_at == 0 ||
        (now >= room->sent_at + all->options->roster_interval && now >= room->whole_at)) {
        roster_publish(room, &r);
        return true;
    }
    /* The new connection gets a roster that the others do not have, so the next one goes to
     * all.
     */
    room->sent_hash = 0;
    roster_touch(all, ch);
    return false;
}
