#ifndef SLUICE_NET_SLAB_H
#define SLUICE_NET_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Outgoing bytes, written once and shared by reference. Frames of one loop are written one
 * after the other into the current slab; a queue that is given neighbouring regions keeps them
 * as one, so a burst to a thousand sockets is a thousand single writes of the same memory.
 * A frame that is longer than a slab has one of its own.
 */
#define SLAB_BYTES 16384

struct slab {
    unsigned refs; /* queue entries, and one while a struct slabs has it at hand */
    uint32_t used;
    uint32_t size;
    bool own; /* of one queue: nobody else writes into it (queue.c) */
    char bytes[];
};

struct region {
    struct slab *slab;
    uint32_t at;
    uint32_t len;
};

struct slabs {
    struct slab *current;
    struct slab *spare;    /* an ordinary one at rest */
    struct slab *lone;     /* of a long frame, until the next reservation */
    struct slab *reserved; /* where the last reservation is */
    uint64_t held;         /* bytes of memory, of all that there are */
};

/* Room for `len` bytes (below 2^31) that lie right after those of the last reservation, if they
 * fit there; good until the next call. NULL without memory. */
char *slabs_reserve(struct slabs *s, size_t len);
/* The bytes written there become a region, without a reference of its own: it holds until the
 * next slabs_reserve or slabs_rest, or as long as a queue has it. */
struct region slabs_commit(struct slabs *s, size_t len);
/* The turn is over: a long frame that nobody has is let go of. */
void slabs_rest(struct slabs *s);
void slabs_deinit(struct slabs *s);

/* One that is not shared, with one reference; NULL without memory. */
struct slab *slab_make(struct slabs *s, size_t size);
static inline void slab_ref(struct slab *slab) {
    slab->refs++;
}
void slab_unref(struct slabs *s, struct slab *slab);

#endif
