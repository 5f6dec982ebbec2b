#include "gateway/core/client.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "gateway/core/request.h"
#include "gateway/core/session.h"

/* Behind one event in flight so many may wait; then the socket is not read. */
#define WAITING_MOST   1024
#define WAITING_LEAST  256
#define LOGIN_AGAIN_MS 1000
#define BEAT_UNIT      1000 /* the rate bucket counts in 1/1000 ms */

#define EVENT_ROW(symbol, name, handler, flags) {name, handler, flags},
static const struct event_row events[EVENT_COUNT] = {EVENT_TABLE(EVENT_ROW)};
#undef EVENT_ROW

const struct event_row *event_find(struct slice name) {
    for (size_t i = 0; i < EVENT_COUNT; i++) {
        if (slice_is(name, events[i].name))
            return &events[i];
    }
    return NULL;
}

/* --- life -----------------------------------------------------------------------------------
 */

void client_open(struct client *c, struct core *core, const struct door *door) {
    subscriber_init(&c->as, &door->as, &core->clients);
    c->core = core;
    c->heard = core_now(core);
    list_init(&c->beats);
    list_init(&c->reenter);
    if (core->options->login_deadline != 0)
        wheel_set(&core->wheel, &c->timer, c->heard + core->options->login_deadline);
}

void client_deinit(struct client *c) {
    free((char *)c->as.user.ptr);
    free(c->profile);
    session_free(c->session);
    c->session = NULL;
    c->as.user = (struct slice){NULL, 0};
    c->profile = NULL;
}

static void drop_waiting(struct client *c) {
    while (c->first != NULL) {
        struct waiting_event *e = c->first;
        c->first = e->next;
        free(e);
    }
    c->core->waiting_bytes -= c->waiting_bytes + c->waiting_count * sizeof *c->first;
    c->last = NULL;
    c->waiting_count = 0;
    c->waiting_bytes = 0;
}

void client_gone(struct client *c) {
    struct core *core = c->core;
    c->as.gone = true;
    c->as.catching = NULL;
    drop_waiting(c);
    while (!list_empty(&c->as.subs))
        sub_drop(container_of(c->as.subs.next, struct sub, in_subscriber));
    if (c->current != NULL && c->current->abandon != NULL)
        c->current->abandon(c->current);
    chunks_free(c->chunks);
    c->chunks = NULL;
    early_free(c);
    list_remove(&c->as.link);
    list_remove(&c->beats);
    wheel_clear(&core->wheel, &c->timer);
    core->clients.count--;
    core->user_count -= c->as.logged_in;
    presence_leave(c);
    client_unref(c);
}

void client_timer(void *arg, struct wheel_timer *t) {
    (void)arg;
    struct client *c = container_of(t, struct client, timer);
    struct core *core = c->core;
    if (c->as.gone || c->as.logged_in)
        presence_timer(c);
    else if (c->current != NULL) /* perhaps it is just logging in */
        wheel_set(&core->wheel, t, core_now(core) + LOGIN_AGAIN_MS);
    else if (!early_timer(c))
        client_close(c, 1013, "login deadline");
}

/* --- events, one after the other ------------------------------------------------------------
 */

static void client_pump(struct client *c);
static void unavailable(struct request *r, enum outcome outcome);

void client_fail(struct client *c, const struct ack *ack, const char *event,
                 const struct failure *failure) {
    metric_error(c->core->metrics, failure->err);
    LOG(LOG_DEBUG, "event_failed", "user",
        c->as.user.len != 0 ? log_text("%.*s", (int)c->as.user.len, c->as.user.ptr) : NULL,
        "name", event, "code", err_code(failure->err), "field", failure->field, NULL);
    if (!c->as.gone)
        client_door(c)->fail(c, ack, event, failure);
}

static bool is_login(const struct event_row *row) {
    return row->handle == on_login || row->handle == on_join;
}

static bool is_logging_in(const struct client *c) {
    const struct waiting_event *e = c->first;
    while (e != NULL && !is_login(e->row))
        e = e->next;
    return e != NULL || (c->current != NULL && is_login(c->current->row));
}

size_t client_message_most(const struct client *c) {
    size_t most = c->core->options->max_message;
    bool known = most <= BEFORE_LOGIN_MOST || c->as.logged_in || is_logging_in(c);
    return known ? most : BEFORE_LOGIN_MOST;
}

void client_bad_frame(struct client *c, enum err err, const struct ack *ack,
                      const char *field) {
    struct failure failure = {.err = err, .field = field};
    client_fail(c, ack, NULL, &failure);
}

/* Does an event belong to the user who speaks? */
static bool names_other(const struct client *c, struct json_value data) {
    static const char *const names[] = {"senderId", "userId"};
    struct json_value values[2];
    json_fields(data, names, values, 2);
    for (int i = 0; i < 2; i++) {
        struct name id;
        if (values[i].type != JSON_NONE && (!name_from_json(values[i], true, &id) ||
                                            !slice_eq(name_slice(&id), client_user(c))))
            return true;
    }
    return false;
}

static const char *other_field(struct json_value data) {
    static const char *const names[] = {"senderId"};
    struct json_value value;
    json_fields(data, names, &value, 1);
    return value.type != JSON_NONE ? "senderId" : "userId";
}

static void request_begin(struct request *r, struct json_value data) {
    struct client *c = r->client;
    unsigned flags = r->row->flags;
    if ((flags & EVENT_ANONYMOUS) == 0 && !c->as.logged_in)
        request_fail(r, ERR_NOT_LOGGED_IN, NULL, NULL);
    else if ((flags & EVENT_ANY_ID) == 0 && c->as.logged_in && names_other(c, data))
        request_fail(r, ERR_FORBIDDEN, other_field(data), "must be the logged-in user");
    else
        r->row->handle(r, data);
}

/* Ends a message that fails for one before it, or over the rate. */
static void refuse(struct request *r, struct json_value data, enum err err) {
    request_keep_id(r, message_id_of(data));
    if (err == ERR_UNAVAILABLE)
        unavailable(r, OUTCOME_REFUSED);
    else
        request_fail(r, err, NULL, NULL);
}

/* A message failed that its sender will send again. */
static void message_failed(struct client *c, uint64_t message, enum err err) {
    c->failing = c->waiting_count;
    order_failed(&c->order, message, err, core_now(c->core));
}

/* limited: it came over the rate. */
static void begin_message(struct request *r, struct json_value data, bool behind_failure,
                          bool limited) {
    struct client *c = r->client;
    enum err err = c->order.err;
    if (behind_failure)
        order_follow(&c->order, data);
    else
        err = order_check(&c->order, data, core_now(c->core));
    if (err == ERR_OK && limited) {
        err = ERR_RATE_LIMITED;
        message_failed(c, order_id(data), err);
    }
    if (err == ERR_OK)
        request_begin(r, data);
    else
        refuse(r, data, err);
}

struct slice message_id_of(struct json_value data) {
    static const char *const names[] = {"clientMessageId"};
    struct json_value id;
    json_fields(data, names, &id, 1);
    bool good = id.type == JSON_STRING || id.type == JSON_NUMBER;
    return good && id.raw.len <= MESSAGE_ID_MOST ? id.raw : (struct slice){NULL, 0};
}

static void dispatch(struct client *c, const struct event_row *row, struct json_value data,
                     const struct ack *ack, bool limited) {
    if (!limited && early_takes(c, row, data, ack))
        return;
    struct request *r = calloc(1, sizeof *r);
    if (r == NULL) {
        struct failure failure = {.err = ERR_INTERNAL, .message = "out of memory"};
        client_fail(c, ack, row->name, &failure);
        return;
    }
    r->client = c;
    r->row = row;
    r->ack = *ack;
    client_ref(c);
    c->current = r;
    bool behind_failure = c->failing > 0;
    if (behind_failure)
        c->failing--;
    if ((row->flags & EVENT_APPENDS) != 0)
        begin_message(r, data, behind_failure, limited);
    else if (limited)
        request_fail(r, ERR_RATE_LIMITED, NULL, NULL);
    else
        request_begin(r, data);
}

void request_restart(struct request *r, const struct event_row *row, struct json_value data) {
    r->row = row;
    request_begin(r, data);
}

static bool over_rate(struct client *c) {
    uint64_t rate = c->core->options->rate_limit;
    if (rate == 0)
        return false;
    uint64_t now = core_now(c->core) * BEAT_UNIT;
    uint64_t cost = 1000ULL * BEAT_UNIT / rate;
    uint64_t second = 1000ULL * BEAT_UNIT;
    if (c->rate_at + second < now)
        c->rate_at = now - second;
    if (c->rate_at + cost > now)
        return true;
    c->rate_at += cost;
    return false;
}

struct waiting_event *waiting_event(const struct event_row *row, struct json_value data,
                                    const struct ack *ack) {
    struct waiting_event *e = malloc(sizeof *e + data.raw.len);
    if (e == NULL)
        return NULL;
    *e = (struct waiting_event){.len = data.raw.len, .ack = *ack, .row = row};
    if (data.raw.len != 0)
        memcpy(e->data, data.raw.ptr, data.raw.len);
    return e;
}

static bool enqueue(struct client *c, const struct event_row *row, struct json_value data,
                    const struct ack *ack, bool limited) {
    struct waiting_event *e = waiting_event(row, data, ack);
    if (e == NULL)
        return false;
    e->limited = limited;
    if (c->last != NULL)
        c->last->next = e;
    else
        c->first = e;
    c->last = e;
    c->waiting_bytes += e->len;
    c->core->waiting_bytes += e->len + sizeof *e;
    c->waiting_count++;
    if (!c->paused && (c->waiting_count >= WAITING_MOST ||
                       c->waiting_bytes > c->core->options->max_message)) {
        c->paused = true;
        client_door(c)->pause(c, true);
    }
    return true;
}

void client_event(struct client *c, struct slice event, struct json_value data,
                  const struct ack *ack) {
    const struct event_row *row = event_find(event);
    struct failure failure = {.err = ERR_OK};
    unsigned which = row != NULL ? (unsigned)(row - events) : EVENT_COUNT;
    metric_add(c->core->metrics, METRIC_EVENTS + which, 1);
    client_ref(c); /* an answer that finds the socket too slow ends the client */
    presence_beat(c, row != NULL && row->handle == on_heartbeat);
    if (row == NULL)
        failure = (struct failure){.err = ERR_UNKNOWN_EVENT, .field = "event"};
    else if (c->current == NULL)
        dispatch(c, row, data, ack, over_rate(c));
    else if (!enqueue(c, row, data, ack, over_rate(c)))
        failure = (struct failure){.err = ERR_INTERNAL, .message = "out of memory"};
    failure.message_id = failure.err != ERR_OK ? message_id_of(data) : failure.message_id;
    if (failure.err != ERR_OK)
        client_fail(c, ack, row != NULL ? row->name : NULL, &failure);
    else
        client_pump(c);
    client_unref(c);
}

static void client_pump(struct client *c) {
    if (c->pumping)
        return;
    c->pumping = true;
    client_ref(c);
    while (c->current == NULL && c->first != NULL && !c->as.gone) {
        struct waiting_event *e = c->first;
        struct json_value data = {JSON_NONE, {NULL, 0}};
        c->first = e->next;
        if (c->first == NULL)
            c->last = NULL;
        c->waiting_bytes -= e->len;
        c->core->waiting_bytes -= e->len + sizeof *e;
        c->waiting_count--;
        if (e->len != 0)
            json_parse((struct slice){e->data, e->len}, &data);
        dispatch(c, e->row, data, &e->ack, e->limited);
        free(e);
    }
    c->pumping = false;
    if (c->paused && !c->as.gone && c->waiting_count < WAITING_LEAST &&
        c->waiting_bytes <= c->core->options->max_message / 2) {
        c->paused = false;
        client_door(c)->pause(c, false);
    }
    client_unref(c);
}

/* --- answers --------------------------------------------------------------------------------
 */

static void request_end(struct request *r) {
    struct client *c = r->client;
    if (r->drop != NULL)
        r->drop(r->state);
    free(r->state);
    free(r->message_id);
    free(r);
    c->current = NULL;
    client_pump(c);
    client_unref(c);
}

void request_ok(struct request *r, struct slice data) {
    struct client *c = r->client;
    r->abandon = NULL; /* what the door does may end the client: the request ends here, once */
    if (r->ack.len != 0 && !c->as.gone)
        client_door(c)->answer(c, &r->ack, data);
    request_end(r);
}

bool request_answer(struct request *r, const struct buf *data) {
    struct client *c = r->client;
    r->abandon = NULL;
    if (data->failed && !c->as.gone)
        client_close(c, 1011, "out of memory");
    else if (r->ack.len != 0 && !c->as.gone)
        client_door(c)->answer(c, &r->ack, buf_bytes(data));
    r->ack.len = 0;
    return !c->as.gone;
}

void request_ok_buf(struct request *r, struct buf *data) {
    if (data->failed)
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
    else
        request_ok(r, buf_bytes(data));
}

void request_keep_id(struct request *r, struct slice id) {
    if (id.len != 0 && r->message_id == NULL)
        r->message_id = strndup(id.ptr, id.len); /* without memory it is not told */
}

/* Tells the client, and the events that wait for this login, if it is one. */
static void fail_request(struct request *r, struct failure *failure) {
    struct client *c = r->client;
    bool logs_in = r->row->handle == on_login || r->row->handle == on_join;
    bool refused = failure->err == ERR_UNAVAILABLE;
    if (r->message_id != NULL)
        failure->message_id = slice_of(r->message_id);
    r->abandon = NULL;
    client_fail(c, &r->ack, r->row->name, failure);
    if (logs_in && !c->as.logged_in)
        early_fail(c, refused ? ERR_UNAVAILABLE : ERR_NOT_LOGGED_IN,
                   refused ? OUTCOME_REFUSED : OUTCOME_NONE);
}

void request_fail(struct request *r, enum err err, const char *field, const char *message) {
    struct failure failure = {.err = err, .field = field, .message = message};
    if (err == ERR_NOT_A_MEMBER && (r->row->flags & EVENT_APPENDS) != 0)
        order_broken(&r->client->order, r->message); /* it may join and send it again */
    fail_request(r, &failure);
    request_end(r);
}

static void unavailable(struct request *r, enum outcome outcome) {
    struct failure failure = {.err = ERR_UNAVAILABLE, .outcome = outcome};
    r->client->refused = true;
    fail_request(r, &failure);
    request_end(r);
}

void request_unavailable(struct request *r, enum outcome outcome) {
    if ((r->row->flags & EVENT_APPENDS) != 0)
        message_failed(r->client, r->message, ERR_UNAVAILABLE);
    unavailable(r, outcome);
}

bool request_check(struct request *r, const struct reply *reply, enum outcome outcome) {
    long long status = reply != NULL ? reply_number(reply_item(reply, 0)) : 0;
    if (reply == NULL)
        request_unavailable(r, outcome);
    else if (status == SCRIPT_NOT_A_MEMBER)
        request_fail(r, ERR_NOT_A_MEMBER, NULL, NULL);
    else if (status == SCRIPT_REAPED)
        request_unavailable(r, OUTCOME_REFUSED);
    else
        return true;
    return false;
}

void *request_state(struct request *r, size_t size) {
    void *state = calloc(1, size);
    if (state == NULL) {
        request_fail(r, ERR_INTERNAL, NULL, "out of memory");
        return NULL;
    }
    r->state = state;
    return state;
}

void request_script(struct request *r, enum script script, const struct slice keys[],
                    size_t key_count, const struct slice args[], size_t arg_count,
                    redis_done done) {
    struct redis *redis = &r->client->core->redis;
    if (redis_is_full(redis) ||
        !redis_script(redis, script, keys, key_count, args, arg_count, done, r))
        request_unavailable(r, OUTCOME_REFUSED);
}
