#include "gateway/tap/feed.h"

#include <stdlib.h>

#include "common/json.h"
#include "common/log.h"

#define POLL_MS      250  /* how often the tap is read */
#define RENEW_MS     2000 /* how often the lease is asked for, or renewed if nothing is read */
#define PAGE         SLICE("500")
#define PAGE_BYTES   SLICE("1048576")
#define QUEUE_MOST   20000
#define QUEUE_BYTES  8388608
#define BATCH_BYTES  1048576
#define RETRY_MS     1000
#define RETRY_MOST   300000
#define GIVE_UP_MS   86400000
#define FIRST_ENTRY  9 /* in the answer of tap_read.lua */
#define ENTRY_FIELDS 7

static uint64_t loop_time(const struct feed *f) {
    return uv_now(f->all->hooks->https.loop);
}

static void forget(struct feed *f) {
    hook_cancel(&f->call);
    list_init(&f->batch); /* they are in queue.all, too */
    tap_queue_clear(&f->queue);
    f->retry_at = 0;
    f->tries = 0;
    f->lost = 0;
    f->mine = f->more = false;
    f->stale = f->asked;
    f->at[0] = '\0';
}

static void free_if_over(struct feed *f) {
    if (!f->over || f->asked)
        return;
    forget(f);
    free(f);
}

/* --- what was read --------------------------------------------------------------------------
 */

static void set_text(char out[TAP_PLACE_SIZE], struct slice text) {
    snprintf(out, TAP_PLACE_SIZE, "%.*s", (int)text.len, text.ptr);
}

/* The n of a place. */
static uint64_t place_n(const char *place) {
    const char *blank = strchr(place, ' ');
    return blank != NULL ? strtoull(blank + 1, NULL, 10) : 0;
}

/* <p>.<term>.<entry> */
static void put_id(struct buf *out, const struct feed *f, struct slice term,
                   struct slice entry) {
    buf_printf(out, "%u.%.*s.%.*s", f->redis->index, (int)term.len, term.ptr, (int)entry.len,
               entry.ptr);
}

static void put_event(struct buf *out, const struct feed *f, const struct slice *field) {
    struct slice data = field[6];
    buf_str(out, "{\"id\":\"");
    put_id(out, f, field[2], field[0]);
    buf_printf(out, "\",\"type\":\"%.*s\",\"time\":%llu", (int)field[3].len, field[3].ptr,
               strtoull(field[0].ptr, NULL, 10));
    if (field[4].len > 0) {
        buf_str(out, ",\"user\":");
        json_escape_any(out, field[4]);
    }
    if (field[5].len > 0) {
        buf_str(out, ",\"channel\":");
        json_escape_any(out, field[5]);
    }
    if (data.len > 2 && data.ptr[0] == '{') {
        buf_char(out, ',');
        buf_slice(out, (struct slice){data.ptr + 1, data.len - 1});
    } else {
        buf_char(out, '}');
    }
}

static struct slice keep(char **at, struct slice s) {
    struct slice copy = {*at, s.len};
    memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return copy;
}

/* Users do not block channels of the same name: a user's key has a blank. */
static struct tap_event *make_event(const struct feed *f, const struct slice *field,
                                    struct slice before) {
    struct buf json;
    buf_init(&json);
    put_event(&json, f, field);
    size_t size = json.len + before.len + field[4].len + 1 + field[5].len;
    struct tap_event *e = json.failed ? NULL : malloc(sizeof *e + size);
    if (e != NULL) {
        memset(e, 0, sizeof *e);
        char *at = e->text;
        e->json = keep(&at, buf_bytes(&json));
        e->place = keep(&at, before);
        e->channel = keep(&at, field[5]);
        if (field[4].len > 0) {
            *at++ = ' ';
            e->user = keep(&at, field[4]);
            e->user = (struct slice){e->user.ptr - 1, e->user.len + 1};
        }
        e->offline = slice_is(field[3], "user_offline");
        e->online = slice_is(field[3], "user_online");
        e->ms = strtoull(field[0].ptr, NULL, 10);
        e->came = loop_time(f);
    }
    buf_deinit(&json);
    return e;
}

/* False: there is no memory. */
static bool take_entries(struct feed *f, const struct reply *reply) {
    char before[TAP_PLACE_SIZE];
    snprintf(before, sizeof before, "%s", f->at);
    for (size_t i = FIRST_ENTRY; i + ENTRY_FIELDS <= reply->count; i += ENTRY_FIELDS) {
        struct slice field[ENTRY_FIELDS];
        for (size_t k = 0; k < ENTRY_FIELDS; k++)
            field[k] = reply_text(reply->items[i + k]);
        struct tap_event *e = make_event(f, field, slice_of(before));
        if (e == NULL)
            return false;
        e->n = place_n(before);
        tap_queue_add(&f->queue, e, webhook_types_have(f->types, field[3]));
        snprintf(before, sizeof before, "%.*s %.*s %.*s", (int)field[0].len, field[0].ptr,
                 (int)field[1].len, field[1].ptr, (int)field[2].len, field[2].ptr);
    }
    return true;
}

static void note_gap(struct feed *f, const struct reply *reply) {
    long long lost = reply_number(reply_item(reply, 6));
    struct slice entry = reply_text(reply_item(reply, 7));
    struct slice term = reply_text(reply_item(reply, 8));
    struct slice from = slice_of(f->at), last = slice_cut(&from, ' ');
    struct buf text;
    if (lost <= 0)
        return;
    slice_cut(&from, ' ');
    buf_init(&text);
    if (f->lost == 0) {
        put_id(&text, f, from, last);
        set_text(f->gap_from, buf_bytes(&text));
        buf_clear(&text);
    }
    put_id(&text, f, term, entry);
    set_text(f->gap_to, buf_bytes(&text));
    buf_deinit(&text);
    f->lost += (uint64_t)lost;
    metric_add(f->all->metrics, METRIC_WEBHOOK_LOST, (uint64_t)lost);
    LOG(LOG_WARN, "webhook_gap", "lost", log_text("%lld", lost), "from", f->gap_from, "to",
        f->gap_to, "means", "the tap was cut before the URL had it", NULL);
}

static void take(struct feed *f, const struct reply *reply) {
    uint64_t now = loop_time(f);
    if (f->at[0] == '\0')
        set_text(f->at, reply_text(reply_item(reply, 3)));
    f->mine = f->known = true;
    f->lease_end = f->asked_at + FEED_LEASE_MS;
    f->time_ms = (uint64_t)reply_number(reply_item(reply, 1));
    f->newest_n = (uint64_t)reply_number(reply_item(reply, 2));
    f->more = reply_number(reply_item(reply, 5)) != 0;
    note_gap(f, reply);
    if (!take_entries(f, reply)) {
        forget(f); /* read again from the place that is noted */
        return;
    }
    set_text(f->at, reply_text(reply_item(reply, 4)));
    f->at_n = place_n(f->at);
    f->ask_at = f->more ? now : now + POLL_MS;
}

static void on_read(void *arg, const struct reply *reply, enum outcome outcome) {
    struct feed *f = arg;
    bool stale = f->stale;
    (void)outcome;
    f->asked = f->stale = false;
    f->ask_at = loop_time(f) + (stale ? 0 : RENEW_MS);
    if (f->over)
        free_if_over(f);
    else if (stale)
        return;
    else if (reply != NULL && reply_number(reply_item(reply, 0)) == 0)
        take(f, reply);
    else if (reply != NULL)
        forget(f); /* another node has it */
}

/* --- asking ---------------------------------------------------------------------------------
 */

static bool is_full(const struct feed *f) {
    return f->queue.count >= QUEUE_MOST || f->queue.bytes >= QUEUE_BYTES;
}

/* The place before the first event that has not arrived. */
static struct slice place_to_note(const struct feed *f) {
    const struct tap_event *first = tap_queue_first(&f->queue);
    return first != NULL ? first->place : slice_of(f->at);
}

static void ask(struct feed *f, uint64_t lease_ms, bool reads) {
    char lease[DIGITS_SIZE], types[WEBHOOK_TYPES_SIZE + 16];
    bool offline = webhook_types_have(f->types, SLICE("user_offline"));
    snprintf(types, sizeof types, "%s%s", f->types, offline ? "user_online," : "");
    struct slice args[] = {slice_of(f->hash),
                           slice_of(f->all->node),
                           slice_digits(lease_ms, lease),
                           f->mine ? place_to_note(f) : (struct slice){NULL, 0},
                           f->mine ? slice_of(f->at) : (struct slice){NULL, 0},
                           slice_of(types),
                           reads ? PAGE : SLICE("0"),
                           PAGE_BYTES,
                           f->known ? SLICE("1") : SLICE("0")};
    f->asked_at = loop_time(f);
    f->asked = redis_script(f->redis, SCRIPT_tap_read, NULL, 0, args, 9, on_read, f);
    f->ask_at = f->asked_at + RENEW_MS;
}

/* --- batches --------------------------------------------------------------------------------
 */

static void batch_arrived(struct feed *f) {
    uint64_t count = 0;
    while (!list_empty(&f->batch)) {
        tap_queue_done(&f->queue, container_of(f->batch.next, struct tap_event, link));
        count++;
    }
    metric_add(f->all->metrics, METRIC_WEBHOOK_EVENTS, count);
    f->tries = 0;
    f->lost = 0;
}

static void retry_later(struct feed *f) {
    uint64_t wait = f->tries < 9 ? (uint64_t)RETRY_MS << f->tries : RETRY_MOST;
    f->tries++;
    f->retry_at = loop_time(f) + (wait < RETRY_MOST ? wait : RETRY_MOST);
}

static void on_dead(void *arg, const struct reply *reply, enum outcome outcome) {
    struct feed *f = arg;
    (void)outcome;
    f->asked = f->stale = false;
    if (f->over)
        free_if_over(f);
    else if (reply != NULL && !list_empty(&f->batch))
        batch_arrived(f);
    else if (!list_empty(&f->batch))
        retry_later(f);
}

/* The URL will not have them: puts them where somebody can look at them, and goes on. */
static void bury(struct feed *f, const char *why) {
    struct slice args[2 + FEED_BATCH] = {f->url, slice_of(why)};
    size_t n = 2;
    for (struct list *at = f->batch.next; at != &f->batch; at = at->next)
        args[n++] = container_of(at, struct tap_event, link)->json;
    LOG(LOG_ERROR, "webhook_dead", "events", log_text("%zu", n - 2), "why", why, NULL);
    metric_add(f->all->metrics, METRIC_WEBHOOK_DEAD, n - 2);
    f->asked = redis_script(f->redis, SCRIPT_tap_dead, NULL, 0, args, n, on_dead, f);
    if (!f->asked)
        retry_later(f);
}

static bool is_final(long status) {
    return status / 100 == 4 && status != 408 && status != 425 && status != 429;
}

static void on_sent(struct hook_call *call, enum hook_result result,
                    const struct hook_answer *answer) {
    struct feed *f = container_of(call, struct feed, call);
    const struct tap_event *first = tap_queue_first(&f->queue);
    if (f->all->closing || list_empty(&f->batch))
        return;
    if (result == HOOK_DONE)
        batch_arrived(f);
    else if (is_final(answer->status) && !f->asked)
        bury(f, log_text("%ld", answer->status));
    else if (first != NULL && first->ms + GIVE_UP_MS < f->time_ms && !f->asked)
        bury(f, "24 hours");
    else
        retry_later(f);
}

static void send_batch(struct feed *f) {
    char id[HOOK_ID_SIZE];
    struct buf *body = &f->call.body;
    memcpy(id, f->call.id, sizeof id);
    hook_open(&f->call, HOOK_WEBHOOK, f->tries > 0 ? id : NULL, f->batch_time);
    if (f->lost > 0)
        buf_printf(body, ",\"gap\":{\"from\":\"%s\",\"to\":\"%s\",\"lost\":%llu}", f->gap_from,
                   f->gap_to, (unsigned long long)f->lost);
    buf_str(body, ",\"events\":");
    char before = '[';
    for (struct list *at = f->batch.next; at != &f->batch; at = at->next, before = ',') {
        buf_char(body, before);
        buf_slice(body, container_of(at, struct tap_event, link)->json);
    }
    buf_char(body, ']');
    f->retry_at = 0;
    struct hook_ask ask = {.url = f->url, .user = SLICE("webhook"), .done = on_sent};
    hooks_begin(f->all->hooks, &f->call, &ask);
}

static bool batch_is_due(const struct feed *f, uint64_t now) {
    const struct tap_queue *q = &f->queue;
    if (list_empty(&q->ready))
        return false;
    const struct tap_event *first = container_of(q->ready.next, struct tap_event, link);
    return q->ready_count >= FEED_BATCH || q->ready_bytes >= BATCH_BYTES ||
           now >= first->came + FEED_BATCH_MS;
}

static void make_batch(struct feed *f) {
    struct tap_queue *q = &f->queue;
    uv_timeval64_t now = {.tv_sec = 0};
    size_t count = 0, bytes = 0;
    do {
        struct tap_event *e = tap_queue_take(q);
        list_push(&f->batch, &e->link);
        bytes += e->json.len;
        count++;
    } while (count < FEED_BATCH && !list_empty(&q->ready) &&
             bytes + container_of(q->ready.next, struct tap_event, link)->json.len <=
                 BATCH_BYTES);
    uv_gettimeofday(&now);
    f->batch_time = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_usec / 1000;
    f->tries = 0;
}

/* --- life -----------------------------------------------------------------------------------
 */

void feed_tick(struct feed *f, uint64_t now) {
    bool waits = f->call.state != HOOK_IDLE;
    f->queue.linger = f->all->options->webhook_linger;
    if (f->mine && now >= f->lease_end) {
        forget(f); /* another node may have it */
        return;
    }
    tap_queue_release(&f->queue, now);
    if (f->mine && !waits && !f->asked && list_empty(&f->batch) && batch_is_due(f, now)) {
        make_batch(f);
        send_batch(f);
    } else if (f->mine && !waits && f->retry_at != 0 && now >= f->retry_at) {
        send_batch(f);
    }
    if (!f->asked && now >= f->ask_at)
        ask(f, FEED_LEASE_MS, !is_full(f));
}

void feed_reset(struct feed *f) {
    forget(f);
    f->known = false;
    f->ask_at = 0;
}

struct feed *feed_new(struct feeds *all, struct partition *redis, struct slice url,
                      const char *hash, const char *types) {
    struct feed *f = calloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    f->all = all;
    f->redis = redis;
    f->url = url;
    f->hash = hash;
    snprintf(f->types, sizeof f->types, "%s", types);
    tap_queue_init(&f->queue);
    list_init(&f->batch);
    return f;
}

void feed_end(struct feed *f) {
    hook_cancel(&f->call);
    if (f->mine && !f->asked)
        ask(f, 0, false);
    f->over = true;
    free_if_over(f);
}

uint64_t feed_lag(const struct feed *f, uint64_t *ms) {
    const struct tap_event *first = tap_queue_first(&f->queue);
    uint64_t n = first != NULL ? first->n : f->at_n;
    uint64_t since = first != NULL ? first->ms : strtoull(f->at, NULL, 10);
    *ms = 0;
    if (!f->mine || f->newest_n <= n)
        return 0;
    if (since > 0 && f->time_ms > since)
        *ms = f->time_ms - since;
    return f->newest_n - n;
}
