#include "gateway/client/welcome.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "gateway/client/field.h"
#include "gateway/events/emits.h"

static bool is_there(struct json_value value) {
    return value.type != JSON_NONE && value.type != JSON_NULL;
}

static const char *check_rooms(struct json_value rooms) {
    static const char wrong[] = "join is no list of at most 100 rooms";
    struct json_iter it;
    struct name name;
    unsigned count = 0;
    if (!is_there(rooms))
        return NULL;
    if (rooms.type != JSON_ARRAY)
        return wrong;
    json_iter_init(&it, rooms);
    while (json_iter_next(&it)) {
        if (count++ == WELCOME_ROOMS || !field_escaped_name(it.value, &name))
            return wrong;
    }
    return NULL;
}

static const char *check(struct clients *all, const struct welcome *w, struct slice socket,
                         struct slice nsp) {
    struct emits_from from = {
        .clients = all, .socket = socket, .nsp = nsp, .id = slice_of(w->id)};
    const char *wrong = check_rooms(w->join);
    if (wrong == NULL)
        wrong = emits_check(&from, w->emit);
    return wrong == NULL && w->state.raw.len > STATE_MOST ? "state is over 4096 bytes" : wrong;
}

struct welcome *welcome_read(struct clients *all, const struct hook_call *call,
                             struct json_value answer, struct slice socket, struct slice nsp,
                             const char **wrong) {
    static const char *const names[] = {"join", "emit", "state"};
    struct json_value whole, f[3];
    *wrong = NULL;
    json_fields(answer, names, f, 3);
    if (!is_there(f[0]) && !is_there(f[1]) && f[2].type == JSON_NONE)
        return NULL;
    struct welcome *w = calloc(1, sizeof *w + answer.raw.len);
    if (w == NULL) {
        *wrong = "there is no memory";
        return NULL;
    }
    memcpy(w->text, answer.raw.ptr, answer.raw.len);
    memcpy(w->id, call->id, sizeof w->id);
    json_parse((struct slice){w->text, answer.raw.len}, &whole);
    json_fields(whole, names, f, 3);
    w->join = f[0];
    w->emit = f[1];
    w->state = f[2];
    *wrong = check(all, w, socket, nsp);
    if (*wrong == NULL)
        return w;
    free(w);
    return NULL;
}

void welcome_free(struct welcome *w) {
    while (w != NULL) {
        struct welcome *next = w->next;
        free(w);
        w = next;
    }
}

void welcome_add(struct client *c, struct welcome *w) {
    struct welcome **at = &c->welcome;
    while (*at != NULL)
        at = &(*at)->next;
    *at = w;
}

static void on_emitted(void *arg, enum err err, enum outcome outcome) {
    (void)arg, (void)outcome;
    if (err != ERR_OK) /* nobody else is there to be told */
        LOG(LOG_WARN, "hook_emit", "type", "connect", "why", err_code(err), NULL);
}

void welcome_state(struct client *c) {
    for (struct welcome *w = c->welcome; w != NULL; w = w->next) {
        if (w->state.type == JSON_NONE)
            continue;
        free(c->state);
        c->state = is_there(w->state) ? strndup(w->state.raw.ptr, w->state.raw.len) : NULL;
        w->state.type = JSON_NONE;
    }
}

void welcome_say(struct client *c) {
    char socket[CLIENT_ID_SIZE];
    welcome_state(c);
    struct welcome *all = c->welcome;
    c->welcome = NULL;
    for (struct welcome *w = all; w != NULL && !c->as.gone; w = w->next) {
        struct emits_from from = {.clients = clients_of(c),
                                  .socket = subscriber_socket(&c->as, socket),
                                  .nsp = subscriber_nsp(&c->as),
                                  .id = slice_of(w->id)};

        emits_send(&from, w->emit, on_emitted, NULL);
    }
    welcome_free(all);
}
