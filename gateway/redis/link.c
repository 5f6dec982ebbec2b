/* One state machine, from the name of a host to the last answer: in one file, though it is
 * long. */
#include "gateway/redis/link.h"

#include <stdio.h>

#include "common/list.h"
#include "common/log.h"
#include "gateway/redis/errors.h"
#include "gateway/redis/found.h"

#define BACKOFF_MOST_MS 2000 /* unless the owner sets less */
#define SETTLED_MS      1000 /* ms after which a link that falls counts as having worked */
#define LOADING_MS      100  /* ms between two questions whether Redis has loaded its data */

static void on_timeout(uv_timer_t *timer);

static void patience_begin(struct link *l) {
    uv_timer_start(&l->timer, on_timeout, l->timeout_ms, 0);
}

static void state_set(struct link *l, enum link_state to) {
    link_state_set(&l->state, to, l->name);
}

/* --- commands -------------------------------------------------------------------------------
 */

bool link_send(struct link *l, int script, unsigned argc, struct slice head, struct slice tail,
               redis_done done, void *arg) {
    if (l->state != LINK_READY)
        return false;
    if (l->subscriber) /* SUBSCRIBE and UNSUBSCRIBE are answered by pushes, not by replies. */
        return pipeline_put(&l->pipeline, head, tail);
    return pipeline_send(&l->pipeline, script, argc, head, tail, done, arg);
}

void link_proved(struct link *l) {
    l->proved = l->proved || l->state == LINK_READY;
}

static void error_keep(struct link *l, struct slice text) {
    snprintf(l->error, sizeof l->error, "%.*s", (int)(text.len < 200 ? text.len : 200),
             text.ptr);
}

/* Redis answers, but refuses the link. Its last error is told as well. */
static void link_refused(struct link *l, const char *what) {
    l->refused = true;
    link_reset(l, log_text("%s%s%s", what, l->error[0] != '\0' ? ": " : "", l->error));
}

/* Redis has forgotten a script (SCRIPT FLUSH, a failover): the script is sent again, whole. */
static bool command_again(struct link *l, struct command *c) {
    struct buf head;
    buf_init(&head);
    l->events->put_eval(l, &head, c->script, c->argc);
    bool sent = !head.failed && pipeline_send(&l->pipeline, c->script, c->argc,
                                              buf_bytes(&head), c->tail, c->done, c->arg);
    if (sent)
        l->pipeline.last->whole = true;
    buf_deinit(&head);
    return sent;
}

static void command_answer(struct link *l, struct command *c, const struct reply *reply) {
    if (reply->type != REPLY_ERROR) {
        link_proved(l);
        if (c->script >= 0 && !l->distrusted && found_wants(reply))
            l->events->on_found(l, c, reply);
        else if (c->done != NULL)
            c->done(c->arg, l->distrusted ? NULL : reply,
                    l->distrusted ? OUTCOME_UNKNOWN : OUTCOME_NONE);
        return;
    }
    if (c->whole && l->events->on_unread != NULL && redis_error_unread(reply->text))
        l->events->on_unread(l, c->script);
    bool unknown = c->script >= 0 && !c->whole && slice_starts(reply->text, SLICE("NOSCRIPT"));
    if (unknown && command_again(l, c))
        return;
    if (c->script >= 0 && l->events->on_moving != NULL && redis_error_waits(reply->text) &&
        l->events->on_moving(l, c, reply->text))
        return;
    enum outcome outcome = redis_error_outcome(reply->text);
    error_keep(l, reply->text);
    l->events->on_error(l, reply->text);
    if (c->done != NULL)
        c->done(c->arg, NULL, outcome);
}

/* --- reading --------------------------------------------------------------------------------
 */

static void on_reply(struct reading *r, const struct reply *reply) {
    struct link *l = container_of(r, struct link, reading);
    bool told = reply->type == REPLY_ARRAY || slice_is(reply_text(reply), "PONG");
    if (told && l->subscriber && l->state == LINK_READY) {
        l->events->on_push(l, reply);
        return;
    }
    if (l->pipeline.first == NULL) {
        if (reply->type != REPLY_ERROR) {
            link_reset(l, "a reply that nothing asked for");
            return;
        }
        error_keep(l, reply->text);
        l->events->on_error(l, reply->text);
        if (redis_error_moves(reply->text))
            return; /* SSUBSCRIBE, for a slot that is elsewhere: the owner subscribes there */
        link_refused(l, l->subscriber ? "Redis refuses to subscribe" : "Redis sends an error");
        return;
    }
    struct command *c = pipeline_pop(&l->pipeline);
    if (l->state == LINK_GREETING)
        patience_begin(l); /* Redis answers, if slowly: a new attempt would gain nothing */
    if (l->metrics != NULL && l->state == LINK_READY)
        metric_observe(l->metrics, HISTOGRAM_REDIS_ROUND_TRIP,
                       (l->reading.read_at - c->sent_at) / 1000);
    command_answer(l, c, reply);
    free(c);
}

static void on_broken(struct reading *r, const char *why) {
    link_reset(container_of(r, struct link, reading), why);
}

/* --- writing --------------------------------------------------------------------------------
 */

static void on_written(uv_write_t *write, int status) {
    struct link *l = write->data;
    l->write_busy = false;
    pipeline_written(&l->pipeline);
    records_written(&l->records);
    if (status < 0 && status != UV_ECANCELED)
        link_reset(l, uv_strerror(status));
}

void link_flush(struct link *l) {
    uv_buf_t bytes;
    if (l->write_busy || !l->reading.on)
        return;
    int status = records_take(&l->records, &l->pipeline, &bytes);
    if (status == 0 && bytes.len > 0)
        status = uv_write(&l->write, &l->handle.stream, &bytes, 1, on_written);
    l->write_busy = status == 0 && bytes.len > 0;
    if (status < 0)
        link_reset(l, uv_strerror(status));
}

/* --- greeting -------------------------------------------------------------------------------
 */

static bool greeting_sends(void *owner, struct slice command, redis_done answered, void *arg) {
    struct link *l = owner;
    struct slice none = {NULL, 0};
    return pipeline_send(&l->pipeline, -1, 0, command, none, answered, arg);
}

static void on_loading_timer(uv_timer_t *timer) {
    struct link *l = timer->data;
    patience_begin(l);
    greeting_ping(&l->greeting, greeting_sends);
}

/* Asks again on the same link, which can be used as soon as the data is loaded. */
static void await_data(struct link *l) {
    static const char why[] = "Redis loads its data";
    if (strcmp(l->why_text, why) != 0)
        LOG(LOG_WARN, "redis_loading", "link", l->name, NULL);
    snprintf(l->why_text, sizeof l->why_text, "%s", why);
    uv_timer_start(&l->timer, on_loading_timer, LOADING_MS, 0);
}

static void on_greeted(void *owner, const char *why) {
    struct link *l = owner;
    if (why != NULL && strncmp(l->error, "LOADING", 7) == 0) {
        await_data(l);
        return;
    }
    if (why != NULL && l->greeting.refused) {
        link_refused(l, why);
        return;
    }
    if (why != NULL) {
        link_reset(l, why);
        return;
    }
    uv_timer_stop(&l->timer);
    l->attempts = 0;
    l->ready_at = uv_now(l->loop);
    l->proved = l->distrusted = false;
    l->why_text[0] = '\0';
    resolver_forget(&l->resolver);
    state_set(l, LINK_READY);
    l->events->on_ready(l);
}

static void greet(struct link *l) {
    state_set(l, LINK_GREETING);
    greeting_begin(&l->greeting, l->address, l->name, greeting_sends);
}

/* Until the link is ready it is a refusal, like a wrong password: to ask again at once would
 * change nothing. (With TLS 1.3 Redis refuses a client's certificate after the handshake.) */
static void tls_failed(struct link *l, const char *why) {
    l->refused = l->state != LINK_READY;
    link_reset(l, log_text("TLS: %s", why));
}

static void secure(struct link *l) {
    state_set(l, LINK_SECURING);
    const char *wrong = records_begin(&l->records, l->tls_context, l->address->host);
    if (wrong != NULL)
        tls_failed(l, wrong);
    l->reading.tls = &l->records.tls;
}

static void on_records(struct reading *r) {
    struct link *l = container_of(r, struct link, reading);
    if (r->tls->failed)
        tls_failed(l, tls_why(r->tls));
    else if (r->tls->ended)
        link_reset(l, "Redis closed the connection");
    else if (l->state == LINK_SECURING && tls_is_open(r->tls)) {
        patience_begin(l);
        greet(l);
    }
}

/* --- connecting -----------------------------------------------------------------------------
 */

static void tell_closed(struct link *l) {
    if (l->handles == 0 && l->on_closed != NULL)
        l->on_closed(l);
}

static void on_timeout(uv_timer_t *timer) {
    struct link *l = timer->data;
    link_reset(l, l->state == LINK_SECURING ? "TLS: no answer to its handshake" : "timed out");
}

static void on_connect(uv_connect_t *connect, int status) {
    struct link *l = connect->data;
    if (l->state != LINK_CONNECTING)
        return;
    l->error[0] = '\0';
    if (status < 0)
        link_reset(l, uv_strerror(status));
    else if (!reading_begin(&l->reading, &l->handle.stream))
        link_reset(l, "out of memory");
    else if (l->address->tls)
        secure(l);
    else
        greet(l);
}

static void connect_tcp(struct link *l, const struct sockaddr *to) {
    state_set(l, LINK_CONNECTING);
    patience_begin(l);
    uv_tcp_nodelay(&l->handle.tcp, 1);
    int status = uv_tcp_connect(&l->connecting, &l->handle.tcp, to, on_connect);
    if (status < 0)
        link_reset(l, uv_strerror(status));
}

static void connect_pipe(struct link *l) {
    state_set(l, LINK_CONNECTING);
    patience_begin(l);
    uv_pipe_connect(&l->connecting, &l->handle.pipe, l->address->host, on_connect);
}

/* A question from before a reset may be under way: its answer is used. */
static void resolve(struct link *l) {
    bool busy = l->resolver.busy;
    int status = resolver_ask(&l->resolver, l->loop, l->address->host, l->address->port);
    if (status < 0)
        link_reset(l, uv_strerror(status));
    else if (!busy)
        l->handles++;
}

static void on_resolved(struct resolver *r, int status) {
    struct link *l = container_of(r, struct link, resolver);
    l->handles--;
    if (l->state == LINK_RESOLVING && status == UV_EAGAIN)
        resolve(l); /* the link was sent to another name meanwhile */
    else if (l->state == LINK_RESOLVING && status == 0 && resolver_has_next(r))
        connect_tcp(l, resolver_next(r));
    else if (l->state == LINK_RESOLVING)
        link_reset(l, status == 0 ? "the name has no address" : uv_strerror(status));
    if (l->closing) {
        resolver_forget(r);
        tell_closed(l);
    }
}

static void on_wait_over(uv_timer_t *timer);

static void connect_start(struct link *l) {
    struct sockaddr_storage to;
    const struct redis_address *a = l->address;
    l->moved = false;
    l->pause_ms = 0;
    int status = a->path ? uv_pipe_init(l->loop, &l->handle.pipe, 0)
                         : uv_tcp_init(l->loop, &l->handle.tcp);
    if (status < 0) {
        LOG(LOG_ERROR, "redis_no_handle", "why", uv_strerror(status), NULL);
        state_set(l, LINK_WAITING);
        uv_timer_start(&l->timer, on_wait_over, l->backoff_ms, 0);
        return;
    }
    l->handles++;
    if (a->path) {
        connect_pipe(l);
    } else if (resolver_has_next(&l->resolver)) {
        connect_tcp(l, resolver_next(&l->resolver));
    } else if (uv_ip4_addr(a->host, a->port, (struct sockaddr_in *)&to) == 0 ||
               uv_ip6_addr(a->host, a->port, (struct sockaddr_in6 *)&to) == 0) {
        connect_tcp(l, (const struct sockaddr *)&to);
    } else {
        state_set(l, LINK_RESOLVING);
        resolve(l);
    }
}

static void on_wait_over(uv_timer_t *timer) {
    struct link *l = timer->data;
    if (l->state == LINK_WAITING || l->state == LINK_CLOSED)
        connect_start(l);
}

/* --- falling --------------------------------------------------------------------------------
 */

/* The next address of a name is tried without a wait, and so is another master. */
static uint64_t wait_ms(struct link *l) {
    if (resolver_has_next(&l->resolver) || l->moved)
        return 0;
    if (l->pause_ms != 0)
        return l->pause_ms;
    return backoff_after(&l->backoff, l->setback, uv_now(l->loop), l->backoff_ms);
}

static void on_stream_closed(uv_handle_t *handle) {
    struct link *l = container_of((void *)handle, struct link, handle);
    l->handles--;
    pipeline_forget(&l->pipeline);
    reading_forget(&l->reading);
    records_forget(&l->records);
    l->reading.tls = NULL;
    if (l->closing) {
        state_set(l, LINK_CLOSED);
        tell_closed(l);
        return;
    }
    l->attempts++;
    state_set(l, LINK_WAITING);
    uv_timer_start(&l->timer, on_wait_over, wait_ms(l), 0);
}

/* A Redis that accepts the link and drops it at once counts as one that refuses it. */
static enum setback setback_of(const struct link *l) {
    bool stood = l->state == LINK_READY;
    bool settled = stood && l->proved && uv_now(l->loop) - l->ready_at >= SETTLED_MS;
    return settled ? SETBACK_FELL : stood || l->refused ? SETBACK_REFUSED : SETBACK_AWAY;
}

void link_reset(struct link *l, const char *why) {
    if (l->state == LINK_FALLING || l->state == LINK_WAITING || l->state == LINK_CLOSED)
        return;
    snprintf(l->why_text, sizeof l->why_text, "%s", why);
    uv_timer_stop(&l->timer);
    reading_end(&l->reading);
    if (l->closing)
        resolver_cancel(&l->resolver);
    l->setback = setback_of(l);
    greeting_end(&l->greeting);
    state_set(l, LINK_FALLING);
    uv_close((uv_handle_t *)&l->handle, on_stream_closed);
    pipeline_fail(&l->pipeline);
    l->events->on_down(l, l->why_text);
    l->refused = false;
}

/* --- public ---------------------------------------------------------------------------------
 */

void link_init(struct link *l, uv_loop_t *loop, const struct redis_address *address,
               const struct link_events *events, void *owner, const char *name, bool subscriber,
               uint64_t timeout_ms) {
    *l = (struct link){.loop = loop, .address = address, .events = events, .owner = owner};
    l->name = name;
    l->subscriber = subscriber;
    l->timeout_ms = timeout_ms;
    l->backoff_ms = BACKOFF_MOST_MS;
    l->reading.on_reply = on_reply;
    l->reading.on_broken = on_broken;
    l->reading.on_records = on_records;
    reading_init(&l->reading, loop);
    l->greeting.done = on_greeted;
    l->greeting.owner = l;
    l->timer.data = l->reading.idle.data = l->connecting.data = l->write.data = l;
    resolver_init(&l->resolver, on_resolved);
    uv_timer_init(loop, &l->timer);
    l->handles = 2;
}

void link_open(struct link *l) {
    uv_timer_start(&l->timer, on_wait_over, 0, 0);
}

/* Falls if it is connected, and begins again after so long. */
static void begin_again(struct link *l, uint64_t ms, const char *why) {
    l->pause_ms = ms;
    link_reset(l, why);
    if (l->state == LINK_WAITING || l->state == LINK_CLOSED)
        uv_timer_start(&l->timer, on_wait_over, ms, 0);
}

void link_go(struct link *l, const char *why) {
    if (l->closing)
        return;
    l->moved = true;
    l->backoff = (struct backoff){.since = 0};
    resolver_forget(&l->resolver);
    begin_again(l, 0, why);
}

void link_pause(struct link *l, uint64_t ms, const char *why) {
    if (!l->closing)
        begin_again(l, ms, why);
}

const char *link_trouble(const struct link *l) {
    if (l->state == LINK_READY)
        return NULL;
    if (l->state == LINK_RESOLVING || (l->resolver.busy && !l->resolver.stale))
        return "the name of Redis is being looked up";
    return l->why_text[0] != '\0' ? l->why_text : "not connected yet";
}

static void on_helper_closed(uv_handle_t *handle) {
    struct link *l = handle->data;
    l->handles--;
    tell_closed(l);
}

void link_close(struct link *l, void (*on_closed)(struct link *l)) {
    l->closing = true;
    l->on_closed = on_closed;
    link_reset(l, "closing");
    if (!l->resolver.busy)
        resolver_forget(&l->resolver);
    if (l->state != LINK_FALLING)
        reading_forget(&l->reading);
    uv_close((uv_handle_t *)&l->timer, on_helper_closed);
    uv_close((uv_handle_t *)&l->reading.idle, on_helper_closed);
}
