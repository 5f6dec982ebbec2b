#include "gateway/channel/heal.h"

#include "common/log.h"
#include "gateway/channel/page.h"
#include "gateway/channel/tail.h"

#define HEALS_AT_ONCE 64
#define PAGE_ENTRIES  "100"

static const struct slice nobody = {NULL, 0};

void heal_queue(struct channel *ch) {
    if (ch->reading)
        return;
    if (list_empty(&ch->heal_link))
        list_push(&ch->hub->heals, &ch->heal_link);
    heal_pump(ch->hub);
}

void channel_heal(struct channel *ch) {
    if (ch->state == CHANNEL_SUBSCRIBING)
        return; /* the confirmation starts it */
    if (ch->state == CHANNEL_HEALING)
        ch->doubtful = true;
    else
        channel_state_set(ch, CHANNEL_HEALING);
    heal_queue(ch);
}

/* The log of the position is gone, or has lost its end. */
static void heal_reset(struct channel *ch, const struct page *page) {
    struct hub *h = ch->hub;
    uint64_t had = ch->at.seq, from = page->from;
    LOG(LOG_WARN, "channel_reset", "channel", ch->name, "had",
        log_text("%llu", (unsigned long long)had), "from",
        log_text("%llu", (unsigned long long)from), NULL);
    channel_announce(ch, from + 1, had > from ? had : from);
    for (struct list *at = ch->live.next; at != &ch->live; at = at->next) {
        struct sub *sub = container_of(at, struct sub, in_channel);
        sub->seq = 0;
        h->events->on_reset(h->owner, sub, page->epoch, from);
    }
}

static void on_message(void *arg, struct message *m) {
    struct channel *ch = arg;
    ch->at.seq = m->seq;
#ifdef SLUICE_BREAK_HEAL /* a fault on purpose, which tests/chaos must find */
    return;
#endif
    metric_add(ch->hub->metrics, METRIC_HEALED, 1);
    channel_deliver_timed(ch, m, AUDIENCE_LIVE, nobody);
}

static void on_hole(void *arg, uint64_t from, uint64_t to) {
    channel_announce(arg, from, to);
}

static const struct page_events page_events = {.on_message = on_message, .on_hole = on_hole};

/* After it, the channel is live or another read is queued. */
static void heal_page(struct channel *ch, const struct page *page) {
    bool lost = page->status == PAGE_LOST;
    if (lost)
        heal_reset(ch, page);
    lineage_move(&ch->lineage, &ch->at, page->epoch, lost ? page->from : ch->at.seq,
                 page->forks);
    ch->at.seq = page_walk(page, ch->at.seq, &page_events, ch);
    if (ch->at.seq >= page->last)
        channel_check_live(ch);
    else
        heal_queue(ch);
}

static void on_page(void *arg, const struct reply *reply, enum outcome outcome) {
    struct channel *ch = arg;
    struct hub *h = ch->hub;
    (void)outcome;
    h->reads--;
    ch->reading = false;
    bool retry = reply == NULL || ch->stale;
    if (ch->state == CHANNEL_HEALING && !retry) {
        struct page page;
        page_read(&page, reply);
        heal_page(ch, &page);
    } else if (ch->state == CHANNEL_HEALING && list_empty(&ch->heal_link)) {
        list_push(&h->heals, &ch->heal_link); /* the next pump takes it */
    }
    channel_unref(ch);
    heal_pump(h);
}

static bool heal_read(struct channel *ch) {
    struct hub *h = ch->hub;
    struct slice name = channel_name(ch);
    struct page_args args;
    page_args(&args, &ch->at, SLICE(PAGE_ENTRIES), slice_of(h->page_bytes), &ch->at,
              ch->lineage);
    ch->doubtful = false; /* this read covers every doorbell that rang before it */
    if (!redis_script(ch->redis, SCRIPT_read, &name, 1, args.all, args.count, on_page, ch))
        return false;
    ch->reading = true;
    ch->stale = false;
    channel_ref(ch);
    metric_add(h->metrics, METRIC_HEALS, 1);
    h->reads++;
    return true;
}

void heal_pump(struct hub *h) {
    while (h->reads < HEALS_AT_ONCE && !list_empty(&h->heals)) {
        struct channel *ch = container_of(h->heals.next, struct channel, heal_link);
        if (!heal_read(ch))
            return;
        list_remove(&ch->heal_link);
    }
}

static bool replay_one(void *arg, struct message *m) {
    struct channel *ch = arg;
    ch->at.seq = m->seq;
    channel_deliver_timed(ch, m, AUDIENCE_LIVE, nobody);
    return true;
}

void channel_check_live(struct channel *ch) {
    struct hub *h = ch->hub;
    tail_replay(ch->tail, slice_of(ch->at.epoch), ch->at.seq, replay_one, ch);
    /* A frame that the position does not explain may have come after the log was read, so the
     * log is read once more. If the log still lacks it then, the frame is dropped. */
    unsigned unexplained = tail_unexplained(ch->tail, &ch->at);
    metric_add(h->metrics, METRIC_DROPPED + DROP_UNCONFIRMED, unexplained);
    if (unexplained > 0 || list_empty(&ch->reads))
        tail_forget(&ch->tail);
    if (ch->doubtful || unexplained > 0) {
        heal_queue(ch);
        return;
    }
    channel_state_set(ch, CHANNEL_LIVE);
    h->events->on_healed(h->owner, ch);
    if (!list_empty(&ch->waiters))
        channel_waiters(ch, true);
    h->on_level(ch);
}
