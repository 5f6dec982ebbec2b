#include "gateway/net/slab.h"

#include <stdlib.h>

void slab_unref(struct slabs *s, struct slab *slab) {
    if (--slab->refs > 0)
        return;
    if (slab->size == SLAB_BYTES && s->spare == NULL)
        s->spare = slab;
    else
        free(slab);
}

static struct slab *slab_new(struct slabs *s, size_t len) {
    size_t size = len > SLAB_BYTES ? len : SLAB_BYTES;
    struct slab *slab = s->spare;
    if (slab != NULL && size == SLAB_BYTES)
        s->spare = NULL;
    else
        slab = malloc(sizeof *slab + size);
    if (slab != NULL)
        *slab = (struct slab){.refs = 1, .size = (uint32_t)size};
    return slab;
}

char *slabs_reserve(struct slabs *s, size_t len) {
    struct slab *c = s->current;
    if (c == NULL || c->size - c->used < len) {
        struct slab *made = slab_new(s, len);
        if (made == NULL)
            return NULL;
        s->current = made;
        if (c != NULL)
            slab_unref(s, c);
    } else if (c->refs == 1) {
        c->used = 0; /* nobody has any of it any more */
    }
    return s->current->bytes + s->current->used;
}

struct region slabs_commit(struct slabs *s, size_t len) {
    struct region r = {s->current, s->current->used, (uint32_t)len};
    s->current->used += (uint32_t)len;
    return r;
}

void slabs_deinit(struct slabs *s) {
    if (s->current != NULL)
        slab_unref(s, s->current);
    free(s->spare);
    s->current = s->spare = NULL;
}
