#include "gateway/redis/sentinel.h"

#include <stdio.h>

#include "common/list.h"
#include "common/log.h"

#define NO_NEWS_MS 1000 /* between two questions while the news are not heard */

/* --- questions ------------------------------------------------------------------------------
 */

static bool send_question(struct sentinel *s, const char *what, bool of_master,
                          redis_done answered) {
    struct buf b;
    struct slice none = {NULL, 0};
    buf_init(&b);
    buf_printf(&b, "*%d\r\n$8\r\nSENTINEL\r\n", of_master ? 3 : 2);
    resp_bulk(&b, slice_of(what));
    if (of_master)
        resp_bulk(&b, slice_of(s->master_name));
    bool sent = !b.failed && link_send(&s->questions, -1, 0, buf_bytes(&b), none, answered, s);
    buf_deinit(&b);
    return sent;
}

static void on_id(void *arg, const struct reply *reply, enum outcome outcome) {
    struct sentinel *s = arg;
    (void)outcome;
    if (reply != NULL)
        sentinel_read_id(reply, s->id);
    s->id_told = reply != NULL;
}

static void on_master(void *arg, const struct reply *reply, enum outcome outcome) {
    struct sentinel *s = arg;
    (void)outcome;
    s->epoch_told = sentinel_read_master(reply, &s->epoch_read, &s->down_read);
    sentinel_read_replicas(reply, &s->replicas);
}

static void on_peers(void *arg, const struct reply *reply, enum outcome outcome) {
    struct sentinel *s = arg;
    (void)outcome;
    s->peer_count = sentinel_read_peers(reply, s->peers, SENTINELS_MOST);
}

/* The address is asked for last. So if a failover comes between, a new address has an old
 * epoch, which only delays it, and never an old address a new one. */
static void on_address(void *arg, const struct reply *reply, enum outcome outcome) {
    struct sentinel *s = arg;
    (void)outcome;
    s->asked = false;
    if (s->questions.state != LINK_READY)
        return; /* on_lost follows */
    struct redis_place place;
    bool told = sentinel_read_address(reply, &place);
    s->changed = told && s->known && !redis_place_same(&place, &s->master);
    s->known = told;
    s->fresh = s->tried = true;
    s->lost_told = s->lost_told && !told;
    s->why[0] = '\0';
    if (told) {
        s->master = place;
        s->down = s->down_read;
        if (s->epoch_told)
            s->epoch = s->epoch_read;
    } else if (reply == NULL) {
        snprintf(s->why, sizeof s->why, "it does not answer SENTINEL: %.200s",
                 s->questions.error);
    } else {
        snprintf(s->why, sizeof s->why, "it watches no master \"%s\"", s->master_name);
    }
    s->events->on_answer(s);
    if (s->again && !s->closing)
        sentinel_ask(s);
}

void sentinel_ask(struct sentinel *s) {
    if (s->questions.state != LINK_READY)
        return;
    s->again = s->asked;
    if (s->asked)
        return;
    s->asked = true;
    s->asked_at = uv_now(s->questions.loop);
    s->epoch_told = false;
    bool sent = (s->id_told || send_question(s, "myid", false, on_id)) &&
                send_question(s, "sentinels", true, on_peers) &&
                send_question(s, "master", true, on_master) &&
                send_question(s, "get-master-addr-by-name", true, on_address);
    if (!sent)
        link_reset(&s->questions, "out of memory");
}

/* --- news -----------------------------------------------------------------------------------
 */

/* +selected-slave and +promoted-slave come from the Sentinel that leads a failover, before and
 * after it promotes the replica, which is up to seconds before +switch-master. */
static void subscribe(struct sentinel *s) {
    struct buf b;
    struct slice none = {NULL, 0};
    buf_init(&b);
    buf_str(&b, "*6\r\n$9\r\nSUBSCRIBE\r\n");
    resp_bulk(&b, SLICE("+switch-master"));
    resp_bulk(&b, SLICE("+sentinel"));
    resp_bulk(&b, SLICE("+sdown"));
    resp_bulk(&b, SLICE("+selected-slave"));
    resp_bulk(&b, SLICE("+promoted-slave"));
    if (b.failed || !link_send(&s->news, -1, 0, buf_bytes(&b), none, NULL, NULL))
        link_reset(&s->news, "out of memory");
    buf_deinit(&b);
}

static void on_push(struct link *l, const struct reply *push) {
    struct sentinel *s = l->owner;
    s->heard_at = uv_now(l->loop);
    link_proved(l);
    s->news_told = false;
    if (s->closing || !slice_is(reply_text(reply_item(push, 0)), "message"))
        return;
    struct slice channel = reply_text(reply_item(push, 1));
    struct slice text = reply_text(reply_item(push, 2));
    struct redis_place from, to;
    if (slice_is(channel, "+switch-master")) {
        if (sentinel_read_switch(text, s->master_name, &from, &to))
            s->events->on_switch(s, &from, &to);
    } else if (!sentinel_concerns(text, s->master_name)) {
        return;
    } else if (slice_is(channel, "+selected-slave")) {
        s->events->on_selected(s);
    } else {
        s->events->on_hint(s);
    }
}

/* --- links ----------------------------------------------------------------------------------
 */

static void on_ready(struct link *l) {
    struct sentinel *s = l->owner;
    if (l == &s->news) {
        s->heard_at = uv_now(l->loop);
        subscribe(s);
    }
    /* What was announced before the subscription is in the answer. */
    if (!s->closing)
        sentinel_ask(s);
}

static void on_down(struct link *l, const char *why) {
    struct sentinel *s = l->owner;
    if (l == &s->news) { /* it is asked more often meanwhile */
        if (l->refused && s->fresh && !s->news_told)
            LOG(LOG_WARN, "sentinel_tells_no_news", "addr", s->place, "why", why, NULL);
        s->news_told = s->news_told || (l->refused && s->fresh);
        return;
    }
    s->asked = s->again = s->fresh = false;
    s->tried = true;
    s->id_told = false; /* another one may answer there next time */
    if (s->closing)
        return;
    snprintf(s->why, sizeof s->why, "%s", why);
    LOG(s->lost_told ? LOG_DEBUG : LOG_WARN, "sentinel_lost", "addr", s->place, "why", why,
        NULL);
    s->lost_told = true;
    s->events->on_lost(s);
}

/* What a Sentinel refuses stands in `why`, or the link falls of it. */
static void on_error(struct link *l, struct slice text) {
    struct sentinel *s = l->owner;
    LOG(LOG_DEBUG, "sentinel_error", "addr", s->place, "error",
        log_text("%.*s", (int)(text.len < 250 ? text.len : 250), text.ptr), NULL);
}

static const struct link_events link_handlers = {
    .on_ready = on_ready, .on_down = on_down, .on_push = on_push, .on_error = on_error};

/* --- public ---------------------------------------------------------------------------------
 */

void sentinel_open(struct sentinel *s, uv_loop_t *loop, const struct sentinel_config *config,
                   const struct sentinel_events *events, void *owner) {
    memset(s, 0, sizeof *s);
    s->address = config->address;
    s->address.sentinel = true;
    snprintf(s->place, sizeof s->place, "%s",
             redis_host_text(s->address.host, s->address.port));
    s->master_name = config->master;
    s->events = events;
    s->owner = owner;
    link_init(&s->questions, loop, &s->address, &link_handlers, s, config->name, false,
              config->timeout_ms);
    link_init(&s->news, loop, &s->address, &link_handlers, s, config->name, true,
              config->timeout_ms);
    sentinel_use_tls(s, config->tls_context);
    link_open(&s->questions);
    link_open(&s->news);
}

static void on_link_closed(struct link *l) {
    struct sentinel *s = l->owner;
    if (--s->open_links == 0)
        s->on_closed(s);
}

void sentinel_close(struct sentinel *s, void (*on_closed)(struct sentinel *s)) {
    s->closing = true;
    s->on_closed = on_closed;
    s->open_links = 2;
    link_close(&s->questions, on_link_closed);
    link_close(&s->news, on_link_closed);
}

void sentinel_tick(struct sentinel *s, uint64_t every) {
    uint64_t now = uv_now(s->questions.loop);
    bool hears = s->news.state == LINK_READY && s->news.proved;
    uint64_t patience = s->questions.timeout_ms;
    if (s->asked && now - s->asked_at > patience)
        link_reset(&s->questions, "it does not answer in time");
    else if (!s->asked &&
             now - s->asked_at >= (hears || every < NO_NEWS_MS ? every : NO_NEWS_MS))
        sentinel_ask(s);
    if (s->news.state != LINK_READY)
        return;
    if (now - s->heard_at > every + patience)
        link_reset(&s->news, "it does not answer in time");
    else if (now - s->heard_at >= every)
        link_send(&s->news, -1, 0, SLICE("*1\r\n$4\r\nPING\r\n"), SLICE(""), NULL, NULL);
}

void sentinel_use_tls(struct sentinel *s, SSL_CTX *context) {
    s->questions.tls_context = s->news.tls_context = context;
}

void sentinel_flush(struct sentinel *s) {
    link_flush(&s->questions);
    link_flush(&s->news);
}
