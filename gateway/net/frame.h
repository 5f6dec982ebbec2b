#ifndef SLUICE_NET_FRAME_H
#define SLUICE_NET_FRAME_H

#include "common/slice.h"
#include "gateway/net/slab.h"

/*
 * An encoded message: a whole WebSocket frame that any number of sockets share. The first
 * socket that has agreed to compression has the message compressed for all of them
 * (wsock_send). The regions have a reference each, so whoever has a frame ends with frame_done.
 * All zeros is no frame.
 */
#define FRAME_MANY 64
struct frame {
    struct region plain;  /* its slab is NULL: there was no memory */
    struct region packed; /* its slab is NULL: not made yet. Where compression saves nothing, it
                             is the plain one once more */
    bool wide; /* it goes to more than FRAME_MANY sockets: what goes to few is written before it
                  (turn.h) */
};

static inline struct frame frame_of(struct region plain) {
    if (plain.slab != NULL)
        slab_ref(plain.slab);
    return (struct frame){.plain = plain};
}

static inline void frame_done(struct frame *f, struct slabs *slabs) {
    if (f->plain.slab != NULL)
        slab_unref(slabs, f->plain.slab);
    if (f->packed.slab != NULL)
        slab_unref(slabs, f->packed.slab);
    f->plain.slab = f->packed.slab = NULL;
}

/* The payload of an encoded frame, which is a server's: not masked. */
static inline struct slice frame_payload(struct region r) {
    const unsigned char *b = (const unsigned char *)r.slab->bytes + r.at;
    uint32_t head = b[1] < 126 ? 2 : b[1] == 126 ? 4 : 10;
    return (struct slice){(const char *)b + head, r.len - head};
}

static inline unsigned frame_opcode(struct region r) {
    return (unsigned char)r.slab->bytes[r.at] & 0x0fU;
}

/* It is sent as it is, to all. */
static inline void frame_keep_plain(struct frame *f) {
    if (f->plain.slab == NULL || f->packed.slab != NULL)
        return;
    slab_ref(f->plain.slab);
    f->packed = f->plain;
}

#endif
