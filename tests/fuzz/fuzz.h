#ifndef SLUICE_TESTS_FUZZ_H
#define SLUICE_TESTS_FUZZ_H

#include <stdint.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/json.h"

/*
 * What the fuzz targets share. Each target is a file fuzz_NAME.c with LLVMFuzzerTestOneInput,
 * and a folder corpus/NAME with its seeds. libFuzzer calls it (`make fuzz`), and so does
 * replay.c (`make test`).
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that does not hold ends the program, as a crash would. */
static inline void check(bool good) {
    if (!good)
        abort();
}

static inline bool fuzz_within(struct slice part, struct slice all) {
    return part.len == 0 || (part.ptr >= all.ptr && part.ptr + part.len <= all.ptr + all.len);
}

/* Numbers that look random, and are the same each time for the same input. So a seed is only
 * what its protocol says, and needs no bytes that choose the places of cuts. */
struct fuzz_dice {
    uint64_t state;
};

static inline struct fuzz_dice fuzz_dice_of(struct slice input) {
    struct fuzz_dice dice = {0xcbf29ce484222325U};
    for (size_t i = 0; i < input.len; i++)
        dice.state = (dice.state ^ (unsigned char)input.ptr[i]) * 0x100000001b3U;
    return dice;
}

/* From 1 to most. */
static inline size_t fuzz_throw(struct fuzz_dice *dice, size_t most) {
    dice->state = dice->state * 6364136223846793005U + 1442695040888963407U;
    return 1 + (size_t)(dice->state >> 33) % most;
}

/* A copy with an end of its own, so that AddressSanitizer sees a read beyond it. The caller
 * frees it. */
static inline char *fuzz_copy(struct slice bytes) {
    char *copy = malloc(bytes.len > 0 ? bytes.len : 1);
    check(copy != NULL);
    if (bytes.len > 0)
        memcpy(copy, bytes.ptr, bytes.len);
    return copy;
}

/* The same with a NUL after it. */
static inline char *fuzz_text(struct slice bytes) {
    char *copy = malloc(bytes.len + 1);
    check(copy != NULL);
    if (bytes.len > 0)
        memcpy(copy, bytes.ptr, bytes.len);
    copy[bytes.len] = '\0';
    return copy;
}

/* Takes the text up to the next line feed off the front. */
static inline struct slice fuzz_line(struct slice *rest) {
    const char *end = rest->len > 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;
    size_t len = end != NULL ? (size_t)(end - rest->ptr) : rest->len;
    struct slice line = {rest->ptr, len};
    size_t used = end != NULL ? len + 1 : len;
    if (rest->len > 0)
        *rest = (struct slice){rest->ptr + used, rest->len - used};
    return line;
}

#endif
