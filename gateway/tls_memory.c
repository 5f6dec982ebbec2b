#include "gateway/tls_memory.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_LEAST 16384 /* a buffer of a record: as many bytes, and a little more */
#define RECORD_MOST  17408
#define KEPT_MOST    8

static struct {
    size_t held;
    size_t most; /* of one piece */
    void *kept[KEPT_MOST];
    unsigned kept_count;
} memory = {.most = SIZE_MAX};

static void *take(size_t size, const char *file, int line) {
    void *piece;
    (void)file;
    (void)line;
    if (size == 0 || size > memory.most)
        return NULL;
    bool record = size > RECORD_LEAST && size <= RECORD_MOST;
    if (record && memory.kept_count > 0)
        piece = memory.kept[--memory.kept_count];
    else
        piece = malloc(record ? RECORD_MOST : size);
    if (piece != NULL)
        memory.held += malloc_usable_size(piece);
    return piece;
}

static void give(void *piece, const char *file, int line) {
    size_t size = malloc_usable_size(piece);
    (void)file;
    (void)line;
    memory.held -= size;
    if (size >= RECORD_MOST && size < RECORD_MOST + 64 && memory.kept_count < KEPT_MOST)
        memory.kept[memory.kept_count++] = piece;
    else
        free(piece);
}

static void *resize(void *old, size_t size, const char *file, int line) {
    if (size == 0) {
        give(old, file, line);
        return NULL;
    }
    void *piece = take(size, file, line);
    if (piece == NULL || old == NULL)
        return piece;
    size_t had = malloc_usable_size(old);
    memcpy(piece, old, had < size ? had : size);
    give(old, file, line);
    return piece;
}

void tls_memory_watch(void) {
    CRYPTO_set_mem_functions(take, resize, give);
}

size_t tls_memory_held(void) {
    return memory.held;
}

void tls_memory_add(size_t bytes) {
    memory.held += bytes;
}

void tls_memory_take_off(size_t bytes) {
    memory.held -= bytes;
}

void tls_memory_limit(size_t most) {
    memory.most = most;
}
