#ifndef SLUICE_SOCKETIO_SIO_GATHER_H
#define SLUICE_SOCKETIO_SIO_GATHER_H

#include "common/sio.h"

/* A packet of Socket.IO whose attachments have not all come: a copy of its text, and of the
 * attachments so far. */
struct sio_gather {
    struct buf text;
    struct sio_packet packet; /* slices of text */
    struct buf bytes;         /* of the attachments, one after the other */
    uint32_t count;           /* of attachments so far */
    size_t ends[];            /* of each of them in bytes */
};

/* text: a valid packet with so many attachments. NULL: no memory. */
struct sio_gather *sio_gather_begin(struct slice text, uint32_t attachments);
/* g may be NULL. */
void sio_gather_free(struct sio_gather *g);

/* Adds the next of the announced attachments. False: no memory. */
bool sio_gather_add(struct sio_gather *g, struct slice bytes);

/* The memory that it takes. g may be NULL. */
static inline size_t sio_gather_held(const struct sio_gather *g) {
    return g != NULL ? sizeof *g + g->text.cap + g->bytes.cap : 0;
}

static inline bool sio_gather_is_whole(const struct sio_gather *g) {
    return g->count == g->packet.attachments;
}

/* Returns the attachments as slices of `bytes`, in an array that the caller frees; NULL: no
 * memory. */
struct slice *sio_gather_attachments(const struct sio_gather *g);

#endif
