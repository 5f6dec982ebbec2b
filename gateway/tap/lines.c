#include "gateway/tap/lines.h"

#include "common/log.h"
#include "gateway/hooks/config.h"
#include "gateway/redis/scripts.h"

static const struct type {
    const char *name;
    enum tap_kind kind;
} types[] = {{"user_online", TAP_PRESENCE},
             {"user_offline", TAP_PRESENCE},
             {"connection_opened", TAP_CONNECTIONS},
             {"connection_closed", TAP_CONNECTIONS},
             {"room_joined", TAP_ROOMS},
             {"room_left", TAP_ROOMS},
             {"message", TAP_MESSAGES},
             {"channel_occupied", TAP_TOPICS},
             {"channel_vacated", TAP_TOPICS},
             {"message_unseen", TAP_UNSEEN}};
#define TYPES (sizeof types / sizeof *types)

static struct slice cut_word(struct slice *text) {
    size_t at = 0, len;
    while (at < text->len && (text->ptr[at] == ' ' || text->ptr[at] == '\t'))
        at++;
    for (len = at; len < text->len && text->ptr[len] != ' ' && text->ptr[len] != '\t';)
        len++;
    struct slice word = {text->ptr + at, len - at};
    *text = (struct slice){text->ptr + len, text->len - len};
    return word;
}

static const struct type *type_of(struct slice name) {
    for (size_t i = 0; i < TYPES; i++)
        if (slice_is(name, types[i].name))
            return &types[i];
    return NULL;
}

static const char *kind_name(enum tap_kind kind) {
#define NAME(symbol, name) name,
    static const char *const names[] = {TAP_KINDS(NAME)};
#undef NAME
    return names[kind];
}

/* --- checking -------------------------------------------------------------------------------
 */

static const char *check_types(struct slice list, unsigned kinds) {
    while (list.len > 0) {
        struct slice word = slice_cut(&list, ',');
        const struct type *t = type_of(word);
        if (t == NULL)
            return log_text("there is no type \"%.*s\"", (int)word.len, word.ptr);
        if ((kinds >> t->kind & 1) == 0)
            return log_text("%s needs tap = %s", t->name, kind_name(t->kind));
    }
    return kinds == 0 ? "needs tap, which says what is told" : NULL;
}

static bool is_named_before(const char *list, struct slice url) {
    struct slice rest = slice_of(list);
    while (rest.len > 0) {
        struct slice line = slice_cut(&rest, '\n');
        struct slice other = cut_word(&line);
        if (slice_eq(other, url))
            return other.ptr != url.ptr;
    }
    return false;
}

const char *webhook_check(const struct options *o) {
    struct slice rest = slice_of(o->webhook);
    unsigned kinds;
    tap_kinds_read(slice_of(o->tap), &kinds);
    while (rest.len > 0) {
        struct slice line = slice_cut(&rest, '\n');
        struct slice whole = line, url = cut_word(&line), list = cut_word(&line);
        const char *wrong = hooks_check_url(url, o->hook_plain);
        if (wrong == NULL && cut_word(&line).len > 0)
            wrong = "must be URL [TYPE,...]";
        if (wrong == NULL)
            wrong = check_types(list, kinds);
        if (wrong == NULL && is_named_before(o->webhook, url))
            wrong = "the URL is named twice";
        if (wrong != NULL)
            return log_text("\"%.*s\": %s", (int)whole.len, whole.ptr, wrong);
    }
    return NULL;
}

/* --- reading --------------------------------------------------------------------------------
 */

bool webhook_line_next(struct slice *rest, unsigned kinds, struct webhook_line *out) {
    if (rest->len == 0)
        return false;
    struct slice line = slice_cut(rest, '\n');
    out->url = cut_word(&line);
    struct slice list = cut_word(&line);
    size_t at = (size_t)snprintf(out->types, sizeof out->types, ",");
    for (size_t i = 0; i < TYPES; i++) {
        struct slice left = list;
        bool named = list.len == 0 && (kinds >> types[i].kind & 1) != 0;
        while (left.len > 0)
            named = slice_is(slice_cut(&left, ','), types[i].name) || named;
        if (named)
            at +=
                (size_t)snprintf(out->types + at, sizeof out->types - at, "%s,", types[i].name);
    }
    return true;
}

bool webhook_types_have(const char *list, struct slice type) {
    struct slice rest = slice_of(list);
    while (rest.len > 0)
        if (slice_eq(slice_cut(&rest, ','), type))
            return type.len > 0;
    return false;
}
