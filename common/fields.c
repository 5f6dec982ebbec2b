#include "common/fields.h"

#include <ctype.h>
#include <strings.h>

#define BLANKS " \t"
#define DIGITS "0123456789"
#define HEX    DIGITS "abcdefABCDEF"
/* The characters of a registered name, besides percent-encoded bytes (RFC 3986, 3.2.2). */
#define PLAIN DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._~!$&'()*+,;="

void fields_clear(struct fields *f) {
    buf_clear(&f->text);
    f->count = 0;
    f->name_at = 0;
    f->in_value = false;
}

void fields_deinit(struct fields *f) {
    buf_deinit(&f->text);
}

/* White space after a value does not belong to it (RFC 9112, 5). */
static void end_value(struct fields *f) {
    struct buf *b = &f->text;
    while (b->len > 0 && (b->data[b->len - 1] == ' ' || b->data[b->len - 1] == '\t'))
        b->len--;
    buf_char(b, '\0');
}

void fields_name(struct fields *f, struct slice piece) {
    if (f->in_value)
        end_value(f);
    if (f->in_value || f->text.len == 0)
        f->name_at = f->text.len;
    f->in_value = false;
    buf_slice(&f->text, piece);
}

bool fields_name_end(struct fields *f) {
    bool came = !f->in_value && f->text.len > f->name_at;
    buf_char(&f->text, '\0');
    f->in_value = true;
    f->count++;
    return f->text.failed || (came && strpbrk(f->text.data + f->name_at, BLANKS) == NULL);
}

void fields_value(struct fields *f, struct slice piece) {
    buf_slice(&f->text, piece);
}

void fields_end(struct fields *f) {
    if (f->in_value)
        end_value(f);
    f->in_value = false;
}

/* The first field of that name at or after `at`, NULL for the first of all. Returns its value,
 * or NULL. */
static const char *find(const struct fields *f, const char *name, const char *at) {
    if (f->text.len == 0)
        return NULL;
    const char *end = f->text.data + f->text.len;
    if (at == NULL)
        at = f->text.data;
    while (at < end) {
        const char *value = at + strlen(at) + 1;
        if (value >= end)
            break;
        if (strcasecmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

static const char *find_next(const struct fields *f, const char *name, const char *value) {
    return find(f, name, value + strlen(value) + 1);
}

const char *fields_get(const struct fields *f, const char *name) {
    return find(f, name, NULL);
}

unsigned fields_count(const struct fields *f, const char *name) {
    unsigned n = 0;
    for (const char *v = find(f, name, NULL); v != NULL; v = find_next(f, name, v))
        n++;
    return n;
}

void fields_join(const struct fields *f, const char *name, struct buf *out) {
    for (const char *v = find(f, name, NULL); v != NULL; v = find_next(f, name, v)) {
        if (out->len > 0)
            buf_str(out, ", ");
        buf_str(out, v);
    }
    buf_char(out, '\0');
}

static bool list_has(const char *list, const char *word) {
    size_t len = strlen(word);
    while (*list != '\0') {
        list += strspn(list, BLANKS ",");
        size_t n = strcspn(list, ",");
        size_t used = n;
        while (used > 0 && strchr(BLANKS, list[used - 1]) != NULL)
            used--;
        if (used == len && strncasecmp(list, word, len) == 0)
            return true;
        list += n;
    }
    return false;
}

bool fields_have(const struct fields *f, const char *name, const char *word) {
    for (const char *v = find(f, name, NULL); v != NULL; v = find_next(f, name, v)) {
        if (list_has(v, word))
            return true;
    }
    return false;
}

bool fields_host_valid(const char *value) {
    const char *at = value;
    if (*at == '[') {
        at += 1 + strspn(at + 1, HEX ":.");
        if (*at++ != ']')
            return false;
    } else {
        for (;;) {
            at += strspn(at, PLAIN);
            if (*at != '%')
                break;
            if (!isxdigit((unsigned char)at[1]) || !isxdigit((unsigned char)at[2]))
                return false;
            at += 3;
        }
    }
    if (*at == ':')
        at += 1 + strspn(at + 1, DIGITS);
    return *at == '\0';
}
