#ifndef SLUICE_COMMON_BUF_H
#define SLUICE_COMMON_BUF_H

#include <stdint.h>

#include "common/slice.h"

/*
 * A growing byte buffer. When memory runs out, or with len over SIZE_MAX/2, it turns `failed`
 * and stays so: further appends do nothing. A writer appends freely and checks once, at the
 * end.
 */
struct buf {
    char *data;
    size_t len;
    size_t cap;
    bool failed;
};

/* An empty buffer without memory of its own. */
void buf_init(struct buf *b);
/* Frees the bytes and makes it empty again; a failed one is good again. */
void buf_deinit(struct buf *b);
/* Forgets the bytes, keeps the memory, clears `failed`. */
void buf_clear(struct buf *b);
/* Makes room for `extra` more bytes at data + len. Returns false (and is failed) if it cannot.
 */
bool buf_reserve(struct buf *b, size_t extra);
void buf_append(struct buf *b, const void *bytes, size_t len);
void buf_slice(struct buf *b, struct slice s);
void buf_str(struct buf *b, const char *text);
void buf_char(struct buf *b, char c);
void buf_u64(struct buf *b, uint64_t n);
__attribute__((format(printf, 2, 3))) void buf_printf(struct buf *b, const char *format, ...);

static inline struct slice buf_bytes(const struct buf *b) {
    return (struct slice){b->data, b->len};
}

#endif
