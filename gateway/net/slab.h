#ifndef SLUICE_NET_SLAB_H
#define SLUICE_NET_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Outgoing bytes, written once and shared by reference. Frames of one loop are written one
 * behind the other into the current slab; a queue that is given neighbouring regions keeps them
 * as one, so a burst to a thousand sockets is a thousand single writes of the same memory.
 */
#define SLAB_BYTES 16384

struct slab {
    unsigned refs; /* queue entries, and one while it is the current slab */
    uint32_t used;
    uint32_t size;
    char bytes[];
};

struct region {
    struct slab *slab;
    uint32_t at;
    uint32_t len;
};

struct slabs {
    struct slab *current;
    struct slab *spare; /* an ordinary one at rest */
};

/* Room for `len` bytes (below 2^31) at the end of the current slab, good until the next call;
 * NULL without memory. */
char *slabs_reserve(struct slabs *s, size_t len);
/* The bytes written there become a region, without a reference of its own: it holds until the
 * next slabs_reserve, or as long as a queue has it. */
struct region slabs_commit(struct slabs *s, size_t len);
void slabs_deinit(struct slabs *s);

static inline void slab_ref(struct slab *slab) {
    slab->refs++;
}
void slab_unref(struct slabs *s, struct slab *slab);

#endif
