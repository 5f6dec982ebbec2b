#include "common/sio.h"

const char *sio_error_text(enum sio_error e) {
#define TEXT(symbol, text) text,
    static const char *const texts[] = {SIO_ERROR_TABLE(TEXT)};
#undef TEXT
    return texts[e];
}

static bool is_binary(enum sio_type type) {
    return type == SIO_BINARY_EVENT || type == SIO_BINARY_ACK;
}

/* The rest of a packet's text. */
struct rest {
    const char *at;
    const char *end;
};

static bool next_is_digit(const struct rest *r) {
    return r->at < r->end && *r->at >= '0' && *r->at <= '9';
}

/* Takes digits. Returns false if there is none, or if the number is above `max`. */
static bool take_number(struct rest *r, uint64_t max, uint64_t *out) {
    uint64_t n = 0;
    bool good = next_is_digit(r);
    for (; next_is_digit(r); r->at++) {
        good = good && !__builtin_mul_overflow(n, 10, &n) &&
               !__builtin_add_overflow(n, (uint64_t)(*r->at - '0'), &n);
    }
    *out = n;
    return good && n <= max;
}

/* --- the head -------------------------------------------------------------------------------
 */

static enum sio_error take_type(struct rest *r, struct sio_packet *out) {
    if (r->at == r->end)
        return SIO_E_TYPE;
    unsigned type = (unsigned char)*r->at++ - (unsigned)'0';
    if (type > SIO_BINARY_ACK || type == SIO_CONNECT_ERROR)
        return SIO_E_TYPE;
    out->type = (enum sio_type)type;
    return SIO_OK;
}

static enum sio_error take_attachments(struct rest *r, uint32_t max, struct sio_packet *out) {
    uint64_t n;
    if (!is_binary(out->type))
        return SIO_OK;
    if (!take_number(r, max, &n) || r->at == r->end || *r->at++ != '-')
        return SIO_E_ATTACHMENTS;
    out->attachments = (uint32_t)n;
    return SIO_OK;
}

static enum sio_error take_namespace(struct rest *r, struct sio_packet *out) {
    out->nsp = SLICE("/");
    if (r->at == r->end || *r->at != '/')
        return SIO_OK;
    const char *comma = memchr(r->at, ',', (size_t)(r->end - r->at));
    const char *end = comma != NULL ? comma : r->end;
    out->nsp = (struct slice){r->at, (size_t)(end - r->at)};
    r->at = comma != NULL ? comma + 1 : end;
    if (out->nsp.len > SIO_NAMESPACE_MAX)
        return SIO_E_NAMESPACE;
    for (size_t i = 0; i < out->nsp.len; i++) {
        unsigned char c = (unsigned char)out->nsp.ptr[i];
        if (c < 0x20 || c == 0x7f)
            return SIO_E_NAMESPACE;
    }
    return SIO_OK;
}

/* CONNECT and DISCONNECT have no id: it is skipped, as by the reference server. */
static enum sio_error take_id(struct rest *r, struct sio_packet *out) {
    bool takes = out->type != SIO_CONNECT && out->type != SIO_DISCONNECT;
    bool comes = next_is_digit(r);
    if (comes && !take_number(r, UINT64_MAX, &out->id) && takes)
        return SIO_E_ID;
    out->has_id = comes && takes;
    if (!out->has_id)
        out->id = 0;
    return SIO_OK;
}

/* --- the payload ----------------------------------------------------------------------------
 */

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool sio_reserves(struct slice name) {
    static const char *const names[] = {"connect",       "connect_error", "disconnect",
                                        "disconnecting", "newListener",   "removeListener"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (slice_is(name, names[i]))
            return true;
    }
    return false;
}

static bool is_reserved(struct json_value name) {
    char text[16];
    ptrdiff_t len = json_decode(name, text, sizeof text);
    return len >= 0 && sio_reserves((struct slice){text, (size_t)len});
}

/* The rest of an array from `from` on, which is after its bracket or an element. */
static struct slice rest_of(struct json_value array, const char *from) {
    const char *end = array.raw.ptr + array.raw.len - 1;
    while (from < end && (*from == ',' || is_space(*from)))
        from++;
    return (struct slice){from, (size_t)(end - from)};
}

static enum sio_error check_event(struct sio_packet *out) {
    struct json_iter it;
    json_iter_init(&it, out->payload);
    if (out->payload.type != JSON_ARRAY)
        return SIO_E_PAYLOAD;
    if (!json_iter_next(&it))
        return SIO_E_NAME;
    out->name = it.value;
    out->args = rest_of(out->payload, it.at);
    bool named = it.value.type == JSON_NUMBER ||
                 (it.value.type == JSON_STRING && !is_reserved(it.value));
    return named ? SIO_OK : SIO_E_NAME;
}

static enum sio_error check_payload(struct sio_packet *out) {
    if (out->payload.type == JSON_NONE && (out->type == SIO_EVENT || out->type == SIO_ACK))
        return SIO_OK;
    switch (out->type) {
    case SIO_CONNECT:
        return out->payload.type == JSON_NONE || out->payload.type == JSON_OBJECT
                   ? SIO_OK
                   : SIO_E_PAYLOAD;
    case SIO_DISCONNECT:
        return out->payload.type == JSON_NONE ? SIO_OK : SIO_E_PAYLOAD;
    case SIO_EVENT:
    case SIO_BINARY_EVENT:
        return check_event(out);
    case SIO_ACK:
    case SIO_BINARY_ACK:
        if (out->payload.type != JSON_ARRAY)
            return SIO_E_PAYLOAD;
        out->args = rest_of(out->payload, out->payload.raw.ptr + 1);
        return SIO_OK;
    default:
        return SIO_E_TYPE;
    }
}

static enum sio_error take_payload(struct rest *r, struct sio_packet *out) {
    struct slice text = {r->at, (size_t)(r->end - r->at)};
    if (text.len > 0) {
        int status = json_parse(text, &out->payload);
        if (status != JSON_OK)
            return status == JSON_E_DEPTH ? SIO_E_DEPTH : SIO_E_JSON;
    }
    return check_payload(out);
}

/* --- placeholders ---------------------------------------------------------------------------
 * One walk over text that json_parse accepted, with a stack of its own: asking json_iter at
 * each level would read deep payloads once a level.
 */

struct level {
    bool object;
    bool marked;    /* "_placeholder" is true */
    bool has_num;   /* "num" is there */
    bool num_valid; /* and below the number of attachments */
    unsigned members;
    uint64_t num;
};

struct walk {
    uint32_t attachments;
    uint32_t found;
    unsigned depth;
    struct level levels[JSON_MAX_DEPTH];
    uint64_t seen[SIO_ATTACHMENTS_MAX / 64];
};

/* p: at a quote. */
static const char *after_string(const char *p) {
    for (p++; *p != '"'; p++)
        p += *p == '\\';
    return p + 1;
}

static const char *after_space(const char *p) {
    while (is_space(*p))
        p++;
    return p;
}

static const char *after_scalar(const char *p, const char *end) {
    while (p < end && *p != ',' && *p != ']' && *p != '}' && !is_space(*p))
        p++;
    return p;
}

static bool key_is(struct slice key, const char *name) {
    char text[16];
    struct json_value string = {JSON_STRING, key};
    ptrdiff_t len = json_decode(string, text, sizeof text);
    return len >= 0 && slice_is((struct slice){text, (size_t)len}, name);
}

static void note_member(struct walk *w, struct level *l, struct slice key,
                        struct json_value value) {
    l->members++;
    if (key_is(key, "_placeholder")) {
        l->marked = value.type == JSON_TRUE;
    } else if (key_is(key, "num")) {
        l->has_num = true;
        l->num_valid = json_uint64(value, &l->num) && l->num < w->attachments;
    }
}

/* An object ends. Returns false if it is a placeholder for an attachment that does not exist,
 * or that another placeholder already had. */
static bool end_object(struct walk *w, const struct level *l) {
    if (!l->marked)
        return true;
    if (!l->has_num || !l->num_valid || l->members != 2)
        return false;
    uint64_t bit = UINT64_C(1) << (l->num % 64);
    bool repeated = (w->seen[l->num / 64] & bit) != 0;
    w->seen[l->num / 64] |= bit;
    w->found++;
    return !repeated;
}

/* A string, number or word at p, and what it means to the object around. Returns its end. */
static const char *walk_scalar(struct walk *w, const char *p, const char *end, bool *is_key,
                               struct slice *key) {
    struct level *l = &w->levels[w->depth - 1];
    const char *stop = *p == '"' ? after_string(p) : after_scalar(p, end);
    struct slice raw = {p, (size_t)(stop - p)};
    if (l->object && *is_key) {
        *key = raw;
        *is_key = false;
        return after_space(stop) + 1; /* the colon */
    }
    enum json_type type = *p == 't' ? JSON_TRUE : *p == '"' ? JSON_STRING : JSON_NUMBER;
    if (l->object)
        note_member(w, l, *key, (struct json_value){type, raw});
    return stop;
}

static void walk_enter(struct walk *w, bool object) {
    if (w->depth > 0 && w->levels[w->depth - 1].object)
        w->levels[w->depth - 1].members++;
    w->levels[w->depth++] = (struct level){.object = object};
}

static bool placeholders_match(struct json_value payload, uint32_t attachments) {
    struct walk w = {.attachments = attachments};
    const char *p = payload.raw.ptr;
    const char *end = p + payload.raw.len;
    struct slice key = {NULL, 0};
    bool is_key = false;
    while (p < end) {
        char c = *p;
        if (c == '{' || c == '[') {
            walk_enter(&w, c == '{');
            is_key = c == '{';
            p++;
        } else if (c == '}' || c == ']') {
            if (c == '}' && !end_object(&w, &w.levels[w.depth - 1]))
                return false;
            w.depth--;
            p++;
        } else if (c == ',') {
            is_key = w.levels[w.depth - 1].object;
            p++;
        } else if (is_space(c)) {
            p++;
        } else {
            p = walk_scalar(&w, p, end, &is_key, &key);
        }
    }
    return w.found == attachments;
}

enum sio_error sio_read(struct slice text, uint32_t max_attachments, struct sio_packet *out) {
    struct rest r = {text.ptr, slice_end(text)};
    *out = (struct sio_packet){.type = SIO_CONNECT};
    enum sio_error e = take_type(&r, out);
    if (e == SIO_OK)
        e = take_attachments(&r, max_attachments, out);
    if (e == SIO_OK)
        e = take_namespace(&r, out);
    if (e == SIO_OK)
        e = take_id(&r, out);
    if (e == SIO_OK)
        e = take_payload(&r, out);
    if (e == SIO_OK && is_binary(out->type) &&
        !placeholders_match(out->payload, out->attachments))
        e = SIO_E_PLACEHOLDER;
    return e;
}

void sio_put_head(struct buf *out, const struct sio_packet *head) {
    buf_char(out, (char)('0' + (int)head->type));
    if (is_binary(head->type)) {
        buf_u64(out, head->attachments);
        buf_char(out, '-');
    }
    if (!slice_is(head->nsp, "/")) {
        buf_slice(out, head->nsp);
        buf_char(out, ',');
    }
    if (head->has_id)
        buf_u64(out, head->id);
}
