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

static void forget_lone(struct slabs *s, enum slab_lane lane) {
    if (s->lone[lane] != NULL)
        slab_unref(s, s->lone[lane]);
    s->lone[lane] = NULL;
}

void slabs_rest(struct slabs *s) {
    forget_lone(s, SLAB_PLAIN);
    forget_lone(s, SLAB_PACKED);
}

/* The current slab stays, so frames after a long one still lie right after the frames before
 * it. */
static char *reserve_lone(struct slabs *s, enum slab_lane lane, size_t len) {
    s->lone[lane] = s->reserved = slab_make(s, len);
    return s->reserved != NULL ? s->reserved->bytes : NULL;
}

char *slabs_reserve_in(struct slabs *s, enum slab_lane lane, size_t len) {
    struct slab *c = s->current[lane];
    forget_lone(s, lane);
    if (len > SLAB_BYTES)
        return reserve_lone(s, lane, len);
    if (c == NULL || c->size - c->used < len) {
        struct slab *made = take_spare(s);
        if (made == NULL)
            return NULL;
        s->current[lane] = made;
        if (c != NULL)
            slab_unref(s, c);
    } else if (c->refs == 1) {
        c->used = 0; /* no queue has a part of it any more */
    }
    s->reserved = s->current[lane];
    return s->reserved->bytes + s->reserved->used;
}

struct region slabs_commit(struct slabs *s, size_t len) {
    struct slab *slab = s->reserved;
    struct region r = {slab, slab->used, (uint32_t)len};
    slab->used += (uint32_t)len;
    return r;
}

void slabs_deinit(struct slabs *s) {
    slabs_rest(s);
    for (int lane = 0; lane < SLAB_LANES; lane++) {
        if (s->current[lane] != NULL)
            slab_unref(s, s->current[lane]);
        s->current[lane] = NULL;
    }
    if (s->spare != NULL)
        slab_free(s, s->spare);
    s->spare = NULL;
}
