#include "gateway/client/request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "gateway/client/early.h"
#include "gateway/client/kept.h"
#include "gateway/client/limits.h"
#include "gateway/client/question.h"
#include "gateway/presence/heartbeat.h"

/* When so many events wait after the one under way, the socket is no longer read, until fewer
 * than WAITING_LEAST wait. */
#define WAITING_MOST  1024
#define WAITING_LEAST 256
/* While more bytes wait for the socket, no event begins whose answer may be long. */
#define UNREAD_MOST 262144
/* So many messages of a client are under way together. */
#define FLYING_MOST  32
#define FLYING_BYTES 65536

/* --- events, one after the other ------------------------------------------------------------
 */

static void client_pump(struct client *c);
static void unavailable(struct request *r, enum outcome outcome);

const struct event_row *event_find(const struct clients *all, struct slice name) {
    for (size_t i = 0; i < EVENT_COUNT; i++) {
        if (slice_is(name, all->rows[i].name))
            return &all->rows[i];
    }
    return NULL;
}

const struct event_row *client_row(const struct client *c, struct slice name) {
    const struct event_row *row = event_find(clients_of(c), name);
    bool has_namespace = c->as.ops->nsp != NULL;
    bool kept = row != NULL && !has_namespace && (row->flags & EVENT_KEPT) != 0;
    return c->own_only && !kept ? NULL : row;
}

static bool logs_in(const struct event_row *row) {
    return (row->flags & EVENT_LOGS_IN) != 0;
}

/* With identity on, a login counts only when its token was found to be good. */
static bool is_logging_in(const struct client *c) {
    const struct waiting_event *e = c->backlog != NULL ? c->backlog->waiting.first : NULL;
    if (c->identity == NULL && clients_need_tokens(clients_of(c)))
        return false;
    while (e != NULL && !logs_in(e->row))
        e = e->next;
    return e != NULL || (c->current != NULL && logs_in(c->current->row));
}

size_t client_message_most(const struct client *c) {
    size_t most = clients_of(c)->options->max_message;
    bool known = most <= BEFORE_LOGIN_MOST || c->as.logged_in || is_logging_in(c);
    return known ? most : BEFORE_LOGIN_MOST;
}

/* Does the data name another user than the client's as the sender? */
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

/* Fails a message because one before it failed, or because it is over the rate. */
static void refuse(struct request *r, struct json_value data, enum err err) {
    request_keep_id(r, message_id_of(data));
    if (err == ERR_UNAVAILABLE)
        unavailable(r, OUTCOME_REFUSED);
    else
        request_fail(r, err, NULL, NULL);
}

/* A message failed that its sender will send again, so those that wait after it fail, too. */
static void message_failed(struct client *c, uint64_t message, enum err err) {
    c->backlog->failing = c->backlog->waiting.count;
    order_failed(&c->backlog->order, message, err, client_now(c));
}

/* The same for one that is under way, maybe with others. */
static void request_failed(struct request *r, enum err err) {
    struct backlog *b = r->client->backlog;
    bool names_it = r->sending.after != 0 && r->sending.after == b->order.last;
    if (r->follows || names_it) {
        order_follow(&b->order, r->sending.own);
        return;
    }
    message_failed(r->client, r->sending.own, err);
    for (struct list *at = r->link.next; at != &b->flying; at = at->next)
        container_of(at, struct request, link)->follows = true;
}

/* The client has a backlog. follows: the message was sent before the client heard of a failure.
 * limited: it is over the rate. */
static void begin_message(struct request *r, struct json_value data, bool follows,
                          bool limited) {
    struct client *c = r->client;
    struct order *order = &c->backlog->order;
    enum err err = order->err;
    r->sending.lane = &c->backlog->lane;
    if (c->backlog->lane.count > 0)
        r->sending.after = order_after(data);
    if (follows)
        order_follow(order, order_id(data));
    else
        err = order_check(order, data, client_now(c));
    if (err == ERR_OK && limited) {
        err = ERR_RATE_LIMITED;
        message_failed(c, order_id(data), err);
    }
    if (err == ERR_OK)
        request_begin(r, data);
    else
        refuse(r, data, err);
}

/* Messages are under way together. */
static bool flies(const struct event_row *row) {
    return (row->flags & EVENT_APPENDS) != 0;
}

static bool is_apart(const struct event_row *row) {
    return row->parallel > 1;
}

static bool is_full(const struct client *c, const struct event_row *row) {
    unsigned count = 0;
    if (c->backlog == NULL || !is_apart(row))
        return false;
    for (struct list *at = c->backlog->apart.next; at != &c->backlog->apart; at = at->next)
        count += container_of(at, struct request, link)->line == row;
    return count >= row->parallel;
}

struct request *request_make(struct client *c, const struct event_row *row) {
    struct request *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->client = c;
    r->row = row;
    list_init(&r->link);
    client_ref(c);
    if (is_apart(row)) {
        r->line = row;
        list_push(&c->backlog->apart, &r->link);
    } else if (!flies(row)) {
        c->current = r;
    } else {
        list_push(&c->backlog->flying, &r->link);
        c->backlog->flying_count++;
    }
    return r;
}

static bool is_busy(const struct client *c) {
    return c->current != NULL || (c->backlog != NULL && !list_empty(&c->backlog->flying));
}

/* May the next event begin, beside what is under way? */
static bool may_begin(const struct client *c, const struct event_row *row) {
    if (c->draining || is_full(c, row))
        return false;
    if (!is_busy(c))
        return true;
    return c->current == NULL && flies(row) && c->backlog->flying_count < FLYING_MOST &&
           c->backlog->lane.bytes + c->backlog->asking_bytes < FLYING_BYTES;
}

static void dispatch(struct client *c, const struct event_row *row, struct json_value data,
                     const struct ack *ack, bool limited, uint64_t arrived) {
    if (!limited && early_takes(c, row, data, ack))
        return;
    bool listed = flies(row) || is_apart(row);
    struct backlog *backlog = listed ? client_backlog(c) : c->backlog;
    struct request *r = listed && backlog == NULL ? NULL : request_make(c, row);
    if (r == NULL) {
        struct failure failure = {.err = ERR_INTERNAL, .message = "out of memory"};
        client_fail(c, ack, row->name, &failure);
        return;
    }
    r->ack = *ack;
    r->arrived = arrived;
    bool follows = backlog != NULL && backlog->failing > 0;
    if (follows)
        backlog->failing--;
    if (flies(row))
        begin_message(r, data, follows, limited);
    else if (limited)
        request_fail(r, ERR_RATE_LIMITED, NULL, NULL);
    else
        request_begin(r, data);
}

void request_restart(struct request *r, const struct event_row *row, struct json_value data) {
    r->row = row;
    request_begin(r, data);
}

static bool enqueue(struct client *c, const struct event_row *row, struct json_value data,
                    const struct ack *ack, bool limited) {
    struct backlog *b = client_backlog(c);
    struct waiting_event *e = b != NULL ? waiting_event_make(row, data, ack) : NULL;
    if (e == NULL)
        return false;
    e->limited = limited;
    e->arrived = client_now(c);
    waiting_push(&b->waiting, e, &clients_of(c)->waiting_bytes);
    if (!c->paused && (b->waiting.count >= WAITING_MOST ||
                       b->waiting.bytes > clients_of(c)->options->max_message)) {
        c->paused = true;
        client_door(c)->pause(c, true);
    }
    return true;
}

static struct failure unknown_event(struct client *c) {
    limits_charge(c, 1);
    return (struct failure){.err = ERR_UNKNOWN_EVENT, .field = "event"};
}

void client_bad_frame(struct client *c, enum err err, const struct ack *ack,
                      const char *field) {
    struct failure failure = {.err = err, .field = field};
    limits_charge(c, 1);
    client_fail(c, ack, NULL, &failure);
}

/* A client that does not read its answers is not given more of them. */
static bool must_drain(const struct client *c, const struct event_row *row) {
    return (row->flags & EVENT_LONG) != 0 && c->as.ops->queued(&c->as) > UNREAD_MOST;
}

static bool has_waiting(const struct client *c) {
    return c->backlog != NULL && c->backlog->waiting.first != NULL;
}

/* The slot of METRIC_EVENTS. */
static unsigned kind_of(const struct clients *all, const struct event_row *row) {
    unsigned own = EVENT_COUNT, unknown = EVENT_COUNT + 1;
    if (row == NULL)
        return unknown;
    return row >= all->rows && row < all->rows + EVENT_COUNT ? (unsigned)(row - all->rows)
                                                             : own;
}

void client_event(struct client *c, struct slice event, struct json_value data,
                  const struct ack *ack) {
    client_event_by(c, client_row(c, event), data, ack);
}

void client_event_by(struct client *c, const struct event_row *row, struct json_value data,
                     const struct ack *ack) {
    const struct clients *all = clients_of(c);
    struct failure failure = {.err = ERR_OK};
    metric_add(all->metrics, METRIC_EVENTS + kind_of(all, row), 1);
    client_ref(c); /* an answer may end the client, if its socket is too slow */
    heartbeat_heard(&c->presence, row != NULL && (row->flags & EVENT_BEATS) != 0);
    if (row == NULL)
        failure = unknown_event(c);
    else if (may_begin(c, row) && !has_waiting(c) && !must_drain(c, row))
        dispatch(c, row, data, ack, limits_over_rate(c, row), client_now(c));
    else if (!enqueue(c, row, data, ack, limits_over_rate(c, row)))
        failure = (struct failure){.err = ERR_INTERNAL, .message = "out of memory"};
    failure.message_id = failure.err != ERR_OK ? message_id_of(data) : failure.message_id;
    if (failure.err != ERR_OK)
        client_fail(c, ack, row != NULL ? row->name : NULL, &failure);
    else
        client_pump(c);
    client_unref(c);
}

void client_act(struct client *c, const struct event_row *row, struct json_value data) {
    const struct ack nobody = {.len = 0};
    client_ref(c);
    if (may_begin(c, row) && !has_waiting(c))
        dispatch(c, row, data, &nobody, false, client_now(c));
    else if (!enqueue(c, row, data, &nobody, false))
        client_close(c, 1011, "out of memory");
    client_pump(c);
    client_unref(c);
}

void client_drained(struct client *c) {
    client_ref(c);
    subscriber_drained(&c->as);
    if (c->draining && !c->as.gone) {
        c->draining = false;
        client_pump(c);
    }
    client_unref(c);
}

static void client_pump(struct client *c) {
    struct backlog *b = c->backlog;
    if (b == NULL || c->pumping || c->draining)
        return;
    c->pumping = true;
    client_ref(c);
    while (b->waiting.first != NULL && may_begin(c, b->waiting.first->row) && !c->as.gone) {
        if (must_drain(c, b->waiting.first->row)) {
            c->draining = true;
            c->as.ops->want_drained(&c->as);
            break;
        }
        struct waiting_event *e = waiting_pop(&b->waiting, &clients_of(c)->waiting_bytes);
        dispatch(c, e->row, waiting_event_data(e), &e->ack, e->limited, e->arrived);
        free(e);
    }
    c->pumping = false;
    if (c->paused && !c->as.gone && b->waiting.count < WAITING_LEAST &&
        b->waiting.bytes <= clients_of(c)->options->max_message / 2) {
        c->paused = false;
        client_door(c)->pause(c, false);
    }
    client_unref(c);
}

/* --- answers --------------------------------------------------------------------------------
 */

/* Its answer waits until those of the messages before it are told. */
static bool must_keep(const struct request *r) {
    return flies(r->row) && r->link.prev != &r->client->backlog->flying;
}

/* False: there is no memory, and the answer overtakes others. */
static bool keep(struct request *r, struct kept *kept) {
    r->kept = kept;
    if (kept != NULL)
        lane_over(&r->sending, r->broke);
    return kept != NULL;
}

static void take_out(struct request *r) {
    struct client *c = r->client;
    if (c->current == r)
        c->current = NULL;
    if (flies(r->row))
        c->backlog->flying_count--;
    list_remove(&r->link);
}

/* The event's name, for errors. */
static const char *name_of(const struct request *r) {
    return r->event != NULL ? r->event : r->row->name;
}

/* It is taken out. Drops its reference to the client. */
static void request_free(struct request *r) {
    struct client *c = r->client;
    if (r->drop != NULL)
        r->drop(r->state);
    if (r->outer_drop != NULL)
        r->outer_drop(r->outer);
    lane_over(&r->sending, r->broke);
    free(r->kept);
    free(r->state);
    free(r->message_id);
    question_free(r->question);
    free(r->event);
    free(r);
    client_unref(c);
}

/* Tells the answers that waited for this one's. */
static void tell_next(struct client *c) {
    struct list *flying = c->backlog != NULL ? &c->backlog->flying : NULL;
    while (flying != NULL && !list_empty(flying)) {
        struct request *next = container_of(flying->next, struct request, link);
        if (next->kept == NULL)
            break;
        list_pop(flying); /* `next`: see list_pop */
        take_out(next);
        kept_tell(next->kept, c, &next->ack, name_of(next));
        request_free(next);
    }
}

static void request_end(struct request *r) {
    struct client *c = r->client;
    client_ref(c);
    take_out(r);
    request_free(r);
    tell_next(c);
    client_pump(c);
    client_unref(c);
}

void requests_abandon(struct client *c) {
    struct list all, *flying = c->backlog != NULL ? &c->backlog->flying : NULL;
    client_ref(c);
    if (flying != NULL)
        lane_break(&c->backlog->lane);
    if (c->current != NULL && c->current->abandon != NULL)
        c->current->abandon(c->current);
    list_init(&all);
    if (flying != NULL)
        list_splice(&all, flying);
    while (!list_empty(&all)) {
        struct request *r = container_of(all.next, struct request, link);
        list_remove(&r->link);
        list_push(flying, &r->link);
        if (r->abandon != NULL)
            r->abandon(r); /* which may end it */
    }
    tell_next(c); /* those whose answers were kept, and that were not in the list meanwhile */
    client_unref(c);
}

/* No event whose row names rights succeeds without one. (A login may enter nothing.) */
static bool was_allowed(const struct request *r) {
    return r->allowed || r->row->rights == 0 || logs_in(r->row) || r->client->as.gone;
}

static void state_drop(struct request *r) {
    if (r->drop != NULL)
        r->drop(r->state);
    free(r->state);
    r->drop = NULL;
    r->state = NULL;
}

/* If it was a step, goes on. */
static bool step_over(struct request *r, const struct failure *f) {
    void (*step)(struct request * r, const struct failure *f) = r->step;
    if (step == NULL)
        return false;
    r->step = NULL;
    r->abandon = NULL;
    state_drop(r);
    step(r, f);
    return true;
}

void request_step(struct request *r, const struct event_row *row, struct json_value data,
                  void (*step)(struct request *r, const struct failure *f)) {
    r->row = row;
    r->step = step;
    request_begin(r, data);
}

static void answer(struct request *r, struct slice data, bool several) {
    struct client *c = r->client;
    assert(was_allowed(r));
    if (step_over(r, NULL))
        return;
    if (r->instead.len != 0) {
        data = r->instead;
        several = data.ptr[0] == '[';
    }
    r->abandon = NULL; /* the door may end the client, but the request must end only once */
    if (must_keep(r) && keep(r, kept_answer(data, several)))
        return;
    if (r->ack.len != 0 && !c->as.gone)
        client_door(c)->answer(c, &r->ack, data, several);
    request_end(r);
}

void request_ok(struct request *r, struct slice data) {
    answer(r, data, false);
}

void request_ok_args(struct request *r, struct slice array) {
    answer(r, array, true);
}

bool request_answer(struct request *r, const struct buf *data) {
    struct client *c = r->client;
    assert(was_allowed(r));
    r->abandon = NULL;
    if (r->step != NULL) /* it is told when all steps are over */
        return !c->as.gone;
    if (data->failed && !c->as.gone)
        client_close(c, 1011, "out of memory");
    else if (r->ack.len != 0 && !c->as.gone)
        client_door(c)->answer(c, &r->ack, r->instead.len != 0 ? r->instead : buf_bytes(data),
                               r->instead.len != 0 && r->instead.ptr[0] == '[');
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
        r->message_id = strndup(id.ptr, id.len); /* without memory, the failure lacks the id */
}

/* Tells the client, and ends it. If the request is a login, the events that wait for it fail,
 * too. */
static void fail_request(struct request *r, struct failure *failure) {
    struct client *c = r->client;
    bool refused = failure->err == ERR_UNAVAILABLE;
    if (step_over(r, failure))
        return;
    if (r->message_id != NULL)
        failure->message_id = slice_of(r->message_id);
    r->abandon = NULL;
    if (must_keep(r) && keep(r, kept_failure(failure)))
        return;
    client_fail(c, &r->ack, name_of(r), failure);
    if (logs_in(r->row) && !c->as.logged_in)
        early_fail(c, refused ? ERR_UNAVAILABLE : ERR_NOT_LOGGED_IN,
                   refused ? OUTCOME_REFUSED : OUTCOME_NONE);
    request_end(r);
}

void request_fail(struct request *r, enum err err, const char *field, const char *message) {
    struct failure failure = {.err = err, .field = field, .message = message};
    if (err == ERR_NOT_A_MEMBER && (r->row->flags & EVENT_APPENDS) != 0)
        order_broken(&r->client->backlog->order,
                     r->sending.own); /* it may join and send it again */
    fail_request(r, &failure);
}

void request_fail_with(struct request *r, const struct failure *f) {
    struct failure failure = *f;
    if (f->err == ERR_UNAVAILABLE) {
        request_unavailable(r, f->outcome);
        return;
    }
    fail_request(r, &failure);
}

static void unavailable(struct request *r, enum outcome outcome) {
    struct failure failure = {.err = ERR_UNAVAILABLE, .outcome = outcome};
    r->client->refused = true;
    fail_request(r, &failure);
}

void request_unavailable(struct request *r, enum outcome outcome) {
    if (flies(r->row)) {
        request_failed(r, ERR_UNAVAILABLE);
        r->broke = true;
    }
    unavailable(r, outcome);
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
