#include <stdlib.h>

#include "gateway/core/core.h"
#include "gateway/core/request.h"

#define EARLY_MS    2000
#define EARLY_BYTES (UINT64_C(256) * 1024)

/* Events that wait for a login which has not come yet. */
struct early {
    struct waiting_event *first;
    struct waiting_event *last;
    unsigned count;
    size_t bytes;
    uint64_t until;
    uint64_t deadline; /* of the login, for the timer afterwards; 0: none */
    bool full;         /* nothing more is taken: what is refused must not be overtaken */
};

/* Is it of somebody who has to be logged in? A `join` without an id is. */
static bool needs_login(const struct event_row *row, struct json_value data) {
    static const char *const names[] = {"id"};
    struct json_value id;
    if (row->handle != on_join)
        return (row->flags & EVENT_ANONYMOUS) == 0;
    json_fields(data, names, &id, 1);
    return id.type == JSON_NONE || id.type == JSON_NULL;
}

static struct early *begin(struct client *c) {
    struct early *e = calloc(1, sizeof *e);
    if (e == NULL)
        return NULL;
    e->deadline = wheel_is_set(&c->timer) ? c->timer.deadline : 0;
    e->until = core_now(c->core) + EARLY_MS;
    wheel_set(&c->core->wheel, &c->timer, e->until);
    return c->early = e;
}

bool early_takes(struct client *c, const struct event_row *row, struct json_value data,
                 const struct ack *ack) {
    if (!client_door(c)->waits_for_login || c->as.logged_in || c->as.gone ||
        !needs_login(row, data))
        return false;
    struct early *e = c->early != NULL ? c->early : begin(c);
    if (e == NULL)
        return false;
    size_t size = sizeof *e->first + data.raw.len;
    struct waiting_event *w =
        e->full || e->bytes + size > EARLY_BYTES ? NULL : waiting_event(row, data, ack);
    e->full = w == NULL;
    if (w == NULL)
        return false;
    *(e->last != NULL ? &e->last->next : &e->first) = w;
    e->last = w;
    e->count++;
    e->bytes += size;
    return true;
}

static struct waiting_event *end(struct client *c) {
    struct early *e = c->early;
    struct waiting_event *first = e != NULL ? e->first : NULL;
    free(e);
    c->early = NULL;
    return first;
}

void early_release(struct client *c) {
    struct early *e = c->early;
    if (e == NULL || e->first == NULL) {
        end(c);
        return;
    }
    e->last->next = c->first;
    c->first = e->first;
    if (c->last == NULL)
        c->last = e->last;
    c->waiting_count += e->count;
    for (const struct waiting_event *w = e->first; w != e->last->next; w = w->next)
        c->waiting_bytes += w->len;
    end(c);
}

/* The timer is the login's deadline again. */
static void give_timer_back(struct client *c) {
    if (c->early->deadline != 0)
        wheel_set(&c->core->wheel, &c->timer, c->early->deadline);
    else
        wheel_clear(&c->core->wheel, &c->timer);
}

void early_fail(struct client *c, enum err err, enum outcome outcome) {
    if (c->early == NULL)
        return;
    give_timer_back(c);
    struct waiting_event *w = end(c);
    client_ref(c);
    while (w != NULL) {
        struct waiting_event *next = w->next;
        struct json_value data = {JSON_NONE, {NULL, 0}};
        struct failure failure = {.err = err, .outcome = outcome};
        if (w->row->handle == on_join && err == ERR_NOT_LOGGED_IN) /* as if it had not waited */
            failure = (struct failure){.err = ERR_MISSING_FIELD, .field = "id"};
        if (w->len != 0)
            json_parse((struct slice){w->data, w->len}, &data);
        failure.message_id = message_id_of(data);
        client_fail(c, &w->ack, w->row->name, &failure);
        free(w);
        w = next;
    }
    client_unref(c);
}

bool early_timer(struct client *c) {
    if (c->early == NULL)
        return false;
    if (core_now(c->core) < c->early->until)
        wheel_set(&c->core->wheel, &c->timer, c->early->until);
    else
        early_fail(c, ERR_NOT_LOGGED_IN, OUTCOME_NONE);
    return true;
}

void early_free(struct client *c) {
    struct waiting_event *w = end(c);
    while (w != NULL) {
        struct waiting_event *next = w->next;
        free(w);
        w = next;
    }
}
