#include "gateway/redis/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "common/list.h"
#include "common/log.h"
#include "gateway/redis/errors.h"

#define FEED_BYTES      16384      /* more at once makes the reader 2 to 5 times slower */
#define TURN_BUDGET_NS  5000000ULL /* parsing and fan-out in one loop turn */
#define BACKOFF_MOST_MS 2000       /* unless the owner wants less */
#define SETTLED_MS      1000       /* a link that served for so long was no hollow success */
#define LOADING_MS      100        /* between two questions whether Redis has loaded its data */

struct command {
    struct command *next;
    redis_done done;
    void *arg;
    uint64_t sent_at; /* ns */
    int script;
    unsigned argc;
    struct slice tail; /* of a script: kept for NOSCRIPT; bytes follow this struct */
    char bytes[];
};

static void link_fall(struct link *l, const char *why);
static void on_timeout(uv_timer_t *timer);

static void patience_begin(struct link *l) {
    uv_timer_start(&l->timer, on_timeout, l->timeout_ms, 0);
}

static void state_set(struct link *l, enum link_state to) {
    static const char *const names[] = {"closed", "resolving", "connecting", "greeting",
                                        "ready",  "falling",   "waiting"};
    LOG(LOG_DEBUG, "redis_link", "link", l->name, "from", names[l->state], "to", names[to],
        NULL);
    l->state = to;
}

/* --- commands -------------------------------------------------------------------------------
 */

static struct command *command_push(struct link *l, int script, unsigned argc,
                                    struct slice tail, redis_done done, void *arg) {
    size_t kept = script >= 0 ? tail.len : 0;
    struct command *c = malloc(sizeof *c + kept);
    if (c == NULL)
        return NULL;
    *c = (struct command){.done = done, .arg = arg, .script = script, .argc = argc};
    if (kept != 0)
        memcpy(c->bytes, tail.ptr, kept);
    c->tail = (struct slice){c->bytes, kept};
    if (l->last != NULL)
        l->last->next = c;
    else
        l->first = c;
    l->last = c;
    if (l->unsent == NULL)
        l->unsent = c;
    l->in_flight++;
    l->kept += sizeof *c + kept;
    return c;
}

static struct command *command_pop(struct link *l) {
    struct command *c = l->first;
    l->first = c->next;
    if (l->first == NULL)
        l->last = NULL;
    if (l->unsent == c)
        l->unsent = c->next;
    l->in_flight--;
    l->kept -= sizeof *c + c->tail.len;
    return c;
}

static bool send_raw(struct link *l, int script, unsigned argc, struct slice head,
                     struct slice tail, redis_done done, void *arg) {
    if (!buf_reserve(&l->out, head.len + tail.len)) {
        l->out.failed = false; /* what is in it is whole */
        return false;
    }
    if (command_push(l, script, argc, tail, done, arg) == NULL)
        return false;
    buf_slice(&l->out, head);
    buf_slice(&l->out, tail);
    return true;
}

bool link_send(struct link *l, int script, unsigned argc, struct slice head, struct slice tail,
               redis_done done, void *arg) {
    if (l->state != LINK_READY)
        return false;
    if (!l->subscriber)
        return send_raw(l, script, argc, head, tail, done, arg);
    /* SUBSCRIBE and UNSUBSCRIBE are answered by pushes, not by replies. */
    if (!buf_reserve(&l->out, head.len + tail.len)) {
        l->out.failed = false;
        return false;
    }
    buf_slice(&l->out, head);
    buf_slice(&l->out, tail);
    return true;
}

static void commands_fail(struct link *l) {
    struct command *unsent = l->unsent;
    bool sent = true;
    struct command *c = l->first;
    l->first = l->last = l->unsent = NULL;
    l->in_flight = 0;
    l->kept = 0;
    while (c != NULL) {
        struct command *next = c->next;
        if (c == unsent)
            sent = false;
        if (c->done != NULL)
            c->done(c->arg, NULL, sent ? OUTCOME_UNKNOWN : OUTCOME_REFUSED);
        free(c);
        c = next;
    }
}

void link_proved(struct link *l) {
    l->proved = l->proved || l->state == LINK_READY;
}

static void error_keep(struct link *l, struct slice text) {
    snprintf(l->error, sizeof l->error, "%.*s", (int)(text.len < 200 ? text.len : 200),
             text.ptr);
}

/* Redis answers, but does not let us work; its last error is told as well. */
static void link_refused(struct link *l, const char *what) {
    char why[256];
    bool more = l->error[0] != '\0';
    l->refused = true;
    snprintf(why, sizeof why, "%s%s%s", what, more ? ": " : "", l->error);
    link_fall(l, why);
}

/* A script that Redis forgot (SCRIPT FLUSH, a failover): once more, whole. */
static bool command_again(struct link *l, struct command *c) {
    struct buf head;
    buf_init(&head);
    l->events->put_eval(l, &head, c->script, c->argc);
    bool sent = !head.failed && send_raw(l, -1, 0, buf_bytes(&head), c->tail, c->done, c->arg);
    buf_deinit(&head);
    return sent;
}

static void command_answer(struct link *l, struct command *c, const struct reply *reply) {
    if (reply->type != REPLY_ERROR) {
        link_proved(l);
        if (c->done != NULL)
            c->done(c->arg, reply, OUTCOME_NONE);
        return;
    }
    if (c->script >= 0 && slice_starts(reply->text, SLICE("NOSCRIPT")) && command_again(l, c))
        return;
    error_keep(l, reply->text);
    enum outcome outcome = redis_error_outcome(reply->text);
    l->events->on_error(l, reply->text);
    if (c->done != NULL)
        c->done(c->arg, NULL, outcome);
}

/* --- reading --------------------------------------------------------------------------------
 */

static void handle_reply(struct link *l, const struct reply *reply) {
    bool push = l->subscriber && l->state == LINK_READY && reply->type == REPLY_ARRAY;
    if (push) {
        l->events->on_push(l, reply);
        return;
    }
    if (l->first == NULL) {
        if (reply->type != REPLY_ERROR) {
            link_fall(l, "a reply that nothing asked for");
            return;
        }
        error_keep(l, reply->text);
        l->events->on_error(l, reply->text);
        link_refused(l, l->subscriber ? "Redis refuses to subscribe" : "Redis sends an error");
        return;
    }
    struct command *c = command_pop(l);
    if (l->state == LINK_GREETING)
        patience_begin(l); /* it answers, however slowly: nothing is gained by a new attempt */
    if (l->metrics != NULL && l->state == LINK_READY)
        metric_observe(l->metrics, HISTOGRAM_REDIS_ROUND_TRIP,
                       (l->read_at - c->sent_at) / 1000);
    command_answer(l, c, reply);
    free(c);
}

static bool link_reading(const struct link *l) {
    return l->state == LINK_GREETING || l->state == LINK_READY;
}

/* Handles whole replies until none is left (true) or the turn's budget is spent (false). */
static bool drain_replies(struct link *l, uint64_t until) {
    for (unsigned n = 1; link_reading(l); n++) {
        const struct reply *reply;
        int got = reply_reader_next(l->reader, &reply);
        if (got == 0)
            return true;
        if (got < 0) {
            link_fall(l, "not the Redis protocol, or out of memory");
            return true;
        }
        handle_reply(l, reply);
        if (n % 16 == 0 && uv_hrtime() > until)
            return false;
    }
    return true;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    static char shared[65536]; /* one loop, and every read is used up before the next */
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(shared, sizeof shared);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void on_idle(uv_idle_t *idle) {
    struct link *l = idle->data;
    if (!drain_replies(l, uv_hrtime() + TURN_BUDGET_NS))
        return;
    uv_idle_stop(idle);
    if (link_reading(l))
        uv_read_start(&l->handle.stream, on_alloc, on_read);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    struct link *l = stream->data;
    if (n == 0 || !link_reading(l))
        return;
    if (n < 0) {
        link_fall(l, n == UV_EOF ? "Redis closed the connection" : uv_strerror((int)n));
        return;
    }
    l->read_at = uv_hrtime();
    uint64_t until = l->read_at + TURN_BUDGET_NS;
    bool done = true;
    for (size_t at = 0; at < (size_t)n && link_reading(l); at += FEED_BYTES) {
        size_t len = (size_t)n - at < FEED_BYTES ? (size_t)n - at : FEED_BYTES;
        if (!reply_reader_feed(l->reader, buf->base + at, len)) {
            link_fall(l, "out of memory");
            return;
        }
        if (done)
            done = drain_replies(l, until);
    }
    if (!done && link_reading(l)) {
        uv_read_stop(stream);
        uv_idle_start(&l->idle, on_idle);
    }
}

/* --- writing --------------------------------------------------------------------------------
 */

static void on_written(uv_write_t *write, int status) {
    struct link *l = write->data;
    l->write_busy = false;
    buf_clear(&l->writing);
    if (l->writing.cap > (1U << 20))
        buf_deinit(&l->writing);
    if (status < 0 && status != UV_ECANCELED)
        link_fall(l, uv_strerror(status));
}

void link_flush(struct link *l) {
    if (l->out.len == 0 || l->write_busy || !link_reading(l))
        return;
    struct buf swap = l->writing;
    l->writing = l->out;
    l->out = swap;
    for (uint64_t now = uv_hrtime(); l->unsent != NULL; l->unsent = l->unsent->next)
        l->unsent->sent_at = now;
    uv_buf_t bytes = uv_buf_init(l->writing.data, (unsigned)l->writing.len);
    int status = uv_write(&l->write, &l->handle.stream, &bytes, 1, on_written);
    if (status < 0) {
        link_fall(l, uv_strerror(status));
        return;
    }
    l->write_busy = true;
}

/* --- greeting -------------------------------------------------------------------------------
 */

static bool greeting_sends(void *owner, struct slice command, redis_done answered, void *arg) {
    return send_raw(owner, -1, 0, command, (struct slice){NULL, 0}, answered, arg);
}

static void on_loading_timer(uv_timer_t *timer) {
    struct link *l = timer->data;
    patience_begin(l);
    greeting_ping(&l->greeting, greeting_sends);
}

/* It is asked again on the same link: what has loaded serves at once. */
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
        link_fall(l, why);
        return;
    }
    uv_timer_stop(&l->timer);
    l->attempts = 0;
    l->ready_at = uv_now(l->loop);
    l->proved = false;
    l->why_text[0] = '\0';
    resolver_forget(&l->resolver);
    state_set(l, LINK_READY);
    l->events->on_ready(l);
}

static void greet(struct link *l) {
    state_set(l, LINK_GREETING);
    l->error[0] = '\0';
    uv_read_start(&l->handle.stream, on_alloc, on_read);
    greeting_begin(&l->greeting, l->address, l->name, greeting_sends);
}

static void tell_closed(struct link *l) {
    if (l->handles == 0 && l->on_closed != NULL)
        l->on_closed(l);
}

/* --- connecting -----------------------------------------------------------------------------
 */

static void on_timeout(uv_timer_t *timer) {
    link_fall(timer->data, "timed out");
}

static void on_connect(uv_connect_t *connect, int status) {
    struct link *l = connect->data;
    if (l->state != LINK_CONNECTING)
        return;
    if (status < 0)
        link_fall(l, uv_strerror(status));
    else
        greet(l);
}

static void connect_tcp(struct link *l, const struct sockaddr *to) {
    state_set(l, LINK_CONNECTING);
    patience_begin(l);
    uv_tcp_nodelay(&l->handle.tcp, 1);
    int status = uv_tcp_connect(&l->connecting, &l->handle.tcp, to, on_connect);
    if (status < 0)
        link_fall(l, uv_strerror(status));
}

static void connect_pipe(struct link *l) {
    state_set(l, LINK_CONNECTING);
    patience_begin(l);
    uv_pipe_connect(&l->connecting, &l->handle.pipe, l->address->host, on_connect);
}

static void on_resolved(struct resolver *r, int status) {
    struct link *l = container_of(r, struct link, resolver);
    l->handles--;
    if (l->state == LINK_RESOLVING && status == 0 && resolver_has_next(r))
        connect_tcp(l, resolver_next(r));
    else if (l->state == LINK_RESOLVING)
        link_fall(l, status == 0 ? "the name has no address" : uv_strerror(status));
    if (l->closing) {
        resolver_forget(r);
        tell_closed(l);
    }
}

static void resolve(struct link *l) {
    bool busy = l->resolver.busy; /* since before a reset: its answer serves */
    state_set(l, LINK_RESOLVING);
    int status = resolver_ask(&l->resolver, l->loop, l->address->host, l->address->port);
    if (status < 0)
        link_fall(l, uv_strerror(status));
    else if (!busy)
        l->handles++;
}

static void on_wait_over(uv_timer_t *timer);

static void connect_start(struct link *l) {
    struct sockaddr_storage to;
    const struct redis_address *a = l->address;
    int status = a->path ? uv_pipe_init(l->loop, &l->handle.pipe, 0)
                         : uv_tcp_init(l->loop, &l->handle.tcp);
    if (status < 0) {
        LOG(LOG_ERROR, "redis_no_handle", "why", uv_strerror(status), NULL);
        state_set(l, LINK_WAITING);
        uv_timer_start(&l->timer, on_wait_over, l->backoff_ms, 0);
        return;
    }
    l->handle.stream.data = l;
    l->handles++;
    if (a->path) {
        connect_pipe(l);
    } else if (resolver_has_next(&l->resolver)) {
        connect_tcp(l, resolver_next(&l->resolver));
    } else if (uv_ip4_addr(a->host, a->port, (struct sockaddr_in *)&to) == 0 ||
               uv_ip6_addr(a->host, a->port, (struct sockaddr_in6 *)&to) == 0) {
        connect_tcp(l, (const struct sockaddr *)&to);
    } else {
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

/* A name's next address is tried without a wait. */
static uint64_t wait_ms(struct link *l) {
    if (l->reader == NULL)
        return l->backoff_ms;
    if (resolver_has_next(&l->resolver))
        return 0;
    return backoff_after(&l->backoff, l->setback, uv_now(l->loop), l->backoff_ms);
}

static void on_stream_closed(uv_handle_t *handle) {
    struct link *l = handle->data;
    l->handles--;
    buf_deinit(&l->out);
    buf_deinit(&l->writing);
    reply_reader_destroy(l->reader);
    l->reader = NULL;
    if (l->closing) {
        state_set(l, LINK_CLOSED);
        tell_closed(l);
        return;
    }
    l->reader = reply_reader_create();
    l->attempts++;
    state_set(l, LINK_WAITING);
    uv_timer_start(&l->timer, on_wait_over, wait_ms(l), 0);
}

/* Whoever lets us in only to throw us out at once has not let us in. */
static enum setback setback_of(const struct link *l) {
    bool stood = l->state == LINK_READY;
    bool settled = stood && l->proved && uv_now(l->loop) - l->ready_at >= SETTLED_MS;
    return settled ? SETBACK_FELL : stood || l->refused ? SETBACK_REFUSED : SETBACK_AWAY;
}

static void link_fall(struct link *l, const char *why) {
    if (l->state == LINK_FALLING || l->state == LINK_WAITING || l->state == LINK_CLOSED)
        return;
    snprintf(l->why_text, sizeof l->why_text, "%s", why);
    uv_timer_stop(&l->timer);
    uv_idle_stop(&l->idle);
    if (l->closing)
        resolver_cancel(&l->resolver);
    l->setback = setback_of(l);
    greeting_end(&l->greeting);
    state_set(l, LINK_FALLING);
    uv_close((uv_handle_t *)&l->handle, on_stream_closed);
    commands_fail(l);
    l->events->on_down(l, l->why_text);
    l->refused = false;
}

/* --- public ---------------------------------------------------------------------------------
 */

int link_init(struct link *l, uv_loop_t *loop, const struct redis_address *address,
              const struct link_events *events, void *owner, const char *name, bool subscriber,
              uint64_t timeout_ms) {
    memset(l, 0, sizeof *l);
    l->loop = loop;
    l->address = address;
    l->events = events;
    l->owner = owner;
    l->name = name;
    l->subscriber = subscriber;
    l->timeout_ms = timeout_ms;
    l->backoff_ms = BACKOFF_MOST_MS;
    l->reader = reply_reader_create();
    if (l->reader == NULL)
        return UV_ENOMEM;
    l->greeting.done = on_greeted;
    l->greeting.owner = l;
    l->timer.data = l->idle.data = l->connecting.data = l->write.data = l;
    resolver_init(&l->resolver, on_resolved);
    uv_timer_init(loop, &l->timer);
    uv_idle_init(loop, &l->idle);
    l->handles = 2;
    return 0;
}

void link_open(struct link *l) {
    uv_timer_start(&l->timer, on_wait_over, 0, 0);
}

void link_reset(struct link *l, const char *why) {
    link_fall(l, why);
}

const char *link_trouble(const struct link *l) {
    if (l->state == LINK_READY)
        return NULL;
    if (l->state == LINK_RESOLVING || l->resolver.busy)
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
    link_fall(l, "closing");
    if (!l->resolver.busy)
        resolver_forget(&l->resolver);
    if (l->state != LINK_FALLING) {
        reply_reader_destroy(l->reader);
        l->reader = NULL;
    }
    uv_close((uv_handle_t *)&l->timer, on_helper_closed);
    uv_close((uv_handle_t *)&l->idle, on_helper_closed);
}
