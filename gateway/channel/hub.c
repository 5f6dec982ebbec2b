#include "gateway/channel/hub.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/utf8.h"
#include "gateway/channel/heal.h"
#include "gateway/channel/name.h"
#include "gateway/channel/shared_page.h"
#include "gateway/channel/tail.h"

#define HEAL_RETRY_MS 200
#define PAGE_BYTES    ((size_t)262144)
#define LOW_WATER     ((size_t)65536)
#define TOUCH_KEYS    20
#define TOUCH_MOST_MS 1200000ULL /* a third of the shortest life of a key (log.lua) */

static const struct slice nobody = {NULL, 0};

static void drop(struct hub *h, enum drop why) {
    metric_add(h->metrics, METRIC_DROPPED + why, 1);
}

/* --- the doorbell ---------------------------------------------------------------------------
 */

/* Channels of the partition that were live up to here are behind from now on. */
static void thaw(struct hub *h, const struct partition *p) {
    h->tides[p->index].frozen = false;
    for (struct channel *ch = hub_next(h, p, NULL); ch != NULL; ch = hub_next(h, p, ch))
        ch->frozen = false;
    hub_upset(h);
}

static bool rise(struct hub *h, const struct partition *p, uint64_t time) {
    struct tide *t = &h->tides[p->index];
    bool rose = tide_rise(t, time);
    if (!rose && tide_doubt(t))
        hub_upset(h);
    else if (rose && t->frozen)
        thaw(h, p);
    return rose;
}

void hub_tide(struct hub *h, const struct partition *p, uint64_t time) {
    if (h->tides != NULL && time != h->tides[p->index].time)
        rise(h, p, time);
}

static void deliver_next(struct channel *ch, struct message *m) {
    ch->at.seq = m->seq;
    if (!list_empty(&ch->reads) && !tail_record(&ch->tail, m))
        tail_forget(&ch->tail);
    if (ch->hub->tides != NULL)
        m->ordered = rise(ch->hub, ch->redis, m->time);
    channel_deliver_timed(ch, m, AUDIENCE_LIVE, nobody);
    if (!list_empty(&ch->waiters))
        channel_waiters(ch, true);
    if (ch->awaited) {
        ch->awaited = false;
        channel_step_behind(ch);
    }
}

static void deliver_ephemeral(struct channel *ch, struct message *m) {
    struct hub *h = ch->hub;
    struct name skip = {0};
    enum audience who = AUDIENCE_STARTED;
    if (is_room(channel_name(ch)))
        who = h->events->on_room_event(h->owner, ch, m, &skip);
    if (who != AUDIENCE_NONE)
        channel_deliver_timed(ch, m, who, name_slice(&skip));
}

static void deliver_text(struct channel *ch, struct slice text) {
    struct buf frame;
    struct message m;
    buf_init(&frame);
    if (message_text(&m, &frame, channel_name(ch), text))
        channel_deliver(ch, &m, AUDIENCE_STARTED, nobody);
    buf_deinit(&frame);
}

static void logged(struct channel *ch, struct message *m) {
    bool known = slice_is(m->epoch, ch->at.epoch);
    if (ch->state == CHANNEL_LIVE && known && m->seq == ch->at.seq + 1) {
        deliver_next(ch, m);
    } else if (known && m->seq <= ch->at.seq) {
        drop(ch->hub, DROP_OLD);
    } else if (ch->state == CHANNEL_LIVE) {
        LOG(LOG_DEBUG, "channel_gap", "channel", ch->name, "seq",
            log_text("%llu", (unsigned long long)m->seq), NULL);
        channel_heal(ch);
        tail_record(&ch->tail, m);
    } else if (!tail_record(&ch->tail, m)) {
        tail_forget(&ch->tail);
        ch->doubtful = true;
    }
}

static void on_message(void *arg, struct slice payload) {
    struct channel *ch = arg;
    struct message m;
    channel_ref(ch); /* a delivery may close the last subscriber of the channel */
    if (!utf8_valid(payload))
        drop(ch->hub, DROP_NOT_UTF8);
    else if (!message_parse(&m, payload) || !channel_is(ch, m.channel))
        deliver_text(ch, payload);
    else if (m.seq == 0)
        deliver_ephemeral(ch, &m);
    else
        logged(ch, &m);
    channel_unref(ch);
}

static void on_confirmed(void *arg) {
    struct channel *ch = arg;
    if (ch->state != CHANNEL_SUBSCRIBING)
        return;
    channel_state_set(ch, CHANNEL_HEALING);
    ch->compare = true;
    if (ch->at.epoch[0] != '\0')
        heal_queue(ch); /* without a position, the first sub's check brings one */
    channel_step_behind(ch);
}

static void on_lost(void *arg) {
    struct channel *ch = arg;
    if (ch->state != CHANNEL_SUBSCRIBING)
        channel_state_set(ch, CHANNEL_SUBSCRIBING);
    list_remove(&ch->heal_link);
    tail_forget(&ch->tail);
    ch->stale = true; /* a page asked for before the next confirmation proves nothing */
    shared_pages_stale(ch);
}

static const struct subscription_events doorbell_events = {
    .on_confirmed = on_confirmed, .on_message = on_message, .on_lost = on_lost};

struct sub *hub_subscribe(struct hub *h, struct subscriber *s, struct slice name,
                          const struct position *since, sub_checked checked, void *arg) {
    struct channel *ch = hub_find(h, name);
    if (ch == NULL)
        ch = channel_make(h, name, &doorbell_events);
    if (ch == NULL)
        return NULL;
    channel_ref(ch);
    struct sub *sub = catchup_new(ch, s, since, checked, arg);
    channel_unref(ch);
    return sub;
}

/* --- the link to Redis is lost, and is up again ---------------------------------------------
 */

static void release_all(struct list *channels) {
    while (!list_empty(channels)) {
        struct channel *ch = container_of(channels->next, struct channel, walk);
        list_remove(&ch->walk);
        channel_unref(ch);
    }
}

void hub_redis_down(struct hub *h, const struct partition *p) {
    struct list all, done;
    list_init(&all);
    list_init(&done);
    /* A callback may leave channels, so all that need one are held until the end. */
    for (struct channel *ch = hub_next(h, p, NULL); ch != NULL; ch = hub_next(h, p, ch)) {
        if (list_empty(&ch->waiters) && list_empty(&ch->behind))
            continue;
        channel_ref(ch);
        list_push(&all, &ch->walk);
    }
    while (!list_empty(&all)) {
        struct channel *ch = container_of(all.next, struct channel, walk);
        list_remove(&ch->walk);
        channel_waiters(ch, false);
        sub_fail_checks(ch);
        list_push(&done, &ch->walk);
    }
    release_all(&done);
}

static void step_behind(struct hub *h, const struct partition *p) {
    struct list all, done;
    list_init(&all);
    list_init(&done);
    for (struct channel *ch = hub_next(h, p, NULL); ch != NULL; ch = hub_next(h, p, ch)) {
        if (list_empty(&ch->behind))
            continue;
        channel_ref(ch);
        list_push(&all, &ch->walk);
    }
    while (!list_empty(&all)) {
        struct channel *ch = container_of(all.next, struct channel, walk);
        list_remove(&ch->walk);
        channel_step_behind(ch);
        list_push(&done, &ch->walk);
    }
    release_all(&done);
}

void hub_redis_up(struct hub *h, struct partition *p, bool changed) {
    if (h->tides != NULL) {
        h->tides[p->index].term = tide_term(p);
        if (changed && tide_doubt(&h->tides[p->index]))
            hub_upset(h);
    }
    step_behind(h, p);
    heal_pump(h, p);
}

static void on_retry(uv_timer_t *timer) {
    struct hub *h = timer->data;
    bool stalled = h->stalled;
    h->stalled = false;
    for (unsigned i = 0; i < h->redis->count; i++) {
        if (stalled && redis_up(redis_at(h->redis, i)))
            step_behind(h, redis_at(h->redis, i));
        heal_pump(h, redis_at(h->redis, i));
    }
}

/* --- life -----------------------------------------------------------------------------------
 */

int hub_init(struct hub *h, uv_loop_t *loop, struct redis *redis, struct slabs *slabs,
             size_t max_queue, struct metrics *metrics, const struct hub_events *events,
             void *owner) {
    memset(h, 0, sizeof *h);
    h->redis = redis;
    h->slabs = slabs;
    h->metrics = metrics;
    h->events = events;
    h->owner = owner;
    h->upsets = 1;
    h->touched = uv_now(loop);
    h->on_level = channel_step_behind;
    h->low_water = max_queue / 8 < LOW_WATER ? max_queue / 8 : LOW_WATER;
    snprintf(h->page_bytes, sizeof h->page_bytes, "%zu",
             max_queue / 4 < PAGE_BYTES ? max_queue / 4 : PAGE_BYTES);
    for (unsigned i = 0; i < PARTITIONS_MOST; i++) {
        map_init(&h->parts[i].channels);
        list_init(&h->parts[i].heals);
    }
    if (redis->count > 1 && (h->tides = tides_make(redis->count)) == NULL)
        return UV_ENOMEM;
    h->retry.data = h;
    uv_timer_init(loop, &h->retry);
    return uv_timer_start(&h->retry, on_retry, HEAL_RETRY_MS, HEAL_RETRY_MS);
}

void hub_close(struct hub *h, uv_close_cb on_closed) {
    uv_close((uv_handle_t *)&h->retry, on_closed);
}

void hub_deinit(struct hub *h) {
    free(h->tides);
    for (unsigned i = 0; i < PARTITIONS_MOST; i++)
        map_deinit(&h->parts[i].channels);
}

/* --- logs in use must not expire ------------------------------------------------------------
 */

static void touch_partition(struct hub *h, struct partition *p) {
    struct slice keys[TOUCH_KEYS];
    size_t n = 0;
    for (struct channel *ch = hub_next(h, p, NULL); ch != NULL; ch = hub_next(h, p, ch)) {
        keys[n++] = channel_name(ch);
        if (n == TOUCH_KEYS) {
            redis_script(p, SCRIPT_touch, keys, n, NULL, 0, NULL, NULL);
            n = 0;
        }
    }
    if (n > 0)
        redis_script(p, SCRIPT_touch, keys, n, NULL, 0, NULL, NULL);
}

void hub_touch(struct hub *h, const struct options *o) {
    uint64_t least =
        o->room_retention < o->inbox_retention ? o->room_retention : o->inbox_retention;
    if (o->user_retention < least)
        least = o->user_retention;
    uint64_t every = least / 4 < TOUCH_MOST_MS ? least / 4 : TOUCH_MOST_MS;
    uint64_t now = uv_now(h->retry.loop);
    if (now - h->touched < every)
        return;
    h->touched = now;
    for (unsigned i = 0; i < h->redis->count; i++)
        touch_partition(h, redis_at(h->redis, i));
}
