#include "gateway/channel/channel.h"

#include <assert.h>
#include <stdlib.h>

#include "common/json.h"
#include "gateway/channel/filter.h"
#include "gateway/channel/name.h"
#include "gateway/channel/tail.h"

#define AGE_MOST_US 3600000000ULL /* an older time was made up by somebody */

void channel_state_set(struct channel *ch, enum channel_state to) {
    assert(to != ch->state);
    assert(to != CHANNEL_LIVE || ch->state == CHANNEL_HEALING);
    if (ch->state == CHANNEL_LIVE)
        hub_upset(ch->hub);
    ch->hub->live_count += (to == CHANNEL_LIVE) - (size_t)(ch->state == CHANNEL_LIVE);
    if (ch->state == CHANNEL_LIVE && to == CHANNEL_SUBSCRIBING && ch->hub->tides != NULL)
        ch->frozen = ch->hub->tides[ch->redis->index].frozen = true;
    if (to == CHANNEL_LIVE)
        ch->frozen = false;
    ch->state = to;
}

/* --- life -----------------------------------------------------------------------------------
 */

static void channel_free(struct channel *ch) {
    struct hub *h = ch->hub;
    h->events->on_free(h->owner, ch);
    h->live_count -= ch->state == CHANNEL_LIVE;
    if (ch->subscription != NULL)
        redis_unsubscribe(ch->redis, ch->subscription);
    list_remove(&ch->heal_link);
    tail_forget(&ch->tail);
    free(ch->lineage);
    map_remove(&hub_part_of(ch)->channels, &ch->node);
    h->channel_count--;
    free(ch);
}

void channel_ref(struct channel *ch) {
    ch->busy++;
}

void channel_unref(struct channel *ch) {
    if (--ch->busy == 0 && list_empty(&ch->live) && list_empty(&ch->behind))
        channel_free(ch);
}

struct channel *channel_make(struct hub *h, struct slice name,
                             const struct subscription_events *doorbell) {
    struct channel *ch = calloc(1, sizeof *ch + name.len + 1);
    struct buf bell;
    if (ch == NULL)
        return NULL;
    memcpy(ch->name, name.ptr, name.len);
    ch->node.key = (struct slice){ch->name, name.len};
    ch->hub = h;
    ch->redis = redis_partition(h->redis, name);
    list_init(&ch->live);
    list_init(&ch->behind);
    list_init(&ch->waiters);
    list_init(&ch->reads);
    list_init(&ch->heal_link);
    list_init(&ch->walk);
    if (!map_insert(&hub_part_of(ch)->channels, &ch->node)) {
        free(ch);
        return NULL;
    }
    h->channel_count++;
    buf_init(&bell);
    redis_doorbell(ch->redis, &bell, name);
    if (!bell.failed)
        ch->subscription = redis_subscribe(ch->redis, buf_bytes(&bell), doorbell, ch);
    buf_deinit(&bell);
    if (ch->subscription != NULL)
        return ch;
    channel_free(ch);
    return NULL;
}

struct channel *hub_next(struct hub *h, const struct partition *p, const struct channel *ch) {
    struct map_node *next =
        map_next(&h->parts[p->index].channels, ch != NULL ? &ch->node : NULL);
    return next != NULL ? container_of(next, struct channel, node) : NULL;
}

struct channel *hub_find(struct hub *h, struct slice name) {
    const struct partition *p = redis_partition(h->redis, name);
    struct map_node *found = map_find(&h->parts[p->index].channels, name);
    return found != NULL ? container_of(found, struct channel, node) : NULL;
}

struct sub *sub_find(const struct subscriber *s, struct slice channel) {
    for (struct list *at = s->subs.next; at != &s->subs; at = at->next) {
        struct sub *sub = container_of(at, struct sub, in_subscriber);
        if (slice_eq(channel_name(sub->channel), channel))
            return sub;
    }
    return NULL;
}

bool channel_is(const struct channel *ch, struct slice quoted) {
    struct slice name = channel_name(ch);
    struct slice inner = {quoted.ptr + 1, quoted.len - 2};
    if (memchr(inner.ptr, '\\', inner.len) == NULL)
        return slice_eq(inner, name);
    char decoded[CHANNEL_NAME_SIZE];
    struct json_value value = {JSON_STRING, quoted};
    ptrdiff_t len = json_decode(value, decoded, sizeof decoded);
    return len >= 0 && slice_eq((struct slice){decoded, (size_t)len}, name);
}

/* --- delivery -------------------------------------------------------------------------------
 */

static bool is_of(const struct sub *sub, enum audience who) {
    return who == AUDIENCE_ALL || (who == AUDIENCE_ENTERED ? !sub->entering : sub->started);
}

static void deliver_to(struct list *subs, struct message *m, struct slice skip,
                       enum audience who) {
    /* A delivery may close its subscriber, which takes this sub out of the list. */
    for (struct list *at = subs->next, *next; at != subs; at = next) {
        struct sub *sub = container_of(at, struct sub, in_channel);
        struct subscriber *s = sub->subscriber;
        next = at->next;
        if ((m->seq != 0 && m->seq <= sub->seq) || subscriber_is(s, m->origin) ||
            !filter_passes(m, s))
            continue;
        if ((skip.len != 0 && slice_eq(s->user, skip)) || !is_of(sub, who))
            continue;
        s->ops->deliver(s, m);
    }
}

void channel_deliver(struct channel *ch, struct message *m, enum audience who,
                     struct slice skip) {
    metric_add(ch->hub->metrics, METRIC_MESSAGES, 1);
    m->wide = list_is_longer(&ch->live, FRAME_MANY);
    if (who > AUDIENCE_LIVE)
        deliver_to(&ch->behind, m, skip, who);
    deliver_to(&ch->live, m, skip, AUDIENCE_ALL);
    message_done(m, ch->hub->slabs);
}

void channel_deliver_timed(struct channel *ch, struct message *m, enum audience who,
                           struct slice skip) {
    struct hub *h = ch->hub;
    uint64_t age;
    bool alone = list_empty(&ch->live);
    channel_deliver(ch, m, who, skip);
    if (!alone && redis_clock_age(&ch->redis->clock, uv_hrtime() / 1000, m->time, &age) &&
        age < AGE_MOST_US)
        metric_observe(h->metrics, HISTOGRAM_PUBLISH_TO_DELIVER, age);
}

/* --- waiters for a seq ----------------------------------------------------------------------
 */

void sub_await(struct sub *sub, struct waiter *w) {
    struct channel *ch = sub->channel;
    w->sub = sub;
    list_init(&w->link);
    if (sub->catchup == NULL && ch->at.seq >= w->seq)
        w->done(w, true);
    else
        list_push(&ch->waiters, &w->link);
}

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

/* --- losses ---------------------------------------------------------------------------------
 */

void announce_reset(struct sub *sub, uint64_t from, uint64_t to) {
    struct subscriber *s = sub->subscriber;
    struct buf data;
    buf_init(&data);
    buf_str(&data, "{\"channel\":");
    json_escape(&data, channel_name(sub->channel));
    buf_printf(&data, ",\"from\":%llu,\"to\":%llu}", (unsigned long long)from,
               (unsigned long long)to);
    metric_add(sub->channel->hub->metrics, METRIC_RESETS, 1);
    if (data.failed)
        s->ops->close(s, 1011, "out of memory");
    else
        subscriber_emit(s, "channel_reset", buf_bytes(&data), false);
    buf_deinit(&data);
}

void channel_announce(struct channel *ch, uint64_t from, uint64_t to) {
    for (struct list *at = ch->live.next, *next; at != &ch->live; at = next) {
        next = at->next;
        announce_reset(container_of(at, struct sub, in_channel), from, to);
    }
}
