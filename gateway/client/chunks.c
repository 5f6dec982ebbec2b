#include "gateway/client/chunks.h"

#include <stdlib.h>
#include <string.h>

#define AT_ONCE    8
#define ALLOCATION 16 /* what malloc adds to a piece, about */

struct chunks *chunks_make(struct chunk_store *store) {
    struct chunks *all = calloc(1, sizeof *all);
    if (all != NULL)
        all->store = store;
    return all;
}

void chunks_free(struct chunks *all) {
    if (all == NULL)
        return;
    while (all->first != NULL)
        chunked_free(all, all->first);
    free(all);
}

void chunks_expire(struct chunks *all, uint64_t now) {
    if (all == NULL)
        return;
    for (struct chunked *c = all->first, *next; c != NULL; c = next) {
        next = c->next;
        if (now - c->touched > all->store->options->chunk_timeout)
            chunked_free(all, c);
    }
}

struct chunked *chunked_find(struct chunks *all, const struct name *id) {
    for (struct chunked *c = all->first; c != NULL; c = c->next) {
        if (slice_eq(name_slice(&c->id), name_slice(id)))
            return c;
    }
    return NULL;
}

static bool has_room(const struct chunks *all, size_t bytes) {
    return all->bytes + bytes <= all->store->options->max_chunked;
}

static void hold(struct chunks *all, struct chunked *c, size_t bytes) {
    c->bytes += bytes;
    all->bytes += bytes;
    all->store->bytes += bytes;
}

enum err chunked_begin(struct chunks *all, const struct name *id, size_t total,
                       struct chunked **out) {
    size_t size = sizeof(struct chunked) + total * sizeof(struct slice);
    if (all->count >= AT_ONCE)
        return ERR_TOO_MANY;
    if (!has_room(all, size))
        return ERR_TOO_LARGE;
    struct chunked *c = calloc(1, size);
    if (c == NULL)
        return ERR_INTERNAL;
    c->total = total;
    c->id = *id;
    c->next = all->first;
    all->first = c;
    all->count++;
    hold(all, c, size);
    *out = c;
    return ERR_OK;
}

enum err chunked_take(struct chunks *all, struct chunked *c, size_t index, struct slice bytes,
                      uint64_t now) {
    size_t cost = bytes.len + 1 + ALLOCATION;
    if (!has_room(all, cost))
        return ERR_TOO_LARGE;
    char *copy = malloc(bytes.len + 1);
    if (copy == NULL)
        return ERR_INTERNAL;
    memcpy(copy, bytes.ptr, bytes.len);
    *(index == 0 ? &c->head : &c->pieces[index]) = (struct slice){copy, bytes.len};
    hold(all, c, cost);
    c->touched = now;
    c->have++;
    return ERR_OK;
}

void chunked_free(struct chunks *all, struct chunked *c) {
    struct chunked **at = &all->first;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    all->count--;
    all->bytes -= c->bytes;
    all->store->bytes -= c->bytes;
    for (size_t i = 1; i < c->total; i++)
        free((char *)c->pieces[i].ptr);
    free((char *)c->head.ptr);
    free(c);
}
