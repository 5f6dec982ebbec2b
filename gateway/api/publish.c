#include "gateway/api/publish.h"

#include <stdlib.h>

#include "gateway/channel/append.h"
#include "gateway/channel/name.h"
#include "gateway/channel/position.h"
#include "gateway/client/own.h"

enum { CHANNEL, CHANNELS, EVENT, DATA, ARGS, BIN, EPHEMERAL, EXCEPT, NAMESPACE };

#define EVENT_SIZE 129
#define NAME_SIZE  (NAME_MAX_LEN + 16)

/* What became of it in a channel. */
struct part {
    struct publish *all;
    bool done;
    bool sent;
    bool conflict; /* the Idempotency-Key was used for another request */
    enum outcome outcome;
    struct position at;
    uint64_t time; /* µs */
};

struct publish {
    struct ask ask;
    const struct api_source *source;
    bool many; /* `channels` was given */
    bool ephemeral;
    unsigned pending;
    size_t count;
    struct part parts[];
};

/* --- the answer -----------------------------------------------------------------------------
 */

static void put_part(struct buf *out, const struct publish *p, const struct part *part) {
    if (part->conflict)
        api_put_refusal(out, REFUSAL_CONFLICT, "Idempotency-Key", OUTCOME_NONE);
    else if (!part->sent)
        api_put_refusal(out, REFUSAL_UNAVAILABLE, NULL, part->outcome);
    else if (p->ephemeral)
        buf_str(out, "{}");
    else {
        append_put_result(out, part->at.seq, part->time);
        buf_str(out, ",\"epoch\":");
        json_escape(out, slice_of(part->at.epoch));
        buf_char(out, '}');
    }
}

static void put_all(struct buf *out, const struct publish *p) {
    if (!p->many) {
        put_part(out, p, &p->parts[0]);
        return;
    }
    buf_str(out, "{\"results\":[");
    for (size_t i = 0; i < p->count; i++) {
        buf_str(out, i > 0 ? "," : "");
        put_part(out, p, &p->parts[i]);
    }
    buf_str(out, "]}");
}

/* It is refused as a whole if it was in each channel. */
static void answer(struct publish *p) {
    bool sent = false, conflict = true;
    enum outcome outcome = OUTCOME_REFUSED;
    struct buf out;
    for (size_t i = 0; i < p->count; i++) {
        sent |= p->parts[i].sent;
        conflict &= p->parts[i].conflict;
        if (p->parts[i].outcome == OUTCOME_UNKNOWN)
            outcome = OUTCOME_UNKNOWN;
    }
    if (!sent && conflict) {
        ask_refuse(&p->ask, REFUSAL_CONFLICT, "Idempotency-Key");
        return;
    }
    if (!sent) {
        ask_unavailable(&p->ask, outcome);
        return;
    }
    buf_init(&out);
    put_all(&out, p);
    ask_answer(&p->ask, &out);
    buf_deinit(&out);
}

static void on_done(void *arg, const struct reply *reply, enum outcome outcome) {
    struct part *part = arg;
    struct publish *p = part->all;
    long long status = reply != NULL ? reply_number(reply_item(reply, 0)) : 0;
    part->conflict = status == SCRIPT_CONFLICT;
    part->sent = reply != NULL && status == 0;
    part->outcome = reply != NULL ? OUTCOME_NONE : outcome;
    if (part->sent && !p->ephemeral) {
        part->time = (uint64_t)reply_number(reply_item(reply, 2));
        position_set(&part->at, reply_text(reply_item(reply, 3)),
                     (uint64_t)reply_number(reply_item(reply, 1)));
        if (append_has_cut(reply))
            metric_limited(p->source->clients->metrics, LIMIT_LOG_BYTES);
    }
    if (--p->pending == 0)
        answer(p);
}

/* --- the request ----------------------------------------------------------------------------
 */

static struct slice decoded(struct json_value value, char *out, size_t size) {
    ptrdiff_t len = json_decode(value, out, size);
    return (struct slice){out, len > 0 ? (size_t)len : 0};
}

/* No log keeps what goes to these. */
static bool needs_no_log(struct slice channel) {
    return is_socket(channel) || slice_is(channel, "all");
}

/* The channels, as an array or a single one. */
static struct json_value channels_of(const struct api_call *c) {
    return c->fields[CHANNELS].type != JSON_NONE ? c->fields[CHANNELS] : c->fields[CHANNEL];
}

static bool is_ephemeral(const struct api_call *c) {
    return c->fields[EPHEMERAL].type == JSON_TRUE;
}

static bool any_needs_no_log(const struct api_call *c) {
    struct json_value value = channels_of(c);
    struct json_iter it;
    char bytes[NAME_SIZE];
    if (value.type == JSON_STRING)
        return needs_no_log(decoded(value, bytes, sizeof bytes));
    json_iter_init(&it, value);
    while (json_iter_next(&it)) {
        if (needs_no_log(decoded(it.value, bytes, sizeof bytes)))
            return true;
    }
    return false;
}

/* Is the request whole, as far as the table does not say it? False after a refusal. */
static bool check(const struct api_call *c, const struct emit *e) {
    const struct json_value *f = c->fields;
    bool one = f[CHANNEL].type != JSON_NONE, many = f[CHANNELS].type != JSON_NONE;
    bool data = f[DATA].type != JSON_NONE, args = f[ARGS].type != JSON_NONE;
    if (!one && !many)
        api_refuse(c, REFUSAL_MISSING_FIELD, "channel");
    else if (one && many)
        api_refuse(c, REFUSAL_BAD_FIELD, "channels");
    else if (!data && !args)
        api_refuse(c, REFUSAL_MISSING_FIELD, "data");
    else if (data && args)
        api_refuse(c, REFUSAL_BAD_FIELD, "args");
    else if (event_reserved(c->source->clients->options, e->event, e->nsp))
        api_refuse(c, REFUSAL_BAD_FIELD, "event");
    else if (!is_ephemeral(c) && any_needs_no_log(c))
        api_refuse(c, REFUSAL_BAD_FIELD, one ? "channel" : "channels");
    else if (is_ephemeral(c) && c->once.len > 0)
        api_refuse(c, REFUSAL_BAD_FIELD, "Idempotency-Key");
    else
        return true;
    return false;
}

/* The texts, with nothing between them (message.h). */
static void put_except(struct buf *out, struct json_value list) {
    struct json_iter it;
    bool first = true;
    char bytes[NAME_SIZE];
    json_iter_init(&it, list);
    while (json_iter_next(&it)) {
        buf_char(out, first ? '[' : ',');
        json_escape(out, decoded(it.value, bytes, sizeof bytes));
        first = false;
    }
    if (!first)
        buf_char(out, ']');
}

/* The texts are base64, of which some JSON writers escape the slashes. */
static void put_bin(struct buf *out, struct json_value list) {
    struct json_iter it;
    bool first = true;
    json_iter_init(&it, list);
    while (json_iter_next(&it)) {
        struct slice raw = it.value.raw;
        buf_char(out, first ? '[' : ',');
        while (raw.len > 0)
            buf_slice(out, slice_cut(&raw, '\\'));
        first = false;
    }
    if (!first)
        buf_char(out, ']');
}

/* One argument goes as data. */
static void set_arguments(struct emit *e, const struct api_call *c) {
    struct json_iter it;
    unsigned count = 0;
    struct slice only = {NULL, 0};
    e->data = c->fields[DATA].raw;
    json_iter_init(&it, c->fields[ARGS]);
    while (json_iter_next(&it)) {
        count++;
        only = it.value.raw;
    }
    if (count == 1)
        e->data = only;
    else
        e->args = c->fields[ARGS].raw;
}

static void send_one(struct publish *p, const struct api_call *c, const struct emit *e,
                     struct json_value channel, struct part *part) {
    char name[NAME_SIZE], once[ONCE_SIZE];
    struct slice to = decoded(channel, name, sizeof name), nobody = {NULL, 0};
    struct redis *redis = c->source->redis;
    enum append_result result = p->ephemeral ? ring_emit(redis, to, e, nobody, on_done, part)
                                             : append_emit(redis, to, e, api_once(c, once),
                                                           nobody, NULL, on_done, part);
    if (result == APPEND_SENT)
        p->pending++;
    else
        part->outcome = OUTCOME_REFUSED;
}

static void send_all(struct publish *p, const struct api_call *c, const struct emit *e) {
    struct json_value value = channels_of(c);
    struct json_iter it;
    size_t i = 0;
    if (!p->many) {
        send_one(p, c, e, value, &p->parts[0]);
        return;
    }
    json_iter_init(&it, value);
    while (json_iter_next(&it))
        send_one(p, c, e, it.value, &p->parts[i++]);
}

static size_t count_of(struct json_value value) {
    struct json_iter it;
    size_t count = 0;
    if (value.type != JSON_ARRAY)
        return 1;
    json_iter_init(&it, value);
    while (json_iter_next(&it))
        count++;
    return count;
}

static void begin(struct api_call *c, const struct emit *e) {
    size_t count = count_of(channels_of(c));
    struct publish *p = ask_make(sizeof *p + count * sizeof p->parts[0]);
    if (p != NULL) {
        p->source = c->source;
        p->many = c->fields[CHANNELS].type != JSON_NONE;
        p->ephemeral = is_ephemeral(c);
        p->count = count;
        for (size_t i = 0; i < count; i++)
            p->parts[i].all = p;
        send_all(p, c, e);
    }
    ask_begun(c, p != NULL ? &p->ask : NULL, p != NULL && p->pending > 0);
}

void api_publish_post(struct api_call *c) {
    char event[EVENT_SIZE], nsp[EVENT_SIZE];
    struct buf except, bin;
    struct emit e = {.event = SLICE("message")};
    if (c->fields[EVENT].type != JSON_NONE)
        e.event = decoded(c->fields[EVENT], event, sizeof event);
    if (c->fields[NAMESPACE].type != JSON_NONE)
        e.nsp = decoded(c->fields[NAMESPACE], nsp, sizeof nsp);
    set_arguments(&e, c);
    buf_init(&except);
    put_except(&except, c->fields[EXCEPT]);
    e.except = buf_bytes(&except);
    buf_init(&bin);
    put_bin(&bin, c->fields[BIN]);
    e.bin = buf_bytes(&bin);
    if (except.failed || bin.failed)
        api_unavailable(c, OUTCOME_REFUSED);
    else if (check(c, &e))
        begin(c, &e);
    buf_deinit(&except);
    buf_deinit(&bin);
}
