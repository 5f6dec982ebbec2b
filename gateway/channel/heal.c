#include "gateway/channel/heal.h"

#include <stdlib.h>

#include "common/log.h"
#include "gateway/channel/page.h"
#include "gateway/channel/tail.h"

/* What may be under way at a time, in reads: of one Redis, or of each partition of a Cluster,
 * some of which have the same master. */
#define HEALING_MOST       64
#define HEALING_MOST_APART 16
#define COMPARED_AT_ONCE   128 /* channels of one question, which takes Redis */
#define COMPARISON_COST    8   /* as long as so many reads */
#define PAGE_ENTRIES       "100"

static const struct slice nobody = {NULL, 0};

/* The next pump takes it. */
static void put_in_queue(struct channel *ch) {
    if (list_empty(&ch->heal_link))
        list_push(&hub_part_of(ch)->heals, &ch->heal_link);
}

void heal_queue(struct channel *ch) {
    if (ch->reading)
        return;
    put_in_queue(ch);
    heal_pump(ch->hub, ch->redis);
}

void channel_heal(struct channel *ch) {
    if (ch->state == CHANNEL_SUBSCRIBING)
        return; /* the confirmation starts it */
    ch->compare = false;
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

/* --- asking ---------------------------------------------------------------------------------
 */

/* This question covers every doorbell that rang before it. */
static void asked(struct channel *ch) {
    ch->reading = true;
    ch->doubtful = ch->stale = false;
    list_remove(&ch->heal_link);
    channel_ref(ch);
}

/* Returns whether the answer tells how the log is. If not, the next pump takes the channel. */
static bool answered(struct channel *ch, const struct reply *reply) {
    ch->reading = false;
    if (ch->state != CHANNEL_HEALING)
        return false;
    if (reply != NULL && !ch->stale)
        return true;
    put_in_queue(ch);
    return false;
}

static void on_page(void *arg, const struct reply *reply, enum outcome outcome) {
    struct channel *ch = arg;
    struct hub *h = ch->hub;
    struct partition *p = ch->redis;
    (void)outcome;
    hub_part_of(ch)->healing--;
    if (answered(ch, reply)) {
        struct page page;
        page_read(&page, reply);
        heal_page(ch, &page);
    }
    channel_unref(ch);
    heal_pump(h, p);
}

static bool heal_read(struct channel *ch) {
    struct hub *h = ch->hub;
    struct slice name = channel_name(ch);
    struct page_args args;
    page_args(&args, &ch->at, SLICE(PAGE_ENTRIES), slice_of(h->page_bytes), &ch->at,
              ch->lineage);
    if (!redis_script(ch->redis, SCRIPT_read, &name, 1, args.all, args.count, on_page, ch))
        return false;
    asked(ch);
    metric_add(h->metrics, METRIC_HEALS, 1);
    hub_part_of(ch)->healing++;
    return true;
}

/* After a failover all channels heal, and most have missed nothing. One script tells which of
 * many have. */
struct comparison {
    struct hub *hub;
    struct partition *redis;
    unsigned count;
    struct channel *channels[COMPARED_AT_ONCE]; /* references */
};

static void on_compared(void *arg, const struct reply *reply, enum outcome outcome) {
    struct comparison *c = arg;
    struct hub *h = c->hub;
    struct partition *p = c->redis;
    size_t item = 1; /* of the reply: the next channel whose log has gone on */
    (void)outcome;
    h->parts[p->index].healing -= COMPARISON_COST;
    for (unsigned i = 0; i < c->count; i++) {
        struct channel *ch = c->channels[i];
        bool level = reply_number(reply_item(reply, item)) != i + 1;
        item += !level;
        ch->compare = ch->compare && level;
        if (answered(ch, reply)) {
            if (level)
                channel_check_live(ch);
            else
                heal_queue(ch);
        }
        channel_unref(ch);
    }
    free(c);
    heal_pump(h, p);
}

static struct channel *next_of(const struct list *at) {
    return container_of(at->next, struct channel, heal_link);
}

/* Are there at least two at the head of the queue that can be compared? */
static bool several(const struct list *heals) {
    const struct list *second = heals->next->next;
    return second != heals && next_of(heals)->compare && next_of(heals->next)->compare;
}

/* Asks for those at the head of the queue. */
static bool heal_compare(struct hub *h, struct partition *p) {
    struct hub_part *part = &h->parts[p->index];
    struct slice names[COMPARED_AT_ONCE], args[2 * COMPARED_AT_ONCE];
    char digits[COMPARED_AT_ONCE][DIGITS_SIZE];
    struct comparison *c = malloc(sizeof *c);
    size_t n = 0;
    if (c == NULL)
        return false;
    *c = (struct comparison){.hub = h, .redis = p};
    const struct list *at = &part->heals;
    do {
        struct channel *ch = next_of(at);
        names[n] = channel_name(ch);
        args[2 * n] = slice_of(ch->at.epoch);
        args[2 * n + 1] = slice_digits(ch->at.seq, digits[n]);
        c->channels[n++] = ch;
        at = at->next;
    } while (at->next != &part->heals && next_of(at)->compare && n < COMPARED_AT_ONCE);
    if (!redis_script(p, SCRIPT_level, names, n, args, 2 * n, on_compared, c)) {
        free(c);
        return false;
    }
    for (c->count = 0; c->count < n; c->count++)
        asked(c->channels[c->count]);
    part->healing += COMPARISON_COST;
    return true;
}

void heal_pump(struct hub *h, struct partition *p) {
    struct hub_part *part = &h->parts[p->index];
    unsigned most = h->redis->count > 1 ? HEALING_MOST_APART : HEALING_MOST;
    while (!list_empty(&part->heals)) {
        bool compare = several(&part->heals);
        if (part->healing + (compare ? COMPARISON_COST : 1) > most)
            return;
        if (!(compare ? heal_compare(h, p) : heal_read(next_of(&part->heals))))
            return;
    }
}

/* --- level with the log ---------------------------------------------------------------------
 */

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
