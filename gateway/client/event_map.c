#include "gateway/client/event_map.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/utf8.h"
#include "gateway/options.h"

#define PARALLEL_MOST 1000

/* --- words ----------------------------------------------------------------------------------
 */

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* Cuts the next word off: up to a blank that is neither in quotes nor in a JSON value. */
static struct slice next_word(struct slice *rest) {
    size_t at = 0, len;
    int depth = 0;
    bool quoted = false;
    while (rest->len > 0 && is_blank(rest->ptr[0]))
        *rest = (struct slice){rest->ptr + 1, rest->len - 1};
    bool json = slice_starts(*rest, SLICE("ack="));
    for (; at < rest->len; at++) {
        char c = rest->ptr[at];
        if (quoted && c == '\\' && json && at + 1 < rest->len)
            at++;
        else if (c == '"')
            quoted = !quoted;
        else if (json && !quoted)
            depth += (c == '[' || c == '{') - (c == ']' || c == '}');
        if (is_blank(c) && !quoted && depth == 0)
            break;
    }
    len = at;
    struct slice word = {rest->ptr, len};
    *rest = (struct slice){rest->ptr + len, rest->len - len};
    return word;
}

/* What stands in quotes, or the word itself. False: a quote is missing. */
static bool unquote(struct slice word, struct slice *out) {
    *out = word;
    if (memchr(word.ptr, '"', word.len) == NULL)
        return true;
    if (word.len < 2 || word.ptr[0] != '"' || word.ptr[word.len - 1] != '"')
        return false;
    *out = (struct slice){word.ptr + 1, word.len - 2};
    return memchr(out->ptr, '"', out->len) == NULL;
}

static bool take_number(struct slice *text, unsigned most, unsigned *out) {
    size_t n = 0;
    *out = 0;
    while (n < text->len && n < 6 && text->ptr[n] >= '0' && text->ptr[n] <= '9')
        *out = *out * 10 + (unsigned)(text->ptr[n++] - '0');
    *text = (struct slice){text->ptr + n, text->len - n};
    return n > 0 && *out <= most;
}

bool event_name_valid(struct slice name) {
    if (name.len == 0 || name.len > EVENT_NAME_MOST || !utf8_valid(name))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
            return false;
    }
    return true;
}

/* --- picks ----------------------------------------------------------------------------------
 */

/* The text itself, as JSON. Quotes around it may be missing. */
static bool read_text(struct slice text, struct pick *p) {
    struct slice inner;
    struct json_value json;
    if (!unquote(text, &inner) || inner.len == 0 || inner.len > sizeof p->bytes - 2 ||
        memchr(inner.ptr, '\\', inner.len) != NULL)
        return false;
    p->bytes[0] = p->bytes[inner.len + 1] = '"';
    memcpy(p->bytes + 1, inner.ptr, inner.len);
    p->length = inner.len + 2;
    return json_parse((struct slice){p->bytes, p->length}, &json) == JSON_OK;
}

static bool read_pick(struct slice word, struct pick *p) {
    *p = (struct pick){.text = word};
    if (slice_starts(word, SLICE("="))) {
        p->is_text = true;
        return read_text(channel_rest(word, SLICE("=")), p);
    }
    if (!take_number(&word, ARGUMENTS_MOST - 1, &p->argument))
        return false;
    if (word.len == 0)
        return true;
    p->path = (struct slice){word.ptr + 1, word.len - 1};
    return word.ptr[0] == '.' && p->path.len > 0 && p->path.ptr[p->path.len - 1] != '.' &&
           memmem(p->path.ptr, p->path.len, "..", 2) == NULL && p->path.ptr[0] != '.';
}

static struct json_value member(struct json_value object, struct slice key) {
    char name[256];
    struct json_iter it;
    json_iter_init(&it, object);
    while (object.type == JSON_OBJECT && json_iter_next(&it)) {
        struct json_value quoted = {JSON_STRING, it.key};
        ptrdiff_t len = json_decode(quoted, name, sizeof name);
        if (len >= 0 && slice_eq((struct slice){name, (size_t)len}, key))
            return it.value;
    }
    return (struct json_value){JSON_NONE, {NULL, 0}};
}

struct json_value pick_value(const struct pick *p, struct json_value args) {
    struct json_value value = {JSON_NONE, {NULL, 0}};
    struct slice path = p->path;
    struct json_iter it;
    if (p->is_text)
        return (struct json_value){JSON_STRING, {p->bytes, p->length}};
    json_iter_init(&it, args);
    for (unsigned i = 0; json_iter_next(&it); i++) {
        if (i == p->argument)
            value = it.value;
    }
    while (path.len > 0)
        value = member(value, slice_cut(&path, '.'));
    bool good = value.type == JSON_STRING || json_is_integer(value);
    return good ? value : (struct json_value){JSON_NONE, {NULL, 0}};
}

/* --- a line ---------------------------------------------------------------------------------
 */

#define NEED(right) (1U << RIGHT_##right)
static const struct {
    const char *name;
    unsigned rights;
    bool picks; /* it takes a pick, */
    bool must;  /* and needs one */
    bool sends; /* it has the modifiers of what is sent */
} actions[] = {
    [MAP_ROOM] = {"room", NEED(ROOMS), true, false, true},
    [MAP_ALL] = {"all", 0, false, false, true},
    [MAP_USER] = {"user", NEED(PRIVATE), true, true, true},
    [MAP_SOCKET] = {"socket", 0, true, true, true},
    [MAP_JOIN] = {"join", 0, true, true, false},
    [MAP_LEAVE] = {"leave", 0, true, true, false},
    [MAP_RPC] = {"rpc", 0, false, false, false},
    [MAP_STREAM] = {"stream", 0, false, false, false},
    [MAP_DROP] = {"drop", 0, false, false, false},
};
#undef NEED
#define ACTIONS (sizeof actions / sizeof *actions)

/* A reader of one line. */
struct reader {
    struct map_line *line;
    struct slice text; /* the whole line */
    struct slice rest;
    const char *wrong;
};

static bool fail(struct reader *r, const char *wrong) {
    if (r->wrong == NULL)
        r->wrong = wrong;
    return false;
}

static bool read_event(struct reader *r) {
    struct map_line *l = r->line;
    if (!unquote(next_word(&r->rest), &l->event))
        return fail(r, "the event's quotes do not end");
    if (!event_name_valid(l->event))
        return fail(r, "an event has 1 to 128 bytes without control characters, \" or \\");
    l->prefix = l->event.ptr[l->event.len - 1] == '*';
    l->event.len -= l->prefix;
    return true;
}

static bool read_where(struct reader *r) {
    struct map_line *l = r->line;
    struct slice before = r->rest, word = next_word(&r->rest);
    bool pick =
        word.len > 0 && (word.ptr[0] == '=' || (word.ptr[0] >= '0' && word.ptr[0] <= '9'));
    if (!actions[l->action].picks || (!pick && !actions[l->action].must)) {
        r->rest = before;
        return true;
    }
    return read_pick(word, &l->where) ||
           fail(r, log_text("`%s` wants an argument's number, as in `0` or `0.name`, or "
                            "`=text`",
                            actions[l->action].name));
}

static bool is_stream_name(struct slice name) {
    for (size_t i = 0; i < name.len; i++) {
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-",
                   name.ptr[i]) == NULL)
            return false;
    }
    return name.len > 0 && name.len <= 64;
}

static bool read_target(struct reader *r) {
    struct map_line *l = r->line;
    if (l->action != MAP_RPC && l->action != MAP_STREAM)
        return true;
    l->target = next_word(&r->rest);
    if (l->action == MAP_STREAM && !is_stream_name(l->target))
        return fail(r, "`stream` wants a name of 1 to 64 of A-Z a-z 0-9 _ . : -");
    return l->target.len > 0 || fail(r, "`rpc` wants a URL");
}

static bool read_action(struct reader *r) {
    struct map_line *l = r->line;
    struct slice word = next_word(&r->rest);
    size_t i = 0;
    while (i < ACTIONS && !slice_is(word, actions[i].name))
        i++;
    if (i == ACTIONS)
        return fail(r,
                    "an action is room, all, user, socket, join, leave, rpc, stream or drop");
    l->action = (enum map_action)i;
    l->row.name = actions[i].name;
    l->row.rights = actions[i].rights;
    return read_where(r) && read_target(r);
}

static bool read_args(struct reader *r, struct slice value) {
    struct map_line *l = r->line;
    bool good = take_number(&value, ARGUMENTS_MOST - 1, &l->first);
    l->last = l->first;
    if (slice_starts(value, SLICE(".."))) {
        value = channel_rest(value, SLICE(".."));
        l->last = ARGUMENTS_MOST;
        if (value.len > 0)
            good = take_number(&value, ARGUMENTS_MOST, &l->last) && good;
    }
    return (good && value.len == 0 && l->last >= l->first) ||
           fail(r, "`args=` wants N..M, N.. or N");
}

static bool read_ack(struct reader *r, struct slice value) {
    struct json_value json;
    r->line->ack = value;
    return (json_parse(value, &json) == JSON_OK) || fail(r, "`ack=` wants JSON");
}

static bool read_time(struct reader *r, struct slice value) {
    char text[32];
    bool fits = value.len < sizeof text;
    memcpy(text, value.ptr, fits ? value.len : 0);
    text[fits ? value.len : 0] = '\0';
    return (fits && options_time(text, &r->line->timeout) && r->line->timeout > 0 &&
            r->line->timeout <= 60000) ||
           fail(r, "`timeout=` wants a time of at most 60s");
}

static bool read_nsp(struct reader *r) {
    r->line->nsp = next_word(&r->rest);
    return slice_starts(r->line->nsp, SLICE("/")) || fail(r, "`in` wants a namespace: /name");
}

static bool read_as(struct reader *r) {
    return (unquote(next_word(&r->rest), &r->line->as) && event_name_valid(r->line->as)) ||
           fail(r, "`as` wants the name of an event");
}

/* A modifier of what is sent. False: it is none. */
static bool read_sending(struct reader *r, struct slice word) {
    struct map_line *l = r->line;
    if (slice_is(word, "volatile"))
        l->is_volatile = true;
    else if (slice_is(word, "others"))
        l->others = true;
    else if (slice_is(word, "from"))
        l->from = true;
    else if (slice_is(word, "open") && l->action == MAP_ROOM)
        l->open = true;
    else if (slice_is(word, "as"))
        read_as(r);
    else if (slice_starts(word, SLICE("args=")))
        read_args(r, channel_rest(word, SLICE("args=")));
    else
        return false;
    return true;
}

static void read_modifier(struct reader *r, struct slice word) {
    struct map_line *l = r->line;
    unsigned parallel;
    if (slice_is(word, "in")) {
        read_nsp(r);
    } else if (slice_starts(word, SLICE("ack="))) {
        read_ack(r, channel_rest(word, SLICE("ack=")));
    } else if (slice_starts(word, SLICE("id="))) {
        if (!read_pick(channel_rest(word, SLICE("id=")), &l->id) || l->id.is_text)
            fail(r, "`id=` wants an argument's number, as in `0` or `0.id`");
    } else if (slice_starts(word, SLICE("timeout=")) && l->action == MAP_RPC) {
        read_time(r, channel_rest(word, SLICE("timeout=")));
    } else if (slice_starts(word, SLICE("parallel=")) && l->action == MAP_RPC) {
        struct slice value = channel_rest(word, SLICE("parallel="));
        if (!take_number(&value, PARALLEL_MOST, &parallel) || value.len > 0 || parallel == 0)
            fail(r, "`parallel=` wants a number from 1 to 1000");
        l->row.parallel = parallel;
    } else if (!actions[l->action].sends || !read_sending(r, word)) {
        fail(r, log_text("`%s` takes no `%.*s`", l->row.name, (int)word.len, word.ptr));
    }
}

static const char *read_line(struct slice text, struct map_line *l) {
    struct reader r = {.line = l, .text = text, .rest = text};
    l->nsp = SLICE("/");
    l->last = ARGUMENTS_MOST;
    if (read_event(&r) && read_action(&r)) {
        struct slice word;
        while ((word = next_word(&r.rest)).len > 0)
            read_modifier(&r, word);
    }
    if (l->action == MAP_ALL || l->action == MAP_SOCKET)
        l->is_volatile = true;
    bool logged = (l->action == MAP_ROOM || l->action == MAP_USER) && !l->is_volatile;
    l->row.flags = EVENT_ANY_ID | (logged ? EVENT_APPENDS : 0);
    l->row.cost = l->action == MAP_RPC ? 3 : 1;
    return r.wrong;
}

/* --- the map --------------------------------------------------------------------------------
 */

struct event_map *event_map_read(const char *text,
                                 void (*handle)(struct request *r, struct json_value data),
                                 const char **why) {
    size_t count = 0;
    struct slice rest = slice_of(text);
    for (; rest.len > 0; count++)
        slice_cut(&rest, '\n');
    struct event_map *m = calloc(1, sizeof *m + count * sizeof *m->lines);
    char *copy = strdup(text);
    *why = "out of memory";
    if (m == NULL || copy == NULL) {
        free(m);
        free(copy);
        return NULL;
    }
    m->text = copy;
    for (rest = slice_of(copy); rest.len > 0;) {
        struct slice line = slice_cut(&rest, '\n');
        struct map_line *l = &m->lines[m->count++];
        const char *wrong = read_line(line, l);
        l->row.handle = handle;
        if (wrong != NULL) {
            *why =
                log_text("%.*s: %s", (int)(line.len < 200 ? line.len : 200), line.ptr, wrong);
            event_map_free(m);
            return NULL;
        }
    }
    return m;
}

bool event_map_is(const struct event_map *m, const char *text) {
    return m != NULL && strcmp(m->text, text) == 0;
}

void event_map_free(struct event_map *m) {
    while (m != NULL) {
        struct event_map *former = m->former;
        free(m->text);
        free(m);
        m = former;
    }
}

const struct map_line *event_map_find(const struct event_map *m, struct slice event,
                                      struct slice nsp) {
    for (size_t i = 0; m != NULL && i < m->count; i++) {
        const struct map_line *l = &m->lines[i];
        if ((l->prefix ? slice_starts(event, l->event) : slice_eq(event, l->event)) &&
            slice_eq(l->nsp, nsp))
            return l;
    }
    return NULL;
}
