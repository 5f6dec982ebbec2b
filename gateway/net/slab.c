#include "gateway/net/slab.h"

#include <stdlib.h>

struct slab *slab_make(struct slabs *s, size_t size) {
    struct slab *slab = malloc(sizeof *slab + size);
    if (slab == NULL)
        return NULL;
    *slab = (struct slab){.refs = 1, .size = (uint32_t)size};
    s->held += sizeof *slab + size;
    return slab;
}

static void slab_free(struct slabs *s, struct slab *slab) {
    s->held -= sizeof *slab + slab->size;
    free(slab);
}

void slab_unref(struct slabs *s, struct slab *slab) {
    if (--slab->refs > 0)
        return;
    if (slab->size == SLAB_BYTES && !slab->own && s->spare == NULL)
        s->spare = slab;
    else
        slab_free(s, slab);
}

static struct slab *take_spare(struct slabs *s) {
    struct slab *slab = s->spare;
    if (slab == NULL)
        return slab_make(s, SLAB_BYTES);
    s->spare = NULL;
    slab->refs = 1;
    slab->used = 0;
    return slab;
}

void slabs_rest(struct slabs *s) {
    if (s->lone != NULL)
        slab_unref(s, s->lone);
    s->lone = NULL;
}

/* The current slab stays, so frames after a long one still lie right after the frames before
 * it. */
static char *reserve_lone(struct slabs *s, size_t len) {
    s->lone = s->reserved = slab_make(s, len);
    return s->lone != NULL ? s->lone->bytes : NULL;
}

char *slabs_reserve(struct slabs *s, size_t len) {
    struct slab *c = s->current;
    if (s->lone != NULL)
        slabs_rest(s);
    if (len > SLAB_BYTES)
        return reserve_lone(s, len);
    if (c == NULL || c->size - c->used < len) {
        struct slab *made = take_spare(s);
        if (made == NULL)
            return NULL;
        s->current = made;
        if (c != NULL)
            slab_unref(s, c);
    } else if (c->refs == 1) {
        c->used = 0; /* no queue has a part of it any more */
    }
    s->reserved = s->current;
    return s->current->bytes + s->current->used;
}

struct region slabs_commit(struct slabs *s, size_t len) {
    struct slab *slab = s->reserved;
    struct region r = {slab, slab->used, (uint32_t)len};
    slab->used += (uint32_t)len;
    return r;
}

void slabs_deinit(struct slabs *s) {
    slabs_rest(s);
    if (s->current != NULL)
        slab_unref(s, s->current);
    if (s->spare != NULL)
        slab_free(s, s->spare);
    s->current = s->spare = NULL;
}
