#ifndef SLUICE_DATA_MOVE_H
#define SLUICE_DATA_MOVE_H

#include "gateway/data/marker.h"

/* Copies the data of a deployment into another one, each key under its name there. */
struct move {
    struct store *from, *to;
    uint64_t keys, bytes;      /* so far */
    void (*tell)(void *owner); /* called now and then */
    void *owner;
};

/* Copies all, beginning where the marker says, which it keeps up to date. False: one of the
 * stores has failed. */
bool move_copy(struct move *m, const struct marker *at);
/* Deletes the data in the target: those of an earlier attempt. */
bool move_clear(struct move *m);

#endif
