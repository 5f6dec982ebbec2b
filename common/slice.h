#ifndef SLUICE_COMMON_SLICE_H
#define SLUICE_COMMON_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Bytes that somebody else owns; not NUL-terminated. ptr may be NULL when len is 0. */
struct slice {
    const char *ptr;
    size_t len;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})

static inline struct slice slice_of(const char *text) {
    return (struct slice){text, strlen(text)};
}

/* The end of a slice. In C, NULL + 0 is undefined. */
static inline const char *slice_end(struct slice s) {
    return s.len > 0 ? s.ptr + s.len : s.ptr;
}

static inline bool slice_eq(struct slice a, struct slice b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_is(struct slice a, const char *text) {
    return slice_eq(a, slice_of(text));
}

static inline bool slice_starts(struct slice a, struct slice prefix) {
    return a.len >= prefix.len &&
           (prefix.len == 0 || memcmp(a.ptr, prefix.ptr, prefix.len) == 0);
}

/* Cuts the text at the next separator, and returns what stood before it. */
static inline struct slice slice_cut(struct slice *text, char separator) {
    const char *end = text->len > 0 ? memchr(text->ptr, separator, text->len) : NULL;
    struct slice part = {text->ptr, end != NULL ? (size_t)(end - text->ptr) : text->len};
    text->len -= part.len + (end != NULL);
    text->ptr = end != NULL ? end + 1 : slice_end(part);
    return part;
}

/* Is the word one of a list with commas? */
static inline bool slice_lists(struct slice list, const char *word) {
    while (list.len > 0) {
        if (slice_is(slice_cut(&list, ','), word))
            return true;
    }
    return false;
}

/* The number that at most 19 digits, and nothing else, are. False: they are none, or more than
 * `most`. */
static inline bool slice_number(struct slice text, uint64_t most, uint64_t *out) {
    uint64_t n = 0;
    if (text.len == 0 || text.len > 19)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    *out = n;
    return n <= most;
}

/* A number in digits, which are written to out. */
#define DIGITS_SIZE 24
static inline struct slice slice_digits(uint64_t n, char out[DIGITS_SIZE]) {
    int len = snprintf(out, DIGITS_SIZE, "%llu", (unsigned long long)n);
    return (struct slice){out, (size_t)len};
}

/* Bytewise order; a shorter one comes first when it is a prefix. */
static inline int slice_cmp(struct slice a, struct slice b) {
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

#endif
