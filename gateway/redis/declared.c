#include "gateway/redis/declared.h"

#include <assert.h>
#include <string.h>

/* --- reading --------------------------------------------------------------------------------
 */

static const char *read_names(struct declared *d, struct declared_group *group, unsigned *total,
                              const char *at, bool tapped) {
    group->first = (unsigned char)*total;
    for (;;) {
        at += strspn(at, " ");
        bool optional = *at == '?';
        at += optional;
        bool left_out = *at == '^' && !tapped;
        at += *at == '^';
        size_t len = strcspn(at, " /;");
        if (len == 0)
            break;
        if (left_out) {
            at += len;
            continue;
        }
        assert(*total < DECLARED_NAMES);
        d->optional |= (uint32_t)optional << *total;
        d->names[(*total)++] = (struct slice){at, len};
        at += len;
    }
    group->count = (unsigned char)(*total - group->first);
    return at;
}

void declared_read(struct declared *d, const char *text, bool tapped) {
    unsigned total = 0;
    *d = (struct declared){.when = -1};
    if (*text == '@') {
        d->when = (signed char)(text[1] - '0');
        text += 2;
        if (*text == '/') {
            d->every = (unsigned char)(text[1] - '0');
            text += 2;
        }
    }
    for (const char *at = text;; at++) {
        assert(d->group_count < DECLARED_GROUPS);
        if (*at == '>') {
            d->again = d->group_count;
            at++;
        }
        at = read_names(d, &d->groups[d->group_count++], &total, at, tapped);
        if (*at == ';')
            read_names(d, &d->wide, &total, at + 1, tapped);
        if (*at != '/')
            break;
    }
}

/* --- use ------------------------------------------------------------------------------------
 */

static unsigned next_group(const struct declared *d, unsigned group) {
    return group + 1 < d->group_count ? group + 1 : d->again;
}

static bool is_in(const struct declared *d, size_t name, bool whole) {
    return whole || (d->optional >> name & 1) == 0;
}

static size_t count_group(const struct declared *d, const struct declared_group *g,
                          bool whole) {
    size_t sum = g->count;
    for (size_t i = g->first; !whole && i < (size_t)(g->first + g->count); i++)
        sum -= !is_in(d, i, false);
    return sum;
}

size_t declared_count(const struct declared *d, size_t bases, bool whole) {
    size_t sum = bases + count_group(d, &d->wide, whole);
    unsigned group = 0;
    for (size_t i = 0; i < bases; i++, group = next_group(d, group))
        sum += count_group(d, &d->groups[group], whole);
    return sum;
}

static void put_head(struct buf *out, size_t len) {
    buf_char(out, '$');
    buf_u64(out, len);
    buf_append(out, "\r\n", 2);
}

static void put_base(struct buf *out, const struct declared_names *a, struct slice name) {
    buf_slice(out, a->open);
    buf_slice(out, name);
    buf_slice(out, a->close);
}

static void put_bases(struct buf *out, const struct declared_names *a,
                      const struct slice bases[], size_t count) {
    for (size_t i = 0; i < count; i++) {
        put_head(out, a->open.len + bases[i].len + a->close.len);
        put_base(out, a, bases[i]);
        buf_append(out, "\r\n", 2);
    }
}

static void put_derived(const struct declared *d, struct buf *out,
                        const struct declared_names *a, struct slice base,
                        const struct declared_group *g, bool whole) {
    size_t len = a->open.len + base.len + a->close.len + 1;
    for (size_t i = g->first; i < (size_t)(g->first + g->count); i++) {
        if (!is_in(d, i, whole))
            continue;
        put_head(out, len + d->names[i].len);
        put_base(out, a, base);
        buf_char(out, ':');
        buf_slice(out, d->names[i]);
        buf_append(out, "\r\n", 2);
    }
}

void declared_put(const struct declared *d, struct buf *out,
                  const struct declared_names *around, const struct slice bases[], size_t count,
                  bool whole) {
    unsigned group = 0;
    put_bases(out, around, bases, count);
    for (size_t i = 0; i < count; i++, group = next_group(d, group))
        put_derived(d, out, around, bases[i], &d->groups[group], whole);
    for (size_t i = d->wide.first; i < (size_t)(d->wide.first + d->wide.count); i++) {
        struct slice name = d->names[i];
        if (!is_in(d, i, whole))
            continue;
        struct slice end = {NULL, 0};
        if (name.ptr[name.len - 1] == ':')
            end = around->first;
        put_head(out, around->head.len + name.len + end.len);
        buf_slice(out, around->head);
        buf_slice(out, name);
        buf_slice(out, end);
        buf_append(out, "\r\n", 2);
    }
}
