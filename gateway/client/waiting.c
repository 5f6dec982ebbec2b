#include "gateway/client/waiting.h"

#include <stdlib.h>
#include <string.h>

struct waiting_event *waiting_event_make(const struct event_row *row, struct json_value data,
                                         const struct ack *ack) {
    struct waiting_event *e = malloc(sizeof *e + data.raw.len);
    if (e == NULL)
        return NULL;
    *e = (struct waiting_event){.len = data.raw.len, .ack = *ack, .row = row};
    if (data.raw.len != 0)
        memcpy(e->data, data.raw.ptr, data.raw.len);
    return e;
}

struct json_value waiting_event_data(const struct waiting_event *e) {
    struct json_value data = {JSON_NONE, {NULL, 0}};
    if (e->len != 0)
        json_parse((struct slice){e->data, e->len}, &data);
    return data;
}

void waiting_push(struct waiting *w, struct waiting_event *e, size_t *held) {
    *(w->last != NULL ? &w->last->next : &w->first) = e;
    w->last = e;
    w->bytes += e->len;
    w->count++;
    *held += e->len + sizeof *e;
}

struct waiting_event *waiting_pop(struct waiting *w, size_t *held) {
    struct waiting_event *e = w->first;
    if (e == NULL)
        return NULL;
    w->first = e->next;
    if (w->first == NULL)
        w->last = NULL;
    w->bytes -= e->len;
    w->count--;
    *held -= e->len + sizeof *e;
    return e;
}

void waiting_put_before(struct waiting *w, struct waiting *others) {
    if (others->first == NULL)
        return;
    others->last->next = w->first;
    w->first = others->first;
    if (w->last == NULL)
        w->last = others->last;
    w->bytes += others->bytes;
    w->count += others->count;
    *others = (struct waiting){.first = NULL};
}

void waiting_drop(struct waiting *w, size_t *held) {
    struct waiting_event *e;
    while ((e = waiting_pop(w, held)) != NULL)
        free(e);
}
