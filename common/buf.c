#include "common/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUF_FIRST_CAP = 64 };

void buf_init(struct buf *b) {
    *b = (struct buf){0};
}

void buf_deinit(struct buf *b) {
    free(b->data);
    buf_init(b);
}

void buf_clear(struct buf *b) {
    b->len = 0;
    b->failed = false;
}

static bool buf_fail(struct buf *b) {
    b->failed = true;
    return false;
}

bool buf_reserve(struct buf *b, size_t extra) {
    if (b->failed)
        return false;
    if (extra <= b->cap - b->len)
        return true;
    if (extra > SIZE_MAX / 2 - b->len)
        return buf_fail(b);
    size_t cap = b->cap < BUF_FIRST_CAP ? BUF_FIRST_CAP : b->cap * 2;
    if (cap < b->len + extra)
        cap = b->len + extra;
    char *data = realloc(b->data, cap);
    if (data == NULL)
        return buf_fail(b);
    b->data = data;
    b->cap = cap;
    return true;
}

void buf_append(struct buf *b, const void *bytes, size_t len) {
    if (len == 0 || !buf_reserve(b, len))
        return;
    memcpy(b->data + b->len, bytes, len);
    b->len += len;
}

void buf_slice(struct buf *b, struct slice s) {
    buf_append(b, s.ptr, s.len);
}

void buf_str(struct buf *b, const char *text) {
    buf_append(b, text, strlen(text));
}

void buf_char(struct buf *b, char c) {
    if (!buf_reserve(b, 1))
        return;
    b->data[b->len++] = c;
}

void buf_u64(struct buf *b, uint64_t n) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + (char)(n % 10));
        n /= 10;
    } while (n != 0);
    buf_append(b, digits + at, sizeof digits - at);
}

/* Prints into the room there is, and once more only if that was too little. */
static void buf_vprintf(struct buf *b, const char *format, va_list args, va_list again) {
    size_t room = b->cap - b->len;
    int n = vsnprintf(room == 0 ? NULL : b->data + b->len, room, format, args);
    if (n < 0) {
        buf_fail(b);
        return;
    }
    size_t len = (size_t)n;
    if (len >= room) {
        if (!buf_reserve(b, len + 1))
            return;
        vsnprintf(b->data + b->len, len + 1, format, again);
    }
    b->len += len;
}

void buf_printf(struct buf *b, const char *format, ...) {
    if (b->failed)
        return;
    va_list args;
    va_list again;
    va_start(args, format);
    va_copy(again, args);
    buf_vprintf(b, format, args, again);
    va_end(again);
    va_end(args);
}
