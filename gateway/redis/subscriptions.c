#include "gateway/redis/subscriptions.h"

#include <stdlib.h>

#include "common/list.h"

#define RESUBSCRIBE_BATCH 128
#define RENEWAL_MOST      2048 /* confirmations under way, about 100 bytes each */

struct subscription {
    struct map_node node; /* by channel; the key's bytes follow this struct */
    const struct subscription_events
        *events; /* NULL: unsubscribed, waits for the confirmation */
    void *arg;
    unsigned awaited; /* confirmations of SUBSCRIBE and UNSUBSCRIBE still to come */
    bool confirmed;
    bool renewed; /* counted in `open` */
    char channel[];
};

static bool is_ready(const struct subscriptions *all) {
    return all->link != NULL && all->link->state == LINK_READY;
}

/* With PING these are the only commands of a subscriber link. False: the link has fallen, and
 * so subscriptions_lost was called. */
static bool send_subscribe(struct subscriptions *all, bool wanted,
                           const struct slice channels[], size_t count) {
    static const char *const verbs[][2] = {{"UNSUBSCRIBE", "SUBSCRIBE"},
                                           {"SUNSUBSCRIBE", "SSUBSCRIBE"},
                                           {"PUNSUBSCRIBE", "PSUBSCRIBE"}};
    const char *verb = verbs[all->kind][wanted];
    struct buf *b = &all->scratch;
    buf_clear(b);
    buf_printf(b, "*%zu\r\n", count + 1);
    resp_bulk(b, slice_of(verb));
    for (size_t i = 0; i < count; i++)
        resp_bulk(b, channels[i]);
    struct slice none = {NULL, 0};
    if (!b->failed && link_send(all->link, -1, 0, buf_bytes(b), none, NULL, NULL))
        return true;
    link_reset(all->link, "out of memory");
    return false;
}

/* --- all again ------------------------------------------------------------------------------
 */

/* What one turn sends again; the channels of a bucket are in one direction or the other. */
struct renewal {
    struct subscriptions *all;
    struct slice batch[2][RESUBSCRIBE_BATCH];
    size_t count[2];
};

static bool renewal_send(struct renewal *r, bool wanted) {
    size_t count = r->count[wanted];
    r->count[wanted] = 0;
    return count == 0 || send_subscribe(r->all, wanted, r->batch[wanted], count);
}

/* Unsubscribes again from those that are not wanted, since the confirmation frees them. */
static bool renewal_put(struct renewal *r, struct subscription *s) {
    bool wanted = s->events != NULL;
    if (s->confirmed || s->awaited > 0)
        return true; /* it was asked for since the link is ready */
    s->awaited = 1;
    s->renewed = true;
    r->all->open++;
    r->batch[wanted][r->count[wanted]++] = s->node.key;
    return r->count[wanted] < RESUBSCRIBE_BATCH || renewal_send(r, wanted);
}

/* Sends what is next, unless enough is on its way. */
static void renew_some(struct subscriptions *all) {
    struct renewal r;
    r.all = all;
    r.count[0] = r.count[1] = 0;
    if (all->size != all->channels.size) { /* the buckets are others now */
        all->size = all->channels.size;
        all->next = 0;
    }
    for (; all->next < all->size && all->open < RENEWAL_MOST; all->next++) {
        for (struct map_node *at = map_bucket(&all->channels, all->next); at != NULL;
             at = at->next) {
            if (!renewal_put(&r, container_of(at, struct subscription, node)))
                return;
        }
    }
    all->renewing = all->next < all->size;
    if (renewal_send(&r, true))
        renewal_send(&r, false);
}

void subscriptions_renew(struct subscriptions *all) {
    if (!is_ready(all))
        return; /* the owner renews them when it is */
    all->next = all->open = 0;
    renew_some(all);
}

/* --- what the link tells --------------------------------------------------------------------
 */

void subscriptions_lost(struct subscriptions *all) {
    all->renewing = false;
    all->open = 0;
    for (struct map_node *at = map_next(&all->channels, NULL); at != NULL;
         at = map_next(&all->channels, at)) {
        struct subscription *s = container_of(at, struct subscription, node);
        s->confirmed = s->renewed = false;
        s->awaited = 0;
        if (s->events != NULL)
            s->events->on_lost(s->arg);
    }
}

static void confirmed(struct subscriptions *all, struct subscription *s) {
    if (s->awaited > 0)
        s->awaited--;
    if (s->awaited > 0)
        return;
    if (s->events == NULL) {
        map_remove(&all->channels, &s->node);
        free(s);
        return;
    }
    s->confirmed = true;
    s->events->on_confirmed(s->arg);
}

static void on_confirmation(struct subscriptions *all, struct subscription *s) {
    all->open -= s->renewed && all->open > 0;
    s->renewed = false;
    confirmed(all, s);
    if (all->renewing && all->open <= RENEWAL_MOST / 2 && is_ready(all))
        renew_some(all);
}

bool subscriptions_take(struct subscriptions *all, const struct reply *push) {
    struct map_node *found = map_find(&all->channels, reply_text(reply_item(push, 1)));
    struct slice kind = reply_text(reply_item(push, 0));
    bool sharded = all->kind == SUBSCRIPTIONS_SHARDED;
    if (found == NULL)
        return true;
    struct subscription *s = container_of(found, struct subscription, node);
    if (slice_is(kind, "pmessage")) {
        if (s->events != NULL)
            s->events->on_matched(s->arg, reply_text(reply_item(push, 2)),
                                  reply_text(reply_item(push, 3)));
        return true;
    }
    if (slice_is(kind, sharded ? "smessage" : "message")) {
        if (s->events != NULL)
            s->events->on_message(s->arg, reply_text(reply_item(push, 2)));
        return true;
    }
    if (sharded && s->awaited == 0 && slice_is(kind, "sunsubscribe")) {
        s->confirmed = false;
        if (s->events != NULL)
            s->events->on_lost(s->arg);
        return false;
    }
    on_confirmation(all, s);
    return true;
}

static struct subscription *subscription_find(struct subscriptions *all, struct slice channel) {
    struct map_node *found = map_find(&all->channels, channel);
    if (found != NULL)
        return container_of(found, struct subscription, node);
    struct subscription *s = calloc(1, sizeof *s + channel.len);
    if (s == NULL)
        return NULL;
    memcpy(s->channel, channel.ptr, channel.len);
    s->node.key = (struct slice){s->channel, channel.len};
    if (map_insert(&all->channels, &s->node))
        return s;
    free(s);
    return NULL;
}

struct subscription *subscriptions_add(struct subscriptions *all, struct slice channel,
                                       const struct subscription_events *events, void *arg) {
    struct subscription *s = subscription_find(all, channel);
    if (s == NULL)
        return NULL;
    s->events = events;
    s->arg = arg;
    s->confirmed = false;
    if (is_ready(all)) {
        s->awaited++;
        send_subscribe(all, true, &s->node.key, 1);
    }
    return s;
}

void subscriptions_remove(struct subscriptions *all, struct subscription *s) {
    s->events = NULL;
    if (is_ready(all)) {
        s->awaited++;
        send_subscribe(all, false, &s->node.key, 1);
    }
}

void subscriptions_init(struct subscriptions *all, enum subscriptions_kind kind) {
    *all = (struct subscriptions){.kind = kind};
    map_init(&all->channels);
    buf_init(&all->scratch);
}

void subscriptions_deinit(struct subscriptions *all) {
    struct map_node *at;
    while ((at = map_next(&all->channels, NULL)) != NULL) {
        map_remove(&all->channels, at);
        free(container_of(at, struct subscription, node));
    }
    map_deinit(&all->channels);
    buf_deinit(&all->scratch);
}
