#include "gateway/client/visit.h"

#include <stdlib.h>
#include <string.h>

#include "common/fields.h"
#include "common/json.h"
#include "common/percent.h"
#include "gateway/hooks/config.h"

#define NAMES_MOST 100 /* of a query */

static void put_headers(struct buf *out, const struct options *o, const struct fields *f) {
    const char *at = f->text.data;
    for (unsigned i = 0; i < f->count; i++) {
        struct slice name = slice_of(at), value = slice_of(at + name.len + 1);
        size_t size = name.len + value.len + 3;
        at = value.ptr + value.len + 1;
        if (!hooks_pass_header(o, name) || out->len + size > VISIT_HEADERS_MOST)
            continue;
        buf_slice(out, name);
        buf_str(out, ": ");
        buf_slice(out, value);
        buf_char(out, '\n');
    }
}

bool visit_keep(struct visit **out, const struct options *o,
                const struct http_request *request) {
    struct buf headers;
    *out = NULL;
    if (o->connect_hook[0] == '\0')
        return true;
    buf_init(&headers);
    put_headers(&headers, o, request->fields);
    struct slice text = buf_bytes(&headers), query = request->query;
    struct visit *v = headers.failed ? NULL : malloc(sizeof *v + query.len + text.len);
    if (v != NULL) {
        if (query.len > 0)
            memcpy(v->bytes, query.ptr, query.len);
        if (text.len > 0)
            memcpy(v->bytes + query.len, text.ptr, text.len);
        v->query = (struct slice){v->bytes, query.len};
        v->headers = (struct slice){v->bytes + query.len, text.len};
    }
    buf_deinit(&headers);
    *out = v;
    return v != NULL;
}

/* --- the query ------------------------------------------------------------------------------
 */

/* Decodes it in place of `out`, which has as much room. What is no escape stays. */
static struct slice decode(struct slice text, char *out) {
    struct slice all = {out, text.len};
    for (size_t i = 0; i < text.len; i++)
        out[i] = (char)(text.ptr[i] == '+' ? ' ' : text.ptr[i]);
    ptrdiff_t len = percent_decode(all, out, text.len);
    if (len < 0 && text.len > 0)
        memcpy(out, text.ptr, text.len);
    if (len >= 0)
        all.len = (size_t)len;
    return all;
}

static bool is_engines(struct slice name) {
    static const char *const names[] = {"EIO", "transport", "sid", "t", "b64", "j", ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (slice_is(name, names[i]))
            return true;
    }
    return false;
}

static bool is_among(const struct slice names[], unsigned count, struct slice name) {
    for (unsigned i = 0; i < count; i++) {
        if (slice_eq(names[i], name))
            return true;
    }
    return false;
}

static void put_pairs(struct buf *out, struct slice query, char *decoded) {
    struct slice names[NAMES_MOST];
    unsigned count = 0;
    while (query.len > 0 && count < NAMES_MOST) {
        struct slice value = slice_cut(&query, '&');
        struct slice name = decode(slice_cut(&value, '='), decoded);
        decoded += name.len;
        if (is_engines(name) || is_among(names, count, name))
            continue;
        struct slice text = decode(value, decoded);
        decoded += text.len;
        if (count > 0)
            buf_char(out, ',');
        names[count++] = name;
        json_escape_any(out, name);
        buf_char(out, ':');
        json_escape_any(out, text);
    }
}

void visit_put_query(struct buf *out, const struct visit *visit) {
    struct slice query = visit != NULL ? visit->query : (struct slice){NULL, 0};
    char *decoded = malloc(query.len + 1);
    buf_char(out, '{');
    if (decoded != NULL)
        put_pairs(out, query, decoded);
    else
        out->failed = true;
    buf_char(out, '}');
    free(decoded);
}
