#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "gateway/core/client.h"
#include "gateway/core/hub.h"
#include "gateway/core/lineage.h"
#include "gateway/core/making.h"
#include "gateway/core/session.h"

#define PAGE_ENTRIES "100"
#define WAITS_MOST   50
#define TAIL_BYTES   262144
#define TAIL_FRAMES  1024

enum catchup_state {
    CATCHUP_UNCHECKED, /* waits for the subscription to be confirmed */
    CATCHUP_CHECKING,
    CATCHUP_CHECKED, /* waits for sub_start */
    CATCHUP_IDLE,    /* goes on as soon as the channel is live */
    CATCHUP_READING,
    CATCHUP_DRAINING
};

struct catchup {
    enum catchup_state state;
    struct position at; /* epoch of what the client has; the seq is the sub's */
    struct position now;
    enum check_result result;
    struct list in_read;
    struct sub *sub;
    sub_checked checked;
    void *arg;
    unsigned waits; /* steps for the channel to reach what the sub has read already */
};

/* A page under way, shared by all that ask for the same one. */
struct read {
    struct list link; /* in channel->reads */
    struct channel *channel;
    struct position from;
    bool check;
    bool stale;
    struct list waiting; /* catchups */
};

/* --- the tail -------------------------------------------------------------------------------
 */

struct tail {
    struct buf bytes;
    size_t ends[TAIL_FRAMES];
    unsigned count;
};

bool tail_record(struct channel *ch, const struct message *m) {
    if (ch->tail == NULL)
        ch->tail = calloc(1, sizeof *ch->tail);
    struct tail *t = ch->tail;
    if (t == NULL || t->count == TAIL_FRAMES || t->bytes.len + m->frame.len > TAIL_BYTES)
        return false;
    buf_slice(&t->bytes, m->frame);
    if (t->bytes.failed)
        return false;
    t->ends[t->count++] = t->bytes.len;
    return true;
}

void tail_forget(struct channel *ch) {
    if (ch->tail == NULL)
        return;
    buf_deinit(&ch->tail->bytes);
    free(ch->tail);
    ch->tail = NULL;
}

unsigned tail_unexplained(const struct channel *ch) {
    const struct tail *t = ch->tail;
    size_t begin = 0;
    unsigned count = 0;
    for (unsigned i = 0; t != NULL && i < t->count; i++) {
        struct message m;
        struct slice frame = {t->bytes.data + begin, t->ends[i] - begin};
        begin = t->ends[i];
        if (message_parse(&m, frame))
            count += m.seq > ch->at.seq || !slice_is(m.epoch, ch->at.epoch);
    }
    return count;
}

void tail_replay(struct channel *ch, struct slice epoch, uint64_t seq,
                 bool (*each)(void *arg, struct message *m), void *arg) {
    struct tail *t = ch->tail;
    size_t begin = 0;
    for (unsigned i = 0; t != NULL && i < t->count; i++) {
        struct message m;
        struct slice frame = {t->bytes.data + begin, t->ends[i] - begin};
        begin = t->ends[i];
        if (!message_parse(&m, frame) || m.seq != seq + 1 || !slice_eq(m.epoch, epoch))
            continue;
        seq = m.seq;
        if (!each(arg, &m))
            return;
    }
}

void reads_stale(struct channel *ch) {
    for (struct list *at = ch->reads.next; at != &ch->reads; at = at->next)
        container_of(at, struct read, link)->stale = true;
}

/* --- a sub's way ----------------------------------------------------------------------------
 */

static void catchup_step(struct sub *sub);

/* A page has come, or will not be waited for: the next one of this client may be asked for. */
static void paging_over(struct client *c) {
    c->paging = false;
    if (c->behind && !c->gone)
        c->door->want_drained(c);
}

static void sub_free(struct sub *sub) {
    struct channel *ch = sub->channel;
    channel_ref(ch);
    session_dropped(sub);
    if (sub->catchup != NULL) {
        if (sub->catchup->state == CATCHUP_READING)
            paging_over(sub->client);
        list_remove(&sub->catchup->in_read);
        free(sub->catchup);
    }
    for (struct list *at = ch->waiters.next, *next; at != &ch->waiters; at = next) {
        next = at->next;
        if (container_of(at, struct waiter, link)->sub == sub)
            list_remove(at);
    }
    list_remove(&sub->in_channel);
    list_remove(&sub->in_client);
    sub->client->sub_count--;
    ch->hub->sub_count--;
    free(sub);
    channel_unref(ch);
}

void sub_drop(struct sub *sub) {
    sub_free(sub);
}

static void go_live(struct sub *sub) {
    struct channel *ch = sub->channel;
    list_remove(&sub->in_channel);
    list_push(&ch->live, &sub->in_channel);
    list_remove(&sub->catchup->in_read);
    free(sub->catchup);
    sub->catchup = NULL;
    if (!list_empty(&ch->waiters))
        channel_waiters(ch, true);
}

static bool is_level(const struct sub *sub) {
    const struct channel *ch = sub->channel;
    return strcmp(sub->catchup->at.epoch, ch->at.epoch) == 0 && sub->seq == ch->at.seq;
}

static void deliver_one(struct sub *sub, struct message *m) {
    struct client *c = sub->client;
    sub->seq = m->seq;
    if (!client_is(c, m->origin))
        c->door->deliver(c, m);
}

static bool replay_to_sub(void *arg, struct message *m) {
    struct client *c = arg;
    struct sub *sub = c->catching; /* NULL once the delivery has closed the client */
    struct slabs *slabs = sub->channel->hub->slabs;
    deliver_one(sub, m);
    message_done(m, slabs);
    return c->catching != NULL;
}

/* --- reading --------------------------------------------------------------------------------
 */

static struct read *read_find(struct channel *ch, const struct position *from, bool check) {
    for (struct list *at = ch->reads.next; at != &ch->reads; at = at->next) {
        struct read *r = container_of(at, struct read, link);
        if (!r->stale && r->check == check && r->from.seq == from->seq &&
            strcmp(r->from.epoch, from->epoch) == 0)
            return r;
    }
    return NULL;
}

static void on_page(void *arg, const struct reply *page, enum outcome outcome);

static struct read *read_send(struct channel *ch, const struct position *from, bool check) {
    struct read *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    if (!lineage_read(ch, from, check ? SLICE("0") : SLICE(PAGE_ENTRIES), on_page, r)) {
        free(r);
        return NULL;
    }
    r->channel = ch;
    r->from = *from;
    r->check = check;
    list_init(&r->waiting);
    list_push(&ch->reads, &r->link);
    channel_ref(ch);
    metric_add(ch->hub->metrics, METRIC_READS, 1);
    return r;
}

/* Joins a page under way or asks for one. It may be older than this call: what came since is in
 * the tail, or is read by the next page. */
static void sub_read(struct sub *sub, bool check) {
    struct channel *ch = sub->channel;
    struct catchup *cu = sub->catchup;
    struct position from = cu->at;
    from.seq = sub->seq;
    struct read *r = read_find(ch, &from, check);
    if (r != NULL)
        metric_add(ch->hub->metrics, METRIC_READS_SHARED, 1);
    else
        r = read_send(ch, &from, check);
    if (r == NULL) {
        ch->hub->stalled = true; /* the hub's timer comes back to it */
        return;
    }
    list_push(&r->waiting, &cu->in_read);
    cu->state = check ? CATCHUP_CHECKING : CATCHUP_READING;
    if (!check)
        sub->client->paging = true;
}

static bool resumes(const struct sub *sub) {
    const struct catchup *cu = sub->catchup;
    return cu->result == CHECK_GOOD && cu->at.epoch[0] != '\0' && sub->seq != cu->now.seq;
}

static void begin_standing(struct sub *sub, uint64_t clock) {
    struct position floor = sub->catchup->now;
    if (resumes(sub)) {
        floor = sub->catchup->at;
        floor.seq = sub->seq;
    }
    session_entered(sub, &floor, clock, resumes(sub));
}

static void check_done(struct sub *sub, const struct reply *page, bool stale) {
    struct catchup *cu = sub->catchup;
    struct channel *ch = sub->channel;
    struct position none = {.seq = 0};
    if (page == NULL) {
        sub_checked checked = cu->checked;
        void *arg = cu->arg;
        sub_free(sub);
        checked(arg, NULL, CHECK_FAILED, &none);
        return;
    }
    struct slice epoch = reply_text(reply_item(page, 1));
    position_set(&cu->now, epoch, (uint64_t)reply_number(reply_item(page, 2)));
    if (page->count > PAGE_HEAD)
        making_charge(sub->client);
    cu->result = reply_number(reply_item(page, 0)) == 0 ? CHECK_GOOD : CHECK_LOST;
    cu->state = CATCHUP_CHECKED;
    if (ch->at.epoch[0] == '\0') {
        lineage_move(ch, epoch, cu->now.seq, reply_item(page, 5));
        if (stale || ch->state != CHANNEL_HEALING)
            channel_heal(ch); /* the doorbell was not heard all the time since */
        else
            channel_check_live(ch);
    }
    begin_standing(sub, (uint64_t)reply_number(reply_item(page, 4)));
    cu->checked(cu->arg, sub, cu->result, &cu->now);
}

static void page_announce(struct read *r, uint64_t from, uint64_t to) {
    for (struct list *at = r->waiting.next, *next; at != &r->waiting; at = next) {
        next = at->next;
        announce_reset(container_of(at, struct catchup, in_read)->sub, from, to);
    }
}

static void page_deliver(struct read *r, const struct reply *page, uint64_t from,
                         uint64_t last) {
    uint64_t at_seq = from;
    for (size_t i = PAGE_HEAD; i < page->count; i++) {
        struct message m;
        if (!message_parse_entry(&m, reply_text(page->items[i])) || m.seq <= at_seq)
            continue;
        if (m.seq > at_seq + 1)
            page_announce(r, at_seq + 1, m.seq - 1);
        at_seq = m.seq;
        for (struct list *at = r->waiting.next, *next; at != &r->waiting; at = next) {
            next = at->next;
            deliver_one(container_of(at, struct catchup, in_read)->sub, &m);
        }
        message_done(&m, r->channel->hub->slabs);
    }
    if (at_seq == from && from < last) {
        at_seq = page_end(page, from, last);
        page_announce(r, from + 1, at_seq);
    }
    for (struct list *at = r->waiting.next; at != &r->waiting; at = at->next)
        container_of(at, struct catchup, in_read)->sub->seq = at_seq;
}

static void page_done(struct read *r, const struct reply *page) {
    struct slice epoch = reply_text(reply_item(page, 1));
    uint64_t last = (uint64_t)reply_number(reply_item(page, 2));
    uint64_t from = (uint64_t)reply_number(reply_item(page, 3));
    if (reply_number(reply_item(page, 0)) == 1) {
        page_announce(r, from + 1, r->from.seq > from ? r->from.seq : from);
        for (struct list *at = r->waiting.next; at != &r->waiting; at = at->next)
            session_reset(container_of(at, struct catchup, in_read)->sub, epoch, from);
    }
    page_deliver(r, page, from, last);
    for (struct list *at = r->waiting.next; at != &r->waiting; at = at->next) {
        struct catchup *cu = container_of(at, struct catchup, in_read);
        position_set(&cu->at, epoch, cu->at.seq);
    }
}

/* The log has another epoch than the channel, or ends before it: meta was lost without the link
 * being lost (FLUSHALL, an eviction). Without a heal no sub would ever be level. */
static void suspect(struct channel *ch, const struct reply *page) {
    bool other = !slice_is(reply_text(reply_item(page, 1)), ch->at.epoch);
    bool shorter =
        (uint64_t)reply_number(reply_item(page, 2)) < ch->at.seq && page->count == PAGE_HEAD;
    if (ch->state == CHANNEL_LIVE && (other || shorter))
        channel_heal(ch);
}

static void on_page(void *arg, const struct reply *page, enum outcome outcome) {
    struct read *r = arg;
    struct channel *ch = r->channel;
    (void)outcome;
    list_remove(&r->link);
    if (!r->check && page != NULL)
        page_done(r, page);
    if (page != NULL)
        suspect(ch, page);
    while (!list_empty(&r->waiting)) {
        struct catchup *cu = container_of(r->waiting.next, struct catchup, in_read);
        list_remove(&cu->in_read);
        if (r->check) {
            check_done(cu->sub, page, r->stale);
            continue;
        }
        cu->state = CATCHUP_IDLE;
        paging_over(cu->sub->client);
        if (page == NULL)
            ch->hub->stalled = true;
        else
            catchup_step(cu->sub);
    }
    if (ch->state == CHANNEL_LIVE && list_empty(&ch->reads))
        tail_forget(ch);
    free(r);
    channel_unref(ch);
}

/* --- steps ----------------------------------------------------------------------------------
 */

/* From where the sub is to the channel's position without a read, if the tail reaches. */
static void replay_tail(struct sub *sub) {
    struct client *c = sub->client;
    c->catching = sub;
    tail_replay(sub->channel, slice_of(sub->catchup->at.epoch), sub->seq, replay_to_sub, c);
}

static bool is_ahead(const struct sub *sub) {
    const struct channel *ch = sub->channel;
    return strcmp(sub->catchup->at.epoch, ch->at.epoch) == 0 && sub->seq > ch->at.seq;
}

/* The sub has read past a doorbell that is on its way: each delivery, and the hub's timer, step
 * it again. If it does not come, the log is asked. */
static void wait_for_channel(struct sub *sub) {
    struct channel *ch = sub->channel;
    ch->awaited = true;
    ch->hub->stalled = true;
    if (++sub->catchup->waits > WAITS_MOST) {
        sub->catchup->waits = 0;
        channel_heal(ch);
    }
}

static void catch_up(struct sub *sub) {
    struct channel *ch = sub->channel;
    struct client *c = sub->client;
    if (ch->state != CHANNEL_LIVE)
        return;
    client_ref(c);
    if (!is_level(sub) && ch->tail != NULL) {
        replay_tail(sub);
        if (c->catching == NULL) { /* the client is gone, and the sub with it */
            client_unref(c);
            return;
        }
        c->catching = NULL;
    }
    if (is_level(sub)) {
        go_live(sub);
    } else if (is_ahead(sub)) {
        wait_for_channel(sub);
    } else if (c->paging || c->door->queued(c) > ch->hub->low_water) {
        sub->catchup->state = CATCHUP_DRAINING;
        c->behind = true;
        if (!c->paging)
            c->door->want_drained(c);
    } else {
        sub_read(sub, false);
    }
    client_unref(c);
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
    channel_ref(ch); /* a step may close the client; those that wait in `all` do not hold it */
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
            continue; /* those under way fail with their read */
        channel_ref(ch);
        check_done(sub, NULL, false);
        /* The caller of `checked` may have dropped other subs of this channel. */
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

bool sub_started(const struct sub *sub) {
    return sub->catchup == NULL || sub->catchup->state >= CATCHUP_IDLE;
}

void sub_drained(struct sub *sub) {
    if (sub->catchup == NULL || sub->catchup->state != CATCHUP_DRAINING)
        return;
    sub->catchup->state = CATCHUP_IDLE;
    catchup_step(sub);
}

struct sub *catchup_new(struct channel *ch, struct client *client, const struct position *since,
                        sub_checked checked, void *arg) {
    struct sub *sub = calloc(1, sizeof *sub);
    struct catchup *cu = calloc(1, sizeof *cu);
    if (sub == NULL || cu == NULL) {
        free(sub);
        free(cu);
        return NULL;
    }
    *cu = (struct catchup){.at = *since, .sub = sub, .checked = checked, .arg = arg};
    list_init(&cu->in_read);
    sub->channel = ch;
    sub->client = client;
    sub->catchup = cu;
    sub->seq = since->seq;
    sub->serial = ++ch->hub->serial;
    list_push(&ch->behind, &sub->in_channel);
    list_push(&client->subs, &sub->in_client);
    client->sub_count++;
    ch->hub->sub_count++;
    session_entering(client);
    catchup_step(sub);
    return sub;
}

void sub_start(struct sub *sub) {
    struct catchup *cu = sub->catchup;
    if (!resumes(sub)) {
        cu->at = cu->now;
        sub->seq = cu->now.seq;
    }
    cu->state = CATCHUP_IDLE;
    catchup_step(sub);
}

void sub_await(struct sub *sub, struct waiter *w) {
    struct channel *ch = sub->channel;
    w->sub = sub;
    list_init(&w->link);
    if (sub->catchup == NULL && ch->at.seq >= w->seq)
        w->done(w, true);
    else
        list_push(&ch->waiters, &w->link);
}
