/*
 * This file has more than 450 lines on purpose. Each byte of each message passes here, and the
 * functions that check, walk and escape a text share the small functions at the top, which are
 * inlined.
 */
#include "common/json.h"

#include "common/utf8.h"

#define ONES      UINT64_C(0x0101010101010101)
#define HIGH_BITS UINT64_C(0x8080808080808080)

enum { ESCAPES = 8 };
static const char escape_letters[] = "\"\\/bfnrt";
static const char escape_values[] = "\"\\/\b\f\n\r\t";

/* Eight bytes at once; the first one is the lowest on every machine. */
static inline uint64_t load8(const char *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* These two set the high bit of each byte that matches. A borrow may wrongly mark bytes above a
 * match, so only the lowest mark counts. */
static inline uint64_t mark_equal(uint64_t word, unsigned char c) {
    uint64_t x = word ^ (ONES * c);
    return (x - ONES) & ~x & HIGH_BITS;
}

static inline uint64_t mark_below(uint64_t word, unsigned char c) {
    return (word - ONES * c) & ~word & HIGH_BITS;
}

static inline bool is_special(char c) {
    return c == '"' || c == '\\' || (unsigned char)c < 0x20;
}

/* The first quote, backslash or control character, or end. */
static inline const char *find_special(const char *p, const char *end) {
    for (; end - p >= 8; p += 8) {
        uint64_t word = load8(p);
        uint64_t marks =
            mark_equal(word, '"') | mark_equal(word, '\\') | mark_below(word, 0x20);
        if (marks != 0)
            return p + __builtin_ctzll(marks) / 8;
    }
    while (p < end && !is_special(*p))
        p++;
    return p;
}

/* { and [ differ in one bit only, as do } and ]. */
static inline bool is_opening(char c) {
    return (c | 0x20) == '{';
}

static inline bool is_closing(char c) {
    return (c | 0x20) == '}';
}

static inline bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static inline const char *skip_space(const char *p, const char *end) {
    while (p < end && is_space(*p))
        p++;
    return p;
}

static inline bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* The value of four hex digits, or -1. */
static int32_t read_hex4(const char *p, const char *end) {
    if (end - p < 4)
        return -1;
    int32_t n = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        char lower = (char)(c | 0x20);
        if (is_digit(c))
            n = n * 16 + (c - '0');
        else if (lower >= 'a' && lower <= 'f')
            n = n * 16 + (lower - 'a' + 10);
        else
            return -1;
    }
    return n;
}

/*
 * The scan_ functions check one thing that begins at p and return the place after it, or NULL.
 */
static const char *scan_escape(const char *p, const char *end) {
    if (p == end)
        return NULL;
    if (*p == 'u')
        return read_hex4(p + 1, end) < 0 ? NULL : p + 5;
    return memchr(escape_letters, *p, ESCAPES) == NULL ? NULL : p + 1;
}

/* p: after the opening quote. */
static inline const char *scan_string(const char *p, const char *end) {
    while (p != NULL) {
        p = find_special(p, end);
        if (p == end)
            return NULL;
        if (*p == '"')
            return p + 1;
        p = *p == '\\' ? scan_escape(p + 1, end) : NULL;
    }
    return NULL;
}

static inline const char *scan_digits(const char *p, const char *end) {
    const char *start = p;
    while (p < end && is_digit(*p))
        p++;
    return p == start ? NULL : p;
}

static const char *scan_number(const char *p, const char *end) {
    if (*p == '-')
        p++;
    p = p < end && *p == '0' ? p + 1 : scan_digits(p, end);
    if (p != NULL && p < end && *p == '.')
        p = scan_digits(p + 1, end);
    if (p != NULL && p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        p = scan_digits(p, end);
    }
    return p;
}

static const char *scan_word(const char *p, const char *end, struct slice word) {
    struct slice rest = {p, (size_t)(end - p)};
    return slice_starts(rest, word) ? p + word.len : NULL;
}

static inline const char *scan_scalar(const char *p, const char *end) {
    switch (*p) {
    case '"':
        return scan_string(p + 1, end);
    case 't':
        return scan_word(p, end, SLICE("true"));
    case 'f':
        return scan_word(p, end, SLICE("false"));
    case 'n':
        return scan_word(p, end, SLICE("null"));
    default:
        return scan_number(p, end);
    }
}

/* The thing that must come next; negative: one of the errors. */
enum { STEP_VALUE, STEP_AFTER_VALUE, STEP_END };

struct scanner {
    const char *at;
    const char *end;
    unsigned depth;
    uint64_t objects[JSON_MAX_DEPTH / 64]; /* a bit for each level: an object, not an array */
};

static inline bool in_object(const struct scanner *s) {
    unsigned level = s->depth - 1;
    return (s->objects[level / 64] >> (level % 64) & 1) != 0;
}

static inline void enter(struct scanner *s, bool object) {
    unsigned level = s->depth++;
    uint64_t bit = UINT64_C(1) << (level % 64);
    if (object)
        s->objects[level / 64] |= bit;
    else
        s->objects[level / 64] &= ~bit;
}

/* A key and its colon. */
static inline int scan_key(struct scanner *s) {
    if (s->at == s->end || *s->at != '"')
        return JSON_E_SYNTAX;
    const char *p = scan_string(s->at + 1, s->end);
    if (p == NULL)
        return JSON_E_SYNTAX;
    p = skip_space(p, s->end);
    if (p == s->end || *p != ':')
        return JSON_E_SYNTAX;
    s->at = skip_space(p + 1, s->end);
    return STEP_VALUE;
}

static int scan_opening(struct scanner *s, bool object) {
    if (s->depth == JSON_MAX_DEPTH)
        return JSON_E_DEPTH;
    s->at = skip_space(s->at + 1, s->end);
    if (s->at < s->end && *s->at == (object ? '}' : ']')) {
        s->at++;
        return STEP_AFTER_VALUE;
    }
    enter(s, object);
    return object ? scan_key(s) : STEP_VALUE;
}

static inline int scan_value(struct scanner *s) {
    if (s->at == s->end)
        return JSON_E_SYNTAX;
    if (is_opening(*s->at))
        return scan_opening(s, *s->at == '{');
    const char *p = scan_scalar(s->at, s->end);
    if (p == NULL)
        return JSON_E_SYNTAX;
    s->at = p;
    return STEP_AFTER_VALUE;
}

static inline int scan_after_value(struct scanner *s) {
    while (s->depth > 0) {
        s->at = skip_space(s->at, s->end);
        if (s->at == s->end)
            return JSON_E_SYNTAX;
        bool object = in_object(s);
        char c = *s->at++;
        if (c == ',') {
            s->at = skip_space(s->at, s->end);
            return object ? scan_key(s) : STEP_VALUE;
        }
        if (c != (object ? '}' : ']'))
            return JSON_E_SYNTAX;
        s->depth--;
    }
    return STEP_END;
}

static enum json_type type_of(char c) {
    switch (c) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

static struct json_value value_at(const char *p, const char *end) {
    return (struct json_value){type_of(*p), {p, (size_t)(end - p)}};
}

int json_parse(struct slice text, struct json_value *out) {
    *out = (struct json_value){0};
    if (text.len == 0)
        return JSON_E_SYNTAX;
    struct scanner s = {.at = text.ptr, .end = text.ptr + text.len};
    s.at = skip_space(s.at, s.end);
    const char *start = s.at;
    int step = STEP_VALUE;
    while (step == STEP_VALUE) {
        step = scan_value(&s);
        if (step == STEP_AFTER_VALUE)
            step = scan_after_value(&s);
    }
    if (step != STEP_END)
        return step;
    if (skip_space(s.at, s.end) != s.end)
        return JSON_E_SYNTAX;
    *out = value_at(start, s.at);
    return JSON_OK;
}

/*
 * The pass_ functions return the place after something in a text that was checked.
 */
static const char *pass_string(const char *p, const char *end) {
    p = find_special(p, end);
    while (*p == '\\')
        p = find_special(p + 2, end);
    return p + 1;
}

static const char *pass_container(const char *p, const char *end) {
    size_t depth = 0;
    do {
        char c = *p++;
        if (c == '"')
            p = pass_string(p, end);
        else if (is_opening(c))
            depth++;
        else if (is_closing(c))
            depth--;
    } while (depth > 0);
    return p;
}

static const char *pass_value(const char *p, const char *end) {
    if (*p == '"')
        return pass_string(p + 1, end);
    if (is_opening(*p))
        return pass_container(p, end);
    while (p < end && *p != ',' && !is_space(*p))
        p++;
    return p;
}

void json_iter_init(struct json_iter *it, struct json_value container) {
    *it = (struct json_iter){0};
    if (container.type != JSON_OBJECT && container.type != JSON_ARRAY)
        return;
    it->object = container.type == JSON_OBJECT;
    it->at = container.raw.ptr + 1;
    it->end = container.raw.ptr + container.raw.len - 1;
}

bool json_iter_next(struct json_iter *it) {
    const char *p = skip_space(it->at, it->end);
    if (p == it->end)
        return false;
    if (*p == ',')
        p = skip_space(p + 1, it->end);
    if (it->object) {
        const char *key = p;
        p = pass_string(p + 1, it->end);
        it->key = (struct slice){key, (size_t)(p - key)};
        p = skip_space(p, it->end);
        p = skip_space(p + 1, it->end);
    }
    it->at = pass_value(p, it->end);
    it->value = value_at(p, it->at);
    return true;
}

/* The code point of the \u escape whose digits begin at *at, or of a pair of them; -1: half a
 * pair. */
static int32_t decode_unicode(const char **at, const char *end) {
    int32_t high = read_hex4(*at, end);
    *at += 4;
    if (high < 0xd800 || high > 0xdfff)
        return high;
    if (high > 0xdbff || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return -1;
    int32_t low = read_hex4(*at + 2, end);
    *at += 6;
    if (low < 0xdc00 || low > 0xdfff)
        return -1;
    return 0x10000 + (high - 0xd800) * 0x400 + (low - 0xdc00);
}

/* Decodes the escape at *at and goes past it. Returns its length in UTF-8, or 0. */
static size_t decode_escape(const char **at, const char *end, char out[4]) {
    char c = (*at)[1];
    *at += 2;
    if (c == 'u') {
        int32_t code_point = decode_unicode(at, end);
        return code_point < 0 ? 0 : utf8_encode(out, (uint32_t)code_point);
    }
    const char *letter = memchr(escape_letters, c, ESCAPES);
    if (letter == NULL)
        return 0;
    out[0] = escape_values[letter - escape_letters];
    return 1;
}

ptrdiff_t json_decode(struct json_value string, char *out, size_t cap) {
    if (string.type != JSON_STRING)
        return -1;
    const char *p = string.raw.ptr + 1;
    const char *end = string.raw.ptr + string.raw.len - 1;
    size_t len = 0;
    while (p < end) {
        char escaped[4];
        const char *from = p;
        p = find_special(p, end);
        size_t n = (size_t)(p - from);
        if (n == 0) {
            from = escaped;
            n = decode_escape(&p, end, escaped);
            if (n == 0)
                return -1;
        }
        if (n > cap - len)
            return -1;
        memcpy(out + len, from, n);
        len += n;
    }
    return (ptrdiff_t)len;
}

static bool escaped_is(struct slice key, const char *name) {
    const char *p = key.ptr;
    const char *end = key.ptr + key.len;
    size_t left = strlen(name);
    while (p < end) {
        char c[4] = {*p};
        size_t n = 1;
        if (*p == '\\')
            n = decode_escape(&p, end, c);
        else
            p++;
        if (n == 0 || n > left || memcmp(name, c, n) != 0)
            return false;
        name += n;
        left -= n;
    }
    return left == 0;
}

/* key has no NUL in it, so the loop ends at the name's. */
static inline bool plain_is(struct slice key, const char *name) {
    for (size_t i = 0; i < key.len; i++) {
        if (name[i] != key.ptr[i])
            return false;
    }
    return name[key.len] == '\0';
}

void json_fields(struct json_value object, const char *const names[],
                 struct json_value values[], size_t count) {
    for (size_t i = 0; i < count; i++)
        values[i] = (struct json_value){0};
    if (object.type != JSON_OBJECT)
        return;
    struct json_iter it;
    json_iter_init(&it, object);
    while (json_iter_next(&it)) {
        struct slice key = {it.key.ptr + 1, it.key.len - 2};
        bool escaped = memchr(key.ptr, '\\', key.len) != NULL;
        for (size_t i = 0; i < count; i++) {
            if (escaped ? escaped_is(key, names[i]) : plain_is(key, names[i]))
                values[i] = it.value;
        }
    }
}

bool json_uint64(struct json_value value, uint64_t *out) {
    if (value.type != JSON_NUMBER)
        return false;
    uint64_t n = 0;
    for (size_t i = 0; i < value.raw.len; i++) {
        char c = value.raw.ptr[i];
        if (!is_digit(c) || __builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, (uint64_t)(c - '0'), &n))
            return false;
    }
    *out = n;
    return true;
}

bool json_is_integer(struct json_value value) {
    if (value.type != JSON_NUMBER)
        return false;
    const char *p = value.raw.ptr;
    const char *end = p + value.raw.len;
    return scan_digits(*p == '-' ? p + 1 : p, end) == end;
}

static void escape_char(struct buf *b, char c) {
    const char *value = memchr(escape_values, c, ESCAPES);
    if (value == NULL) {
        buf_printf(b, "\\u%04x", (unsigned)(unsigned char)c);
        return;
    }
    buf_char(b, '\\');
    buf_char(b, escape_letters[value - escape_values]);
}

void json_escape(struct buf *b, struct slice text) {
    buf_reserve(b, text.len + 2);
    buf_char(b, '"');
    const char *p = text.ptr;
    const char *end = text.len == 0 ? p : p + text.len;
    while (p < end) {
        const char *special = find_special(p, end);
        buf_append(b, p, (size_t)(special - p));
        p = special;
        if (p < end)
            escape_char(b, *p++);
    }
    buf_char(b, '"');
}

void json_escape_any(struct buf *b, struct slice text) {
    json_escape(b, utf8_valid(text) ? text : SLICE("\xef\xbf\xbd"));
}
