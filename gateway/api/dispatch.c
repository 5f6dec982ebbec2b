#include "gateway/api/dispatch.h"

#include <stdio.h>

#include "common/percent.h"
#include "common/utf8.h"

#define ONCE_MOST 128

/* --- the route ------------------------------------------------------------------------------
 */

/* Does the path fit the pattern? parts: what stands for the pattern's names, still encoded. */
static bool fits(struct slice pattern, struct slice path, struct slice parts[API_PARTS]) {
    unsigned count = 0;
    while (pattern.len > 0 && path.len > 0) {
        struct slice word = slice_cut(&pattern, '/'), given = slice_cut(&path, '/');
        bool open = word.len > 0 && word.ptr[0] == '{';
        if (open ? given.len == 0 : !slice_eq(word, given))
            return false;
        if (open)
            parts[count++] = given;
    }
    return pattern.len == 0 && path.len == 0;
}

/* slice_cut does not tell "a/" from "a". */
static bool ends_open(struct slice path) {
    return path.len > 0 && path.ptr[path.len - 1] == '/';
}

static bool takes(const struct api_route *r, struct slice method) {
    return slice_is(method, r->method) ||
           (slice_is(method, "HEAD") && strcmp(r->method, "GET") == 0);
}

static void add_method(char *allow, size_t size, const char *method) {
    size_t len = strlen(allow);
    snprintf(allow + len, size - len, "%s%s%s", len > 0 ? ", " : "", method,
             strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

static void keep_part(struct api_call *c, unsigned i, struct slice encoded) {
    struct api_part *part = &c->parts[i];
    ptrdiff_t len = percent_decode(encoded, part->bytes, sizeof part->bytes);
    part->len = len > 0 ? (size_t)len : 0;
}

const struct api_route *dispatch_find(struct api_call *c, struct slice method,
                                      struct slice path) {
    char allow[64] = "";
    struct slice parts[API_PARTS] = {{NULL, 0}, {NULL, 0}};
    const struct api_source *source = c->source;
    for (size_t i = 0; i < source->route_count && c->route == NULL; i++) {
        const struct api_route *r = &source->routes[i];
        if (ends_open(path) || !fits(slice_of(r->path), path, parts))
            continue;
        if (takes(r, method))
            c->route = r;
        else
            add_method(allow, sizeof allow, r->method);
    }
    if (c->route == NULL && allow[0] == '\0')
        api_refuse(c, REFUSAL_NOT_FOUND, NULL);
    else if (c->route == NULL)
        api_refuse_method(c, allow);
    else if (c->key == NULL)
        api_refuse(c, REFUSAL_UNAUTHORIZED, NULL);
    else if ((c->key->rights & c->route->rights) == 0)
        api_refuse(c, REFUSAL_FORBIDDEN, NULL);
    else if (c->item == NULL && c->key->under_way >= API_UNDER_WAY)
        api_refuse(c, REFUSAL_RATE_LIMITED, NULL);
    else {
        for (unsigned i = 0; i < API_PARTS; i++)
            keep_part(c, i, parts[i]);
        return c->route;
    }
    return NULL;
}

size_t dispatch_most(const struct api_source *source, const struct api_route *route) {
    size_t message = (size_t)source->options->max_message + 65536;
    switch (route->size) {
    case API_NO_BODY:
    case API_SMALL:
        return 4096;
    case API_MIDDLE:
        return 262144;
    case API_MESSAGE:
        return message;
    case API_LARGE:
        break;
    }
    return message > 4194304 ? message : 4194304;
}

/* --- what comes with it ---------------------------------------------------------------------
 */

/* Each returns the field that is wrong, or NULL. */
static const char *wrong_part(const struct api_call *c) {
    static const char *const names[] = {"room", "user", "id", "socket", "channel"};
    struct slice path = slice_of(c->route->path);
    for (unsigned i = 0; path.len > 0;) {
        struct slice word = slice_cut(&path, '/');
        if (word.len == 0 || word.ptr[0] != '{')
            continue;
        word = (struct slice){word.ptr + 1, word.len - 2};
        struct api_field field = {.type = api_part_type(word)};
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            if (slice_is(word, names[n]))
                field.name = names[n];
        }
        if (!api_text_good(&field, api_part(c, i++)))
            return field.name;
    }
    return NULL;
}

static const char *wrong_query(const struct api_call *c) {
    char bytes[512];
    const struct api_field *f = c->route->query;
    for (; f != NULL && f->name != NULL; f++) {
        ptrdiff_t len = api_query(c, f->name, bytes, sizeof bytes);
        if (len == -2 || (len >= 0 && !api_text_good(f, (struct slice){bytes, (size_t)len})))
            return f->name;
    }
    return NULL;
}

static bool is_visible(struct slice text) {
    bool good = text.len > 0 && text.len <= ONCE_MOST;
    for (size_t i = 0; i < text.len; i++)
        good = good && text.ptr[i] > ' ' && text.ptr[i] <= '~';
    return good;
}

static const char *wrong_once(const struct api_call *c) {
    return c->once.ptr != NULL && c->route->once && !is_visible(c->once) ? "Idempotency-Key"
                                                                         : NULL;
}

/* False: the body is no JSON object. */
static bool read_fields(struct api_call *c) {
    const char *names[API_FIELDS];
    struct json_value body;
    size_t count = 0;
    for (size_t i = 0; i < API_FIELDS; i++)
        c->fields[i] = (struct json_value){.type = JSON_NONE};
    if (c->body.len == 0)
        return true;
    if (!utf8_valid(c->body) || json_parse(c->body, &body) != JSON_OK ||
        body.type != JSON_OBJECT)
        return false;
    for (const struct api_field *f = c->route->body; f != NULL && f->name != NULL; f++)
        names[count++] = f->name;
    json_fields(body, names, c->fields, count);
    return true;
}

static bool check_fields(const struct api_call *c) {
    const struct api_field *f = c->route->body;
    for (size_t i = 0; f != NULL && f[i].name != NULL; i++) {
        bool there = c->fields[i].type != JSON_NONE;
        if (there ? api_field_good(&f[i], c->fields[i]) : !f[i].needed)
            continue;
        api_refuse(c, there ? REFUSAL_BAD_FIELD : REFUSAL_MISSING_FIELD, f[i].name);
        return false;
    }
    return true;
}

void dispatch_call(struct api_call *c) {
    const char *wrong = wrong_part(c);
    if (wrong == NULL)
        wrong = wrong_query(c);
    if (wrong == NULL)
        wrong = wrong_once(c);
    if (!read_fields(c))
        api_refuse(c, REFUSAL_BAD_JSON, NULL);
    else if (wrong != NULL)
        api_refuse(c, REFUSAL_BAD_FIELD, wrong);
    else if (check_fields(c))
        c->route->handle(c);
}

void dispatch_item(const struct api_source *source, struct api_item *item, struct api_key *key,
                   struct slice method, struct slice path, struct slice body,
                   struct slice once) {
    struct api_call c = {
        .source = source, .item = item, .key = key, .body = body, .once = once};
    struct slice query = path;
    path = slice_cut(&query, '?');
    c.query = query;
    item->ask = NULL;
    item->sends = false;
    if (dispatch_find(&c, method, path) == NULL)
        return;
    item->sends = c.route->once;
    if (c.route->alone)
        api_refuse(&c, REFUSAL_BAD_FIELD, "path");
    else if (item->refused && item->sends)
        api_unavailable(&c, OUTCOME_REFUSED);
    else if (body.len > dispatch_most(source, c.route))
        api_refuse(&c, REFUSAL_TOO_LARGE, NULL);
    else
        dispatch_call(&c);
}
