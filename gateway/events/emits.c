#include "gateway/events/emits.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/percent.h"
#include "gateway/channel/append.h"
#include "gateway/channel/name.h"
#include "gateway/client/own.h"

#define EMITS_MOST  100
#define TARGET_SIZE (NAME_MAX_LEN + 8)
#define EXCEPT_MOST 20

/* --- reading --------------------------------------------------------------------------------
 */

struct target {
    char text[TARGET_SIZE];
    struct slice channel;
    bool ephemeral; /* no log can keep it */
    bool me;
};

/* A channel by its kind and a name, in which what no name may have is escaped. */
static bool name_target(struct slice text, const char *kind, bool user, struct target *out) {
    struct slice start = slice_of(kind), name = channel_rest(text, start);
    memcpy(out->text, start.ptr, start.len);
    ptrdiff_t len = percent_encode_name(name, out->text + start.len, NAME_MAX_LEN);
    struct slice named = {out->text + start.len, len > 0 ? (size_t)len : 0};
    out->channel = (struct slice){out->text, start.len + named.len};
    return user ? name_valid_user(named) : name_valid(named);
}

static bool read_target(const struct emits_from *from, struct json_value value,
                        struct target *out) {
    char bytes[3 * NAME_MAX_LEN];
    ptrdiff_t len = value.type == JSON_STRING ? json_decode(value, bytes, sizeof bytes) : -1;
    struct slice text = {bytes, len > 0 ? (size_t)len : 0};
    *out = (struct target){.ephemeral = false};
    if (slice_is(text, "all") || slice_is(text, "me")) {
        out->me = slice_is(text, "me");
        out->ephemeral = true;
        memcpy(out->text, "socket:", 7);
        bool fits = from->socket.len <= NAME_MAX_LEN;
        if (fits && from->socket.len > 0)
            memcpy(out->text + 7, from->socket.ptr, from->socket.len);
        out->channel = (struct slice){out->text, 7 + from->socket.len};
        if (!out->me)
            out->channel = SLICE("all");
        return fits;
    }
    if (is_room(text))
        return name_target(text, "room:", false, out);
    if (slice_starts(text, SLICE("topic:")))
        return name_target(text, "topic:", false, out);
    if (slice_starts(text, SLICE("user:")))
        return name_target(text, "user:", true, out);
    out->ephemeral = true;
    return is_socket(text) && name_target(text, "socket:", false, out) &&
           out->channel.len > 7 + SOCKET_NODE_LEN;
}

struct said {
    const struct emits_from *from;
    struct json_value to, except;
    struct emit emit;
    bool ephemeral;
    struct buf nsp, names; /* what `emit` refers to: the namespace, the exceptions */
    char event[EVENT_NAME_MOST + 1];
};

static bool is_there(struct json_value value) {
    return value.type != JSON_NONE && value.type != JSON_NULL;
}

/* Writes the exceptions as a frame has them. */
static const char *read_except(struct said *g) {
    struct json_iter it;
    unsigned count = 0;
    if (!is_there(g->except))
        return NULL;
    if (g->except.type != JSON_ARRAY)
        return "except is no array";
    json_iter_init(&it, g->except);
    while (json_iter_next(&it)) {
        struct target one;
        if (count == EXCEPT_MOST || !read_target(g->from, it.value, &one) ||
            !(one.me || is_socket(one.channel) || slice_starts(one.channel, SLICE("user:"))))
            return "except is not at most 20 of me, user: and socket:";
        if (one.me && g->from->socket.len == 0)
            continue;
        buf_char(&g->names, count++ == 0 ? '[' : ',');
        json_escape(&g->names, one.channel);
    }
    if (count > 0)
        buf_char(&g->names, ']');
    g->emit.except = buf_bytes(&g->names);
    return NULL;
}

static const char *read_nsp(struct said *g, struct json_value value) {
    char bytes[256];
    if (!is_there(value))
        return NULL;
    ptrdiff_t len = value.type == JSON_STRING ? json_decode(value, bytes, sizeof bytes) : -1;
    if (len <= 0 || bytes[0] != '/' || !event_name_valid((struct slice){bytes, (size_t)len}))
        return "namespace is none";
    buf_append(&g->nsp, bytes, (size_t)len);
    g->emit.nsp = buf_bytes(&g->nsp);
    return NULL;
}

static const char *read_event(struct said *g, struct json_value value) {
    ptrdiff_t len =
        value.type == JSON_STRING ? json_decode(value, g->event, sizeof g->event) : -1;
    g->emit.event = (struct slice){g->event, len > 0 ? (size_t)len : 0};
    if (!event_name_valid(g->emit.event))
        return "event is no name of an event";
    struct slice nsp = g->emit.nsp.len != 0 ? g->emit.nsp : SLICE("/");
    return event_reserved(g->from->clients->options, g->emit.event, nsp) ? "event is reserved"
                                                                         : NULL;
}

static const char *read_data(struct said *g, struct json_value args, struct json_value data) {
    struct json_iter it;
    unsigned count = 0;
    if (args.type != JSON_NONE && (args.type != JSON_ARRAY || data.type != JSON_NONE))
        return "args is no array, or stands beside data";
    json_iter_init(&it, args);
    struct slice only = data.raw;
    for (; json_iter_next(&it); count++)
        only = it.value.raw;
    if (count > ARGUMENTS_MOST)
        return "args has more than 10";
    if (data.type != JSON_NONE || count == 1)
        g->emit.data = only;
    else
        g->emit.args = args.type == JSON_ARRAY ? args.raw : SLICE("[]");
    return NULL;
}

static const char *read_bin(struct said *g, struct json_value bin) {
    struct json_iter it;
    if (!is_there(bin))
        return NULL;
    bool good = bin.type == JSON_ARRAY;
    json_iter_init(&it, bin);
    while (good && json_iter_next(&it))
        good = it.value.type == JSON_STRING;
    g->emit.bin = bin.raw;
    return good ? NULL : "bin is no array of strings";
}

static const char *read_emit(struct said *g, struct json_value value) {
    static const char *const names[] = {"to",   "except", "namespace", "event",
                                        "args", "data",   "bin",       "ephemeral"};
    struct json_value f[8];
    if (value.type != JSON_OBJECT)
        return "an emit is no object";
    json_fields(value, names, f, 8);
    g->to = f[0];
    g->except = f[1];
    g->ephemeral = f[7].type == JSON_TRUE;
    const char *wrong = read_nsp(g, f[2]);
    if (wrong == NULL)
        wrong = read_event(g, f[3]);
    if (wrong == NULL)
        wrong = read_data(g, f[4], f[5]);
    if (wrong == NULL)
        wrong = read_bin(g, f[6]);
    return wrong != NULL ? wrong : read_except(g);
}

static void said_init(struct said *g, const struct emits_from *from) {
    memset(g, 0, sizeof *g);
    g->from = from;
    buf_init(&g->nsp);
    buf_init(&g->names);
}

static void said_deinit(struct said *g) {
    buf_deinit(&g->nsp);
    buf_deinit(&g->names);
}

/* Walks the targets of an emit, which may be one or several. */
struct targets {
    struct json_iter it;
    struct json_value one;
};

static void targets_init(struct targets *t, struct json_value to) {
    t->one = to;
    json_iter_init(&t->it, to);
}

static bool targets_next(struct targets *t, struct json_value *out) {
    if (t->one.type == JSON_ARRAY) {
        bool more = json_iter_next(&t->it);
        *out = t->it.value;
        return more;
    }
    *out = t->one;
    t->one.type = JSON_NONE;
    return out->type != JSON_NONE;
}

static const char *check_targets(const struct said *g) {
    struct targets t;
    struct json_value value;
    struct target one;
    unsigned count = 0;
    targets_init(&t, g->to);
    for (; targets_next(&t, &value); count++) {
        if (!read_target(g->from, value, &one))
            return log_text("to is no target: %.*s",
                            (int)(value.raw.len < 200 ? value.raw.len : 200), value.raw.ptr);
    }
    return count == 0 || count > EMITS_MOST ? "to has no target, or more than 100" : NULL;
}

const char *emits_check(const struct emits_from *from, struct json_value emits) {
    struct json_iter it;
    const char *wrong = NULL;
    unsigned count = 0;
    if (!is_there(emits))
        return NULL;
    if (emits.type != JSON_ARRAY)
        return "emit is no array";
    json_iter_init(&it, emits);
    for (; wrong == NULL && json_iter_next(&it); count++) {
        struct said g;
        said_init(&g, from);
        wrong = read_emit(&g, it.value);
        if (wrong == NULL)
            wrong = check_targets(&g);
        said_deinit(&g);
    }
    return wrong != NULL || count <= EMITS_MOST ? wrong : "emit has more than 100";
}

/* --- sending --------------------------------------------------------------------------------
 */

struct emits {
    unsigned pending, number;
    enum err err;
    enum outcome outcome;
    emits_done done;
    void *arg;
};

static void note(struct emits *s, enum err err, enum outcome outcome) {
    if (err == ERR_OK || s->err != ERR_OK)
        return;
    s->err = err;
    s->outcome = outcome;
}

/* One is over; after the last one, `s` is gone. */
static void one_over(struct emits *s) {
    if (--s->pending > 0)
        return;
    struct emits over = *s;
    free(s);
    over.done(over.arg, over.err, over.outcome);
}

static void on_sent(void *arg, const struct reply *reply, enum outcome outcome) {
    note(arg, reply != NULL ? ERR_OK : ERR_UNAVAILABLE, outcome);
    one_over(arg);
}

static void send_to(struct emits *s, const struct said *g, const struct target *to) {
    static const struct slice nobody = {NULL, 0};
    struct redis *redis = g->from->clients->redis;
    struct emit emit = g->emit;
    char id[128];
    if (to->me && g->from->socket.len == 0)
        return;
    if (to->me)
        emit.nsp = g->from->nsp;
    int len = snprintf(id, sizeof id, ":hook:%.*s:%u", (int)g->from->id.len, g->from->id.ptr,
                       s->number++);
    struct slice once = {id, g->from->id.len != 0 ? (size_t)len : 0};
    enum append_result result =
        g->ephemeral || to->ephemeral
            ? ring_emit(redis, to->channel, &emit, nobody, on_sent, s)
            : append_emit(redis, to->channel, &emit, once, nobody, NULL, on_sent, s);
    if (result == APPEND_SENT) /* it is answered in a later turn */
        s->pending++;
    else if (result == APPEND_AWAY)
        note(s, ERR_UNAVAILABLE, OUTCOME_REFUSED);
    else
        note(s, ERR_INTERNAL, OUTCOME_NONE);
}

static void send_one(struct emits *s, const struct emits_from *from, struct json_value value) {
    struct said g;
    struct targets t;
    struct json_value to;
    struct target one;
    said_init(&g, from);
    read_emit(&g, value);
    targets_init(&t, g.to);
    while (targets_next(&t, &to)) {
        read_target(from, to, &one);
        send_to(s, &g, &one);
    }
    said_deinit(&g);
}

void emits_send(const struct emits_from *from, struct json_value emits, emits_done done,
                void *arg) {
    struct json_iter it;
    struct emits *s = calloc(1, sizeof *s);
    if (s == NULL) {
        done(arg, ERR_INTERNAL, OUTCOME_NONE);
        return;
    }
    *s = (struct emits){.pending = 1, .done = done, .arg = arg};
    json_iter_init(&it, emits);
    while (json_iter_next(&it))
        send_one(s, from, it.value);
    one_over(s);
}
