#include "gateway/client/early.h"

#include <stdlib.h>

#define EARLY_MS    2000
#define AGAIN_MS    500
#define EARLY_BYTES (UINT64_C(256) * 1024)

struct early {
    struct waiting events;
    uint64_t until;
    uint64_t deadline; /* of the login, to which the timer is set again; 0: none. The events
                          wait no longer than that. */
    bool full;         /* an event was refused: no later one may overtake it */
};

static bool is_there(struct json_value value) {
    return value.type != JSON_NONE && value.type != JSON_NULL;
}

/* Does the event need a login before it? A `join` without an id does, and without a token. */
static bool needs_login(const struct client *c, const struct event_row *row,
                        struct json_value data) {
    static const char *const names[] = {"id", "token"};
    struct json_value f[2];
    if ((row->flags & EVENT_BY_ID) == 0)
        return (row->flags & EVENT_ANONYMOUS) == 0;
    json_fields(data, names, f, 2);
    return !is_there(f[0]) && !(is_there(f[1]) && clients_take_tokens(clients_of(c)));
}

static struct early *early_of(const struct client *c) {
    return c->backlog != NULL ? c->backlog->early : NULL;
}

static struct early *begin(struct client *c) {
    struct early *e = client_backlog(c) != NULL ? calloc(1, sizeof *e) : NULL;
    if (e == NULL)
        return NULL;
    e->deadline = wheel_is_set(&c->presence.timer) ? c->presence.timer.deadline : 0;
    e->until = client_now(c) + EARLY_MS;
    if (e->deadline != 0 && e->deadline < e->until)
        e->until = e->deadline;
    wheel_set(&clients_of(c)->wheel, &c->presence.timer, e->until);
    return c->backlog->early = e;
}

bool early_takes(struct client *c, const struct event_row *row, struct json_value data,
                 const struct ack *ack) {
    if (!client_door(c)->waits_for_login || c->as.logged_in || c->as.gone ||
        !needs_login(c, row, data))
        return false;
    struct early *e = early_of(c) != NULL ? early_of(c) : begin(c);
    if (e == NULL)
        return false;
    size_t size = sizeof *e->events.first + data.raw.len;
    bool fits = !e->full && waiting_size(&e->events) + size <= EARLY_BYTES;
    struct waiting_event *w = fits ? waiting_event_make(row, data, ack) : NULL;
    e->full = w == NULL;
    if (w != NULL)
        waiting_push(&e->events, w, &clients_of(c)->waiting_bytes);
    return w != NULL;
}

static struct waiting end(struct client *c) {
    struct early *e = early_of(c);
    struct waiting events = e != NULL ? e->events : (struct waiting){.first = NULL};
    if (e != NULL)
        c->backlog->early = NULL;
    free(e);
    return events;
}

void early_release(struct client *c) {
    if (early_of(c) == NULL)
        return;
    struct waiting events = end(c);
    waiting_put_before(&c->backlog->waiting, &events);
}

/* Sets the timer to the login's deadline again. */
static void give_timer_back(struct client *c) {
    if (early_of(c)->deadline != 0)
        wheel_set(&clients_of(c)->wheel, &c->presence.timer, early_of(c)->deadline);
    else
        wheel_clear(&clients_of(c)->wheel, &c->presence.timer);
}

void early_fail(struct client *c, enum err err, enum outcome outcome) {
    if (early_of(c) == NULL)
        return;
    give_timer_back(c);
    struct waiting events = end(c);
    struct waiting_event *w;
    client_ref(c);
    while ((w = waiting_pop(&events, &clients_of(c)->waiting_bytes)) != NULL) {
        struct failure failure = {.err = err, .outcome = outcome};
        bool by_id = (w->row->flags & EVENT_BY_ID) != 0;
        if (by_id && err == ERR_NOT_LOGGED_IN) /* the error that it gets without waiting */
            failure = clients_need_tokens(clients_of(c))
                          ? (struct failure){.err = ERR_UNAUTHORIZED, .field = "token"}
                          : (struct failure){.err = ERR_MISSING_FIELD, .field = "id"};
        failure.message_id = message_id_of(waiting_event_data(w));
        client_fail(c, &w->ack, w->row->name, &failure);
        free(w);
    }
    client_unref(c);
}

bool early_timer(struct client *c) {
    if (early_of(c) == NULL)
        return false;
    const struct early *early = early_of(c);
    bool late = early->deadline != 0 && client_now(c) >= early->deadline;
    if (client_now(c) < early->until)
        wheel_set(&clients_of(c)->wheel, &c->presence.timer, early->until);
    else if (c->current == NULL)
        early_fail(c, ERR_NOT_LOGGED_IN, OUTCOME_NONE);
    else if (!late) /* the login is under way */
        wheel_set(&clients_of(c)->wheel, &c->presence.timer, client_now(c) + AGAIN_MS);
    return !late;
}

void early_free(struct client *c) {
    struct waiting events = end(c);
    waiting_drop(&events, &clients_of(c)->waiting_bytes);
}
