#include "gateway/core/hub.h"

#include <stdlib.h>

#include "common/json.h"
#include "common/log.h"
#include "common/utf8.h"
#include "gateway/core/client.h"
#include "gateway/core/lineage.h"
#include "gateway/core/session.h"

#define HEALS_AT_ONCE     64
#define HEAL_RETRY_MS     200
#define HEAL_PAGE_ENTRIES "100"
#define PAGE_BYTES        ((size_t)262144)
#define AGE_MOST_US       3600000000ULL /* more is a time that somebody made up */
#define LOW_WATER         ((size_t)65536)

static void heal_pump(struct hub *h);

static void state_set(struct channel *ch, enum channel_state to) {
    if (ch->state == CHANNEL_LIVE && ++ch->hub->upsets == 0)
        ch->hub->upsets = 1;
    ch->state = to;
}

static void metric(struct hub *h, unsigned slot) {
    metric_add(h->metrics, slot, 1);
}

/* --- life of a channel ----------------------------------------------------------------------
 */

static void channel_free(struct channel *ch) {
    struct hub *h = ch->hub;
    h->events->on_free(h->owner, ch);
    if (ch->subscription != NULL)
        redis_unsubscribe(h->redis, ch->subscription);
    list_remove(&ch->heal_link);
    tail_forget(ch);
    free(ch->lineage);
    map_remove(&h->channels, &ch->node);
    free(ch);
}

void channel_ref(struct channel *ch) {
    ch->busy++;
}

void channel_unref(struct channel *ch) {
    if (--ch->busy == 0 && list_empty(&ch->live) && list_empty(&ch->behind))
        channel_free(ch);
}

struct channel *hub_find(struct hub *h, struct slice name) {
    struct map_node *found = map_find(&h->channels, name);
    return found != NULL ? container_of(found, struct channel, node) : NULL;
}

/* --- delivery -------------------------------------------------------------------------------
 */

void channel_waiters(struct channel *ch, bool reached) {
    struct list due;
    list_init(&due);
    for (struct list *at = ch->waiters.next, *next; at != &ch->waiters; at = next) {
        struct waiter *w = container_of(at, struct waiter, link);
        next = at->next;
        if (reached && (w->seq > ch->at.seq || w->sub->catchup != NULL))
            continue;
        list_remove(at);
        list_push(&due, at);
    }
    while (!list_empty(&due)) {
        struct waiter *w = container_of(due.next, struct waiter, link);
        list_remove(&w->link);
        w->done(w, reached);
    }
}

bool client_is(const struct client *c, struct slice origin) {
    char id[CLIENT_ID_SIZE];
    return origin.len != 0 && slice_eq(client_origin(c, id), origin);
}

static void deliver_to(struct list *subs, struct message *m, struct slice skip) {
    /* A delivery may close its client, which takes that client's sub out of the list. */
    for (struct list *at = subs->next, *next; at != subs; at = next) {
        struct sub *sub = container_of(at, struct sub, in_channel);
        struct client *c = sub->client;
        next = at->next;
        if ((m->seq != 0 && m->seq <= sub->seq) || client_is(c, m->origin))
            continue;
        if (skip.len != 0 && slice_eq(client_user(c), skip))
            continue;
        c->door->deliver(c, m);
    }
}

void channel_deliver(struct channel *ch, struct message *m, enum audience who,
                     struct slice skip) {
    metric(ch->hub, METRIC_MESSAGES);
    if (who == AUDIENCE_ALL)
        deliver_to(&ch->behind, m, skip);
    deliver_to(&ch->live, m, skip);
    message_done(m, ch->hub->slabs);
}

/* A message that came through Redis, with Redis's time: how long that took is measured. */
static void deliver(struct channel *ch, struct message *m, enum audience who,
                    struct slice skip) {
    struct hub *h = ch->hub;
    uint64_t age;
    bool alone = list_empty(&ch->live);
    channel_deliver(ch, m, who, skip);
    if (!alone && redis_clock_age(&h->redis->clock, uv_hrtime() / 1000, m->time, &age) &&
        age < AGE_MOST_US)
        metric_observe(h->metrics, HISTOGRAM_PUBLISH_TO_DELIVER, age);
}

static void deliver_next(struct channel *ch, struct message *m) {
    struct slice nobody = {NULL, 0};
    ch->at.seq = m->seq;
    if (!list_empty(&ch->reads) && !tail_record(ch, m))
        tail_forget(ch);
    deliver(ch, m, AUDIENCE_LIVE, nobody);
    if (!list_empty(&ch->waiters))
        channel_waiters(ch, true);
    if (ch->awaited) {
        ch->awaited = false;
        channel_step_behind(ch);
    }
}

/* --- the doorbell ---------------------------------------------------------------------------
 */

/* A read under way comes round to it (on_heal_page). */
static void heal_queue(struct channel *ch) {
    if (ch->reading)
        return;
    if (list_empty(&ch->heal_link))
        list_push(&ch->hub->heals, &ch->heal_link);
    heal_pump(ch->hub);
}

void channel_heal(struct channel *ch) {
    if (ch->state == CHANNEL_SUBSCRIBING)
        return; /* the confirmation starts it */
    if (ch->state == CHANNEL_HEALING) {
        ch->doubtful = true;
        heal_queue(ch);
        return;
    }
    state_set(ch, CHANNEL_HEALING);
    heal_queue(ch);
}

bool channel_is(const struct channel *ch, struct slice quoted) {
    struct slice name = channel_name(ch);
    struct slice inner = {quoted.ptr + 1, quoted.len - 2};
    if (memchr(inner.ptr, '\\', inner.len) == NULL)
        return slice_eq(inner, name);
    char decoded[NAME_MAX_LEN + 8];
    struct json_value value = {JSON_STRING, quoted};
    ptrdiff_t len = json_decode(value, decoded, sizeof decoded);
    return len >= 0 && slice_eq((struct slice){decoded, (size_t)len}, name);
}

static void deliver_ephemeral(struct channel *ch, struct message *m) {
    struct hub *h = ch->hub;
    struct name skip = {0};
    enum audience who = AUDIENCE_LIVE;
    if (slice_starts(channel_name(ch), SLICE("room:")))
        who = h->events->on_room_event(h->owner, ch, m, &skip);
    if (who != AUDIENCE_NONE)
        deliver(ch, m, who, name_slice(&skip));
}

static void deliver_text(struct channel *ch, struct slice text) {
    struct buf frame;
    struct message m;
    buf_init(&frame);
    if (message_text(&m, &frame, channel_name(ch), text))
        channel_deliver(ch, &m, AUDIENCE_LIVE, (struct slice){NULL, 0});
    buf_deinit(&frame);
}

static void logged(struct channel *ch, struct message *m) {
    bool known = slice_is(m->epoch, ch->at.epoch);
    if (ch->state == CHANNEL_LIVE && known && m->seq == ch->at.seq + 1) {
        deliver_next(ch, m);
    } else if (known && m->seq <= ch->at.seq) {
        metric(ch->hub, METRIC_DROPPED + DROP_OLD);
    } else if (ch->state == CHANNEL_LIVE) {
        LOG(LOG_DEBUG, "channel_gap", "channel", ch->name, "seq",
            log_text("%llu", (unsigned long long)m->seq), NULL);
        channel_heal(ch);
        tail_record(ch, m);
    } else if (!tail_record(ch, m)) {
        tail_forget(ch);
        ch->doubtful = true;
    }
}

static void on_message(void *arg, struct slice payload) {
    struct channel *ch = arg;
    struct message m;
    channel_ref(ch); /* a delivery may close the last connection that is in it */
    if (!utf8_valid(payload))
        metric(ch->hub, METRIC_DROPPED + DROP_NOT_UTF8);
    else if (!message_parse(&m, payload) || !channel_is(ch, m.channel))
        deliver_text(ch, payload);
    else if (m.seq == 0)
        deliver_ephemeral(ch, &m);
    else
        logged(ch, &m);
    channel_unref(ch);
}

/* --- heal -----------------------------------------------------------------------------------
 */

void announce_reset(struct sub *sub, uint64_t from, uint64_t to) {
    struct client *c = sub->client;
    struct buf data;
    buf_init(&data);
    buf_str(&data, "{\"channel\":");
    json_escape(&data, channel_name(sub->channel));
    buf_printf(&data, ",\"from\":%llu,\"to\":%llu}", (unsigned long long)from,
               (unsigned long long)to);
    metric(sub->channel->hub, METRIC_RESETS);
    if (data.failed)
        c->door->close(c, 1011, "out of memory");
    else
        client_emit(c, "channel_reset", buf_bytes(&data), false);
    buf_deinit(&data);
}

static void announce_to_live(struct channel *ch, uint64_t from, uint64_t to) {
    for (struct list *at = ch->live.next, *next; at != &ch->live; at = next) {
        next = at->next;
        announce_reset(container_of(at, struct sub, in_channel), from, to);
    }
}

/* The log that the position belonged to is gone, or lost its end. */
static void heal_reset(struct channel *ch, struct slice epoch, uint64_t from) {
    uint64_t had = ch->at.seq;
    LOG(LOG_WARN, "channel_reset", "channel", ch->name, "had",
        log_text("%llu", (unsigned long long)had), "from",
        log_text("%llu", (unsigned long long)from), NULL);
    announce_to_live(ch, from + 1, had > from ? had : from);
    for (struct list *at = ch->live.next; at != &ch->live; at = at->next) {
        struct sub *sub = container_of(at, struct sub, in_channel);
        sub->seq = 0;
        session_reset(sub, epoch, from);
    }
}

static bool replay_one(void *arg, struct message *m) {
    struct channel *ch = arg;
    ch->at.seq = m->seq;
    deliver(ch, m, AUDIENCE_LIVE, (struct slice){NULL, 0});
    return true;
}

void channel_check_live(struct channel *ch) {
    tail_replay(ch, slice_of(ch->at.epoch), ch->at.seq, replay_one, ch);
    /* A doorbell that the position does not explain may have rung after the log was read: one
     * more read. What rang before that one and is still not in the log is not believed. */
    unsigned unexplained = tail_unexplained(ch);
    metric_add(ch->hub->metrics, METRIC_DROPPED + DROP_UNCONFIRMED, unexplained);
    if (unexplained > 0 || list_empty(&ch->reads))
        tail_forget(ch);
    if (ch->doubtful || unexplained > 0) {
        heal_queue(ch);
        return;
    }
    state_set(ch, CHANNEL_LIVE);
    ch->hub->events->on_healed(ch->hub->owner, ch);
    if (!list_empty(&ch->waiters))
        channel_waiters(ch, true);
    channel_step_behind(ch);
}

static void heal_deliver(struct channel *ch, const struct reply *page) {
    struct slice nobody = {NULL, 0};
#ifdef SLUICE_BREAK_HEAL /* only for the test of tests/chaos, which must notice */
    ch->at.seq = (uint64_t)reply_number(reply_item(page, 2));
    return;
#endif
    for (size_t i = PAGE_HEAD; i < page->count; i++) {
        struct message m;
        if (!message_parse_entry(&m, reply_text(page->items[i])) || m.seq <= ch->at.seq)
            continue; /* somebody wrote into the log by hand */
        if (m.seq > ch->at.seq + 1)
            announce_to_live(ch, ch->at.seq + 1, m.seq - 1);
        ch->at.seq = m.seq;
        metric(ch->hub, METRIC_HEALED);
        deliver(ch, &m, AUDIENCE_LIVE, nobody);
    }
}

uint64_t page_end(const struct reply *page, uint64_t from, uint64_t last) {
    size_t entries = page->count > PAGE_HEAD ? page->count - PAGE_HEAD : 0;
    return entries == 0 || entries > last - from ? last : from + entries;
}

/* A page of the log, or NULL. Returns with the channel live, or with another read queued. */
static void heal_page(struct channel *ch, const struct reply *page) {
    struct slice epoch = reply_text(reply_item(page, 1));
    uint64_t last = (uint64_t)reply_number(reply_item(page, 2));
    uint64_t from = (uint64_t)reply_number(reply_item(page, 3));
    bool lost = reply_number(reply_item(page, 0)) == 1;
    if (lost)
        heal_reset(ch, epoch, from);
    lineage_move(ch, epoch, lost ? from : ch->at.seq, reply_item(page, 5));
    uint64_t before = ch->at.seq;
    heal_deliver(ch, page);
    if (ch->at.seq == before && before < last) {
        ch->at.seq = page_end(page, before, last);
        announce_to_live(ch, before + 1, ch->at.seq);
    }
    if (ch->at.seq >= last)
        channel_check_live(ch);
    else
        heal_queue(ch);
}

static void on_heal_page(void *arg, const struct reply *page, enum outcome outcome) {
    struct channel *ch = arg;
    struct hub *h = ch->hub;
    (void)outcome;
    h->reads--;
    ch->reading = false;
    bool retry = page == NULL || ch->stale;
    if (ch->state == CHANNEL_HEALING && !retry)
        heal_page(ch, page);
    else if (ch->state == CHANNEL_HEALING && list_empty(&ch->heal_link))
        list_push(&h->heals, &ch->heal_link); /* the next pump takes it */
    channel_unref(ch);
    heal_pump(h);
}

static bool heal_read(struct channel *ch) {
    ch->doubtful = false; /* what rang before this read is covered by it */
    if (!lineage_read(ch, &ch->at, SLICE(HEAL_PAGE_ENTRIES), on_heal_page, ch))
        return false;
    ch->reading = true;
    ch->stale = false;
    channel_ref(ch);
    metric(ch->hub, METRIC_HEALS);
    ch->hub->reads++;
    return true;
}

/* Ten thousand channels heal in a bounded number of reads at a time. */
static void heal_pump(struct hub *h) {
    while (h->reads < HEALS_AT_ONCE && !list_empty(&h->heals)) {
        struct channel *ch = container_of(h->heals.next, struct channel, heal_link);
        if (!heal_read(ch))
            return;
        list_remove(&ch->heal_link);
    }
}

static void on_retry(uv_timer_t *timer) {
    struct hub *h = timer->data;
    if (!redis_up(h->redis))
        return;
    if (h->stalled)
        hub_redis_up(h);
    else
        heal_pump(h);
}

/* --- subscription ---------------------------------------------------------------------------
 */

static void on_confirmed(void *arg) {
    struct channel *ch = arg;
    if (ch->state != CHANNEL_SUBSCRIBING)
        return;
    state_set(ch, CHANNEL_HEALING);
    if (ch->at.epoch[0] != '\0')
        heal_queue(ch); /* else its first sub's check brings the position */
    channel_step_behind(ch);
}

static void on_lost(void *arg) {
    struct channel *ch = arg;
    state_set(ch, CHANNEL_SUBSCRIBING);
    list_remove(&ch->heal_link);
    tail_forget(ch);
    ch->stale = true; /* a page asked for before the next confirmation proves nothing */
    reads_stale(ch);
}

static const struct subscription_events doorbell_events = {
    .on_confirmed = on_confirmed, .on_message = on_message, .on_lost = on_lost};

static struct channel *channel_make(struct hub *h, struct slice name) {
    struct channel *ch = calloc(1, sizeof *ch + name.len + 1);
    struct buf doorbell;
    if (ch == NULL)
        return NULL;
    memcpy(ch->name, name.ptr, name.len);
    ch->node.key = (struct slice){ch->name, name.len};
    ch->hub = h;
    list_init(&ch->live);
    list_init(&ch->behind);
    list_init(&ch->waiters);
    list_init(&ch->reads);
    list_init(&ch->heal_link);
    list_init(&ch->walk);
    if (!map_insert(&h->channels, &ch->node)) {
        free(ch);
        return NULL;
    }
    buf_init(&doorbell);
    redis_doorbell(h->redis, &doorbell, name);
    if (!doorbell.failed)
        ch->subscription =
            redis_subscribe(h->redis, buf_bytes(&doorbell), &doorbell_events, ch);
    buf_deinit(&doorbell);
    if (ch->subscription != NULL)
        return ch;
    channel_free(ch);
    return NULL;
}

struct sub *hub_subscribe(struct hub *h, struct client *client, struct slice name,
                          const struct position *since, sub_checked checked, void *arg) {
    struct channel *ch = hub_find(h, name);
    if (ch == NULL)
        ch = channel_make(h, name);
    if (ch == NULL)
        return NULL;
    channel_ref(ch);
    struct sub *sub = catchup_new(ch, client, since, checked, arg);
    channel_unref(ch);
    return sub;
}

static void release_all(struct list *channels) {
    while (!list_empty(channels)) {
        struct channel *ch = container_of(channels->next, struct channel, walk);
        list_remove(&ch->walk);
        channel_unref(ch);
    }
}

void hub_redis_down(struct hub *h) {
    struct list all, done;
    list_init(&all);
    list_init(&done);
    /* What fails may leave channels: each is held until its turn is over. */
    for (struct map_node *at = map_next(&h->channels, NULL); at != NULL;
         at = map_next(&h->channels, at)) {
        struct channel *ch = container_of(at, struct channel, node);
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

void hub_redis_up(struct hub *h) {
    struct list all, done;
    list_init(&all);
    list_init(&done);
    h->stalled = false;
    for (struct map_node *at = map_next(&h->channels, NULL); at != NULL;
         at = map_next(&h->channels, at)) {
        struct channel *ch = container_of(at, struct channel, node);
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
    heal_pump(h);
}

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
    map_init(&h->channels);
    list_init(&h->heals);
    h->low_water = max_queue / 8 < LOW_WATER ? max_queue / 8 : LOW_WATER;
    snprintf(h->page_bytes, sizeof h->page_bytes, "%zu",
             max_queue / 4 < PAGE_BYTES ? max_queue / 4 : PAGE_BYTES);
    h->retry.data = h;
    uv_timer_init(loop, &h->retry);
    return uv_timer_start(&h->retry, on_retry, HEAL_RETRY_MS, HEAL_RETRY_MS);
}

void hub_close(struct hub *h, uv_close_cb on_closed) {
    uv_close((uv_handle_t *)&h->retry, on_closed);
}

void hub_deinit(struct hub *h) {
    map_deinit(&h->channels);
}
