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
 *
 * Compressed frames are written into slabs of their own. Otherwise the frames of neither kind
 * would be neighbours where both are sent.
 */
#define SLAB_BYTES 16384
enum slab_lane { SLAB_PLAIN, SLAB_PACKED, SLAB_LANES };

struct slab {
    unsigned refs; /* queue entries, and one while a struct slabs has it at hand */
    uint32_t used;
    uint32_t size;
    bool own; /* belongs to one queue, which alone writes into it (queue.c) */
    char bytes[];
};

struct region {
    struct slab *slab;
    uint32_t at;
    uint32_t len;
};

struct slabs {
    struct slab *current[SLAB_LANES];
    struct slab *lone[SLAB_LANES]; /* holds a long frame, until the next reservation */
    struct slab *spare;            /* one of ordinary size that is not in use */
    struct slab *reserved;         /* where the last reservation is */
    uint64_t held;                 /* bytes of memory of all slabs */
};

/* Room for `len` bytes (below 2^31) that lie right after those of the lane's last reservation,
 * if they fit there; valid until the next call. NULL without memory. */
char *slabs_reserve_in(struct slabs *s, enum slab_lane lane, size_t len);
static inline char *slabs_reserve(struct slabs *s, size_t len) {
    return slabs_reserve_in(s, SLAB_PLAIN, len);
}
/* Makes a region of the bytes that were written there. It has no reference of its own: it is
 * valid until the lane's next reservation or slabs_rest, or as long as a queue has it. */
struct region slabs_commit(struct slabs *s, size_t len);
/* Called at the end of a turn: frees a long frame that no queue has. */
void slabs_rest(struct slabs *s);
void slabs_deinit(struct slabs *s);

/* Makes a slab that is not shared, with one reference; NULL without memory. */
struct slab *slab_make(struct slabs *s, size_t size);
static inline void slab_ref(struct slab *slab) {
    slab->refs++;
}
void slab_unref(struct slabs *s, struct slab *slab);

#endif
