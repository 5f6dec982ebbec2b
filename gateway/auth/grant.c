#include "gateway/auth/grant.h"

#include <stdlib.h>

#include "common/log.h"

static const char *const right_names[] = {NULL,        "rooms",   "private",
                                          "subscribe", "publish", "channels"};
_Static_assert(sizeof right_names / sizeof *right_names == RIGHT_COUNT, "a name for each");

#define NO_MEMORY    "there is no memory left"
#define TEXT_LIMIT   65535
#define PATTERN_MOST 8192 /* no token is longer */

/* The bytes of a pattern stand without the * or the :rw at its end. */
struct pattern {
    uint32_t at; /* in the grant's bytes */
    uint16_t len;
    uint8_t right;
    bool beginning; /* a * stood at the end */
    bool write;     /* :rw stood at the end */
};

/* Owned by one identity; its patterns of all rights stand in one row. */
struct grant {
    struct pattern *patterns;
    char *bytes;
    unsigned count;
};

/* --- made -----------------------------------------------------------------------------------
 */

/* A grant while it is read. */
struct maker {
    struct buf patterns;
    struct buf bytes;
};

static void strip(struct slice *text, struct slice ending, bool *found) {
    size_t rest = text->len - ending.len;
    *found = text->len >= ending.len && memcmp(text->ptr + rest, ending.ptr, ending.len) == 0;
    if (*found)
        text->len = rest;
}

static void add(struct maker *m, enum right right, struct slice text) {
    struct pattern p = {.at = (uint32_t)m->bytes.len, .right = (uint8_t)right};
    bool read_only = false;
    if (right == RIGHT_CHANNELS)
        strip(&text, SLICE(":rw"), &p.write);
    if (right == RIGHT_CHANNELS && !p.write)
        strip(&text, SLICE(":r"), &read_only);
    strip(&text, SLICE("*"), &p.beginning);
    p.len = (uint16_t)text.len;
    buf_slice(&m->bytes, text);
    buf_append(&m->patterns, &p, sizeof p);
}

/* Takes the buffers over. */
static struct grant *finish(struct maker *m, const char **why) {
    struct grant *g = malloc(sizeof *g);
    if (g == NULL || m->patterns.failed || m->bytes.failed) {
        free(g);
        buf_deinit(&m->patterns);
        buf_deinit(&m->bytes);
        *why = NO_MEMORY;
        return NULL;
    }
    *g = (struct grant){.patterns = (struct pattern *)(void *)m->patterns.data,
                        .bytes = m->bytes.data,
                        .count = (unsigned)(m->patterns.len / sizeof(struct pattern))};
    return g;
}

static struct grant *give_up(struct maker *m) {
    buf_deinit(&m->patterns);
    buf_deinit(&m->bytes);
    return NULL;
}

static enum right right_find(struct slice name) {
    for (unsigned i = 1; i < RIGHT_COUNT; i++)
        if (slice_is(name, right_names[i]))
            return (enum right)i;
    return RIGHT_NONE;
}

void grant_free(struct grant *g) {
    if (g == NULL)
        return;
    free(g->patterns);
    free(g->bytes);
    free(g);
}

/* --- from a text ----------------------------------------------------------------------------
 */

static struct slice trim(struct slice s) {
    while (s.len > 0 && s.ptr[0] == ' ') {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && s.ptr[s.len - 1] == ' ')
        s.len--;
    return s;
}

/* Takes what stands before the first `end` from *rest, without blanks around it. */
static struct slice take(struct slice *rest, char end) {
    const char *at = rest->len > 0 ? memchr(rest->ptr, end, rest->len) : NULL;
    struct slice first = {rest->ptr, at != NULL ? (size_t)(at - rest->ptr) : rest->len};
    size_t taken = first.len + (at != NULL);
    rest->ptr += taken;
    rest->len -= taken;
    return trim(first);
}

static const char *read_list(struct maker *m, struct slice list, unsigned *seen) {
    bool has_list = memchr(list.ptr, '=', list.len) != NULL;
    struct slice name = take(&list, '=');
    enum right right = has_list ? right_find(name) : RIGHT_NONE;
    if (right == RIGHT_NONE)
        return "must be like rooms=*;private=*;subscribe=*;publish=;channels=";
    if ((*seen & 1U << right) != 0)
        return log_text("names %s twice", right_names[right]);
    *seen |= 1U << right;
    while (list.len > 0) {
        struct slice pattern = take(&list, ',');
        if (pattern.len > 0)
            add(m, right, pattern);
    }
    return NULL;
}

struct grant *grant_from_text(const char *text, const char **why) {
    struct maker m = {.patterns = {0}};
    struct slice rest = slice_of(text);
    unsigned seen = 0;
    *why = rest.len > TEXT_LIMIT ? "is too long" : NULL;
    while (*why == NULL && rest.len > 0) {
        struct slice list = take(&rest, ';');
        if (list.len > 0)
            *why = read_list(&m, list, &seen);
    }
    return *why == NULL ? finish(&m, why) : give_up(&m);
}

/* --- from a claim ---------------------------------------------------------------------------
 */

static bool read_pattern(struct maker *m, enum right right, struct json_value value) {
    char text[PATTERN_MOST];
    ptrdiff_t len = json_decode(value, text, sizeof text);
    if (len < 0)
        return false;
    if (len > 0)
        add(m, right, (struct slice){text, (size_t)len});
    return true;
}

static const char *read_member(struct maker *m, struct slice key, struct json_value value,
                               unsigned *seen) {
    char text[16];
    struct json_value name = {JSON_STRING, key};
    ptrdiff_t len = json_decode(name, text, sizeof text);
    enum right right = len < 0 ? RIGHT_NONE : right_find((struct slice){text, (size_t)len});
    if (right == RIGHT_NONE)
        return "the claim sluice has a member that is no right";
    struct json_iter it;
    json_iter_init(&it, value);
    bool good = value.type == JSON_ARRAY;
    while (good && json_iter_next(&it))
        good = read_pattern(m, right, it.value);
    *seen |= 1U << right;
    return good ? NULL
                : log_text("%s in the claim sluice must be a list of strings",
                           right_names[right]);
}

static void copy_missing(struct maker *m, const struct grant *from, unsigned seen) {
    for (unsigned i = 0; i < from->count; i++) {
        struct pattern p = from->patterns[i];
        if ((seen & 1U << p.right) != 0)
            continue;
        struct slice bytes = {from->bytes + p.at, p.len};
        p.at = (uint32_t)m->bytes.len;
        buf_slice(&m->bytes, bytes);
        buf_append(&m->patterns, &p, sizeof p);
    }
}

struct grant *grant_from_claim(struct json_value claim, const struct grant *missing,
                               const char **why) {
    struct maker m = {.patterns = {0}};
    unsigned seen = 0;
    bool good = claim.type == JSON_OBJECT || claim.type == JSON_NONE;
    *why = good ? NULL : "the claim sluice must be an object";
    struct json_iter it;
    json_iter_init(&it, claim);
    while (*why == NULL && json_iter_next(&it))
        *why = read_member(&m, it.key, it.value, &seen);
    if (*why != NULL)
        return give_up(&m);
    copy_missing(&m, missing, seen);
    return finish(&m, why);
}

/* --- asked ----------------------------------------------------------------------------------
 */

/* Takes `part` from the beginning of *name. */
static bool eat(struct slice *name, struct slice part) {
    if (!slice_starts(*name, part))
        return false;
    name->ptr += part.len;
    name->len -= part.len;
    return true;
}

/* Each $me is replaced while it is compared, so nothing in `me` can mean more than itself. */
static bool matches(struct slice pattern, bool beginning, struct slice name, struct slice me) {
    while (pattern.len > 0) {
        struct slice part = {pattern.ptr, 1};
        bool own = slice_starts(pattern, SLICE("$me"));
        if (!eat(&name, own ? me : part))
            return false;
        size_t taken = own ? 3 : 1;
        pattern.ptr += taken;
        pattern.len -= taken;
    }
    return beginning || name.len == 0;
}

static bool find(const struct grant *g, enum right right, struct slice name, bool write,
                 struct slice me) {
    for (unsigned i = 0; i < g->count; i++) {
        const struct pattern *p = &g->patterns[i];
        struct slice bytes = {g->bytes + p->at, p->len};
        if (p->right == right && (p->write || !write) && matches(bytes, p->beginning, name, me))
            return true;
    }
    return false;
}

bool grant_allows(const struct grant *g, enum right right, struct slice name, struct slice me) {
    return find(g, right, name, false, me);
}

bool grant_allows_channel(const struct grant *g, struct slice name, bool write,
                          struct slice me) {
    return find(g, RIGHT_CHANNELS, name, write, me);
}
