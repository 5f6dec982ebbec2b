#include "gateway/client/own.h"

#include "common/log.h"
#include "common/sio.h"
#include "gateway/client/request.h"
#include "gateway/hooks/config.h"
#include "gateway/spaces.h"

/* Does Sluice have an event of that name, from clients or to them? */
static bool is_ours(struct slice event) {
#define EVENT_NAME(symbol, name, handler, flags, rights, payload) name,
    static const char *const names[] = {EVENT_TABLE(EVENT_NAME) SENT_EVENTS};
#undef EVENT_NAME
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (slice_is(event, names[i]))
            return !slice_is(event, "message");
    }
    return false;
}

bool event_reserved(const struct options *o, struct slice event, struct slice nsp) {
    return sio_reserves(event) || (is_ours(event) && spaces_has_builtin(o, nsp));
}

const char *event_map_check(const struct event_map *m, const struct options *o) {
    for (size_t i = 0; i < m->count; i++) {
        const struct map_line *l = &m->lines[i];
        const char *wrong = NULL;
        if (!l->prefix && event_reserved(o, l->event, l->nsp))
            wrong = log_text("%.*s is reserved", (int)l->event.len, l->event.ptr);
        else if (l->as.len != 0 && event_reserved(o, l->as, l->nsp))
            wrong = log_text("%.*s is reserved", (int)l->as.len, l->as.ptr);
        else if (l->action == MAP_RPC)
            wrong = hooks_check_url(l->target, o->hook_plain);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

const struct map_line *client_line(const struct client *c, struct slice event) {
    const struct clients *all = clients_of(c);
    struct slice nsp = subscriber_nsp(&c->as);
    if (all->map == NULL || client_row(c, event) != NULL ||
        event_reserved(all->options, event, nsp))
        return NULL;
    return event_map_find(all->map, event, nsp);
}

/* What a sender calls its event, so that it takes effect once. */
static struct json_value id_of(const struct map_line *line, const struct own_event *e,
                               struct json_value args) {
    static const struct pick first = {.path = {"clientMessageId", 15}};
    if (e->id.type != JSON_NONE)
        return e->id;
    return pick_value(line->id.text.len != 0 ? &line->id : &first, args);
}

/* The event as one JSON value, in which it may wait. */
static bool put_event(struct buf *out, const struct map_line *line, const struct own_event *e) {
    struct json_value args;
    buf_str(out, "{\"args\":");
    size_t at = out->len;
    buf_char(out, '[');
    buf_slice(out, e->args);
    buf_char(out, ']');
    struct slice array = {out->data + at, out->len - at};
    if (out->failed || json_parse(array, &args) != JSON_OK)
        return false;
    struct json_value id = id_of(line, e, args);
    struct buf text;
    buf_init(&text); /* the id may stand in `out`, which moves as it grows */
    buf_slice(&text, id.raw);
    buf_str(out, ",\"event\":\"");
    buf_slice(out, e->name);
    buf_char(out, '"');
    if (e->bin.len != 0) {
        buf_str(out, ",\"bin\":");
        buf_slice(out, e->bin);
    }
    if (text.len != 0) {
        buf_str(out, ",\"clientMessageId\":");
        buf_slice(out, buf_bytes(&text));
    }
    buf_char(out, '}');
    bool good = !text.failed && !out->failed;
    buf_deinit(&text);
    return good;
}

void client_own_event(struct client *c, const struct map_line *line, const struct own_event *e,
                      const struct ack *ack) {
    struct buf text;
    struct json_value data;
    buf_init(&text);
    if (!put_event(&text, line, e) || json_parse(buf_bytes(&text), &data) != JSON_OK)
        client_bad_frame(c, text.failed ? ERR_INTERNAL : ERR_BAD_FIELD, ack, "args");
    else
        client_event_by(c, &line->row, data, ack);
    buf_deinit(&text);
}
