#include "gateway/channel/catchup.h"

#include <assert.h>
#include <stdlib.h>

#include "gateway/channel/filter.h"
#include "gateway/channel/heal.h"
#include "gateway/channel/shared_page.h"
#include "gateway/channel/tail.h"

#define WAITS_MOST 50

enum catchup_state {
    CATCHUP_UNCHECKED, /* waits until the subscription is confirmed */
    CATCHUP_CHECKING,
    CATCHUP_CHECKED, /* waits for sub_start */
    CATCHUP_IDLE,    /* goes on when the channel is live */
    CATCHUP_READING,
    CATCHUP_DRAINING
};

/* How far a sub is that is behind. */
struct catchup {
    enum catchup_state state;
    struct position at;  /* the epoch of the sub's position; its seq is sub->seq */
    struct position now; /* the end of the log, as the check found it */
    enum check_result result;
    struct list in_page;
    struct sub *sub;
    sub_checked checked;
    void *arg;
    unsigned waits; /* steps since the sub is ahead of the channel */
};

static void state_set(struct catchup *c, enum catchup_state to) {
    static const unsigned from[] = {
        [CATCHUP_CHECKING] = 1U << CATCHUP_UNCHECKED,
        [CATCHUP_CHECKED] = 1U << CATCHUP_CHECKING,
        [CATCHUP_IDLE] = 1U << CATCHUP_CHECKED | 1U << CATCHUP_READING | 1U << CATCHUP_DRAINING,
        [CATCHUP_READING] = 1U << CATCHUP_IDLE,
        [CATCHUP_DRAINING] = 1U << CATCHUP_IDLE,
    };
    assert((from[to] & 1U << c->state) != 0);
    c->state = to;
}

/* --- a sub's way ----------------------------------------------------------------------------
 */

static void catchup_step(struct sub *sub);

/* A page has come, or is no longer waited for. The subscriber's next one may be asked for. */
static void paging_over(struct subscriber *s) {
    s->paging = false;
    if (s->behind && !s->gone)
        s->ops->want_drained(s);
}

void sub_drop(struct sub *sub) {
    struct channel *ch = sub->channel;
    struct hub *h = ch->hub;
    channel_ref(ch);
    h->events->on_dropped(h->owner, sub);
    if (sub->catchup != NULL) {
        if (sub->catchup->state == CATCHUP_READING)
            paging_over(sub->subscriber);
        list_remove(&sub->catchup->in_page);
        free(sub->catchup);
    }
    for (struct list *at = ch->waiters.next, *next; at != &ch->waiters; at = next) {
        next = at->next;
        if (container_of(at, struct waiter, link)->sub == sub)
            list_remove(at);
    }
    list_remove(&sub->in_channel);
    list_remove(&sub->in_subscriber);
    sub->subscriber->sub_count--;
    h->sub_count--;
    free(sub);
    channel_unref(ch);
}

static void go_live(struct sub *sub) {
    struct channel *ch = sub->channel;
    list_remove(&sub->in_channel);
    list_push(&ch->live, &sub->in_channel);
    list_remove(&sub->catchup->in_page);
    free(sub->catchup);
    sub->catchup = NULL;
    if (!list_empty(&ch->waiters))
        channel_waiters(ch, true);
}

static bool in_epoch(const struct sub *sub) {
    return strcmp(sub->catchup->at.epoch, sub->channel->at.epoch) == 0;
}

static bool is_level(const struct sub *sub) {
    return in_epoch(sub) && sub->seq == sub->channel->at.seq;
}

static bool is_ahead(const struct sub *sub) {
    return in_epoch(sub) && sub->seq > sub->channel->at.seq;
}

static void deliver_one(struct sub *sub, struct message *m) {
    struct subscriber *s = sub->subscriber;
    sub->seq = m->seq;
    if (!subscriber_is(s, m->origin) && filter_passes(m, s))
        s->ops->deliver(s, m);
}

/* --- pages ----------------------------------------------------------------------------------
 */

static void on_page(struct shared_page *p, const struct page *page);

/* Joins a page under way, or asks for one. A page under way may be older than this call; the
 * tail or the next page has the messages that came since. */
static void sub_read(struct sub *sub, bool check) {
    struct channel *ch = sub->channel;
    struct catchup *c = sub->catchup;
    struct position from = c->at;
    from.seq = sub->seq;
    struct shared_page *p = shared_page_ask(ch, &from, check, on_page);
    if (p == NULL) {
        ch->hub->stalled = true; /* the hub's timer tries again */
        return;
    }
    list_push(&p->waiting, &c->in_page);
    state_set(c, check ? CATCHUP_CHECKING : CATCHUP_READING);
    if (!check)
        sub->subscriber->paging = true;
}

static bool resumes(const struct sub *sub) {
    const struct catchup *c = sub->catchup;
    return c->result == CHECK_GOOD && c->at.epoch[0] != '\0' && sub->seq != c->now.seq;
}

static void entered(struct sub *sub, uint64_t clock) {
    struct hub *h = sub->channel->hub;
    struct position floor = sub->catchup->now;
    if (resumes(sub)) {
        floor = sub->catchup->at;
        floor.seq = sub->seq;
    }
    h->events->on_entered(h->owner, sub, &floor, clock, resumes(sub));
}

static void check_failed(struct sub *sub) {
    struct position none = {.seq = 0};
    sub_checked checked = sub->catchup->checked;
    void *arg = sub->catchup->arg;
    sub_drop(sub);
    checked(arg, NULL, CHECK_FAILED, &none);
}

static void check_done(struct sub *sub, const struct page *page, bool stale) {
    struct catchup *c = sub->catchup;
    struct channel *ch = sub->channel;
    struct hub *h = ch->hub;
    position_set(&c->now, page->epoch, page->last);
    if (page_made_log(page))
        h->events->on_made(h->owner, sub->subscriber);
    c->result = page->status == PAGE_GOOD ? CHECK_GOOD : CHECK_LOST;
    state_set(c, CATCHUP_CHECKED);
    if (ch->at.epoch[0] == '\0') {
        lineage_move(&ch->lineage, &ch->at, page->epoch, page->last, page->forks);
        if (stale || ch->state != CHANNEL_HEALING)
            channel_heal(ch); /* the doorbell may have been missed since the check */
        else
            channel_check_live(ch);
    }
    entered(sub, page->clock);
    c->checked(c->arg, sub, c->result, &c->now);
}

/* An event may end its subscriber, which takes this sub out of the list. */
static void page_hole(void *arg, uint64_t from, uint64_t to) {
    struct shared_page *p = arg;
    for (struct list *at = p->waiting.next, *next; at != &p->waiting; at = next) {
        next = at->next;
        announce_reset(container_of(at, struct catchup, in_page)->sub, from, to);
    }
}

static void page_message(void *arg, struct message *m) {
    struct shared_page *p = arg;
    for (struct list *at = p->waiting.next, *next; at != &p->waiting; at = next) {
        next = at->next;
        deliver_one(container_of(at, struct catchup, in_page)->sub, m);
    }
    message_done(m, p->channel->hub->slabs);
}

static const struct page_events page_events = {.on_message = page_message,
                                               .on_hole = page_hole};

static void page_reset(struct shared_page *p, const struct page *page) {
    struct hub *h = p->channel->hub;
    page_hole(p, page->from + 1, p->from.seq > page->from ? p->from.seq : page->from);
    for (struct list *at = p->waiting.next; at != &p->waiting; at = at->next)
        h->events->on_reset(h->owner, container_of(at, struct catchup, in_page)->sub,
                            page->epoch, page->from);
}

static void page_done(struct shared_page *p, const struct page *page) {
    if (page->status == PAGE_LOST)
        page_reset(p, page);
    uint64_t end = page_walk(page, page->from, &page_events, p);
    for (struct list *at = p->waiting.next; at != &p->waiting; at = at->next) {
        struct catchup *c = container_of(at, struct catchup, in_page);
        c->sub->seq = end;
        position_set(&c->at, page->epoch, c->at.seq);
    }
}

/* Heals the channel if the log has another epoch or ends before the channel's position. Then
 * Redis lost `meta` while the link stayed up (FLUSHALL, an eviction). Without a heal, no sub
 * would ever be level. */
static void suspect(struct channel *ch, const struct page *page) {
    bool other = !slice_is(page->epoch, ch->at.epoch);
    bool shorter = page->last < ch->at.seq && page->count == 0;
    if (ch->state == CHANNEL_LIVE && (other || shorter))
        channel_heal(ch);
}

/* page: NULL if Redis could not be asked. */
static void page_over(struct shared_page *p, struct catchup *c, const struct page *page) {
    struct sub *sub = c->sub;
    if (p->check && page != NULL) {
        check_done(sub, page, p->stale);
        return;
    }
    if (p->check) {
        check_failed(sub);
        return;
    }
    state_set(c, CATCHUP_IDLE);
    paging_over(sub->subscriber);
    if (page == NULL)
        p->channel->hub->stalled = true;
    else
        catchup_step(sub);
}

static void on_page(struct shared_page *p, const struct page *page) {
    if (page != NULL && !p->check)
        page_done(p, page);
    if (page != NULL)
        suspect(p->channel, page);
    while (!list_empty(&p->waiting)) {
        struct catchup *c = container_of(p->waiting.next, struct catchup, in_page);
        list_remove(&c->in_page);
        page_over(p, c, page);
    }
}

/* --- steps ----------------------------------------------------------------------------------
 */

static bool replay_to_sub(void *arg, struct message *m) {
    struct subscriber *s = arg;
    struct sub *sub = s->catching; /* NULL once the delivery has closed the subscriber */
    struct slabs *slabs = sub->channel->hub->slabs;
    deliver_one(sub, m);
    message_done(m, slabs);
    return s->catching != NULL;
}

/* Moves the sub towards the channel's position without a read, as far as the tail has frames.
 * False: the subscriber is gone, and the sub with it. */
static bool replay_tail(struct sub *sub) {
    struct subscriber *s = sub->subscriber;
    s->catching = sub;
    tail_replay(sub->channel->tail, slice_of(sub->catchup->at.epoch), sub->seq, replay_to_sub,
                s);
    bool here = s->catching != NULL;
    s->catching = NULL;
    return here;
}

/* The sub has read a message from the log whose doorbell is still under way. The channel's next
 * delivery and the hub's timer step the sub again. If the doorbell does not come, the channel
 * is healed. */
static void wait_for_channel(struct sub *sub) {
    struct channel *ch = sub->channel;
    ch->awaited = true;
    ch->hub->stalled = true;
    if (++sub->catchup->waits > WAITS_MOST) {
        sub->catchup->waits = 0;
        channel_heal(ch);
    }
}

static void wait_for_socket(struct sub *sub) {
    struct subscriber *s = sub->subscriber;
    state_set(sub->catchup, CATCHUP_DRAINING);
    s->behind = true;
    if (!s->paging)
        s->ops->want_drained(s);
}

static void catch_up(struct sub *sub) {
    struct channel *ch = sub->channel;
    struct subscriber *s = sub->subscriber;
    if (ch->state != CHANNEL_LIVE)
        return;
    subscriber_ref(s);
    if (!is_level(sub) && ch->tail != NULL && !replay_tail(sub)) {
        subscriber_unref(s);
        return;
    }
    if (is_level(sub))
        go_live(sub);
    else if (is_ahead(sub))
        wait_for_channel(sub);
    else if (s->paging || s->ops->queued(s) > ch->hub->low_water)
        wait_for_socket(sub);
    else
        sub_read(sub, false);
    subscriber_unref(s);
}

static void catchup_step(struct sub *sub) {
    switch (sub->catchup->state) {
    case CATCHUP_UNCHECKED:
        if (sub->channel->state != CHANNEL_SUBSCRIBING)
            sub_read(sub, true);
        break;
    case CATCHUP_IDLE:
        catch_up(sub);
        break;
    case CATCHUP_CHECKING:
    case CATCHUP_CHECKED:
    case CATCHUP_READING:
    case CATCHUP_DRAINING:
        break;
    }
}

void channel_step_behind(struct channel *ch) {
    struct list all;
    channel_ref(ch); /* a step may end a subscriber, and subs in `all` do not hold it */
    list_init(&all);
    list_splice(&all, &ch->behind);
    while (!list_empty(&all)) {
        struct sub *sub = container_of(all.next, struct sub, in_channel);
        list_remove(&sub->in_channel);
        list_push(&ch->behind, &sub->in_channel);
        catchup_step(sub);
    }
    channel_unref(ch);
}

void sub_fail_checks(struct channel *ch) {
    for (struct list *at = ch->behind.next, *next; at != &ch->behind; at = next) {
        struct sub *sub = container_of(at, struct sub, in_channel);
        next = at->next;
        if (sub->catchup->state != CATCHUP_UNCHECKED)
            continue; /* the others fail with their read */
        channel_ref(ch);
        check_failed(sub);
        /* `checked` may have dropped other subs of this channel. */
        next = ch->behind.next;
        channel_unref(ch);
    }
}

struct position sub_position(const struct sub *sub) {
    if (sub->catchup == NULL)
        return sub->channel->at;
    struct position p = sub->catchup->at;
    p.seq = sub->seq;
    return p;
}

static void sub_drained(struct sub *sub) {
    if (sub->catchup == NULL || sub->catchup->state != CATCHUP_DRAINING)
        return;
    state_set(sub->catchup, CATCHUP_IDLE);
    catchup_step(sub);
}

void subscriber_drained(struct subscriber *s) {
    if (!s->behind)
        return;
    s->behind = false;
    subscriber_ref(s);
    for (struct list *at = s->subs.next, *next; !s->gone && at != &s->subs; at = next) {
        next = at->next;
        sub_drained(container_of(at, struct sub, in_subscriber));
    }
    subscriber_unref(s);
}

struct sub *catchup_new(struct channel *ch, struct subscriber *s, const struct position *since,
                        sub_checked checked, void *arg) {
    struct hub *h = ch->hub;
    struct sub *sub = calloc(1, sizeof *sub);
    struct catchup *c = calloc(1, sizeof *c);
    if (sub == NULL || c == NULL) {
        free(sub);
        free(c);
        return NULL;
    }
    *c = (struct catchup){.at = *since, .sub = sub, .checked = checked, .arg = arg};
    list_init(&c->in_page);
    sub->channel = ch;
    sub->subscriber = s;
    sub->catchup = c;
    sub->seq = since->seq;
    sub->serial = ++h->serial;
    list_push(&ch->behind, &sub->in_channel);
    list_push(&s->subs, &sub->in_subscriber);
    s->sub_count++;
    h->sub_count++;
    h->events->on_entering(h->owner, s);
    catchup_step(sub);
    return sub;
}

void sub_start(struct sub *sub) {
    struct catchup *c = sub->catchup;
    if (!resumes(sub)) {
        c->at = c->now;
        sub->seq = c->now.seq;
    }
    sub->started = true;
    state_set(c, CATCHUP_IDLE);
    catchup_step(sub);
}
