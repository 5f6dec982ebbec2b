#ifndef SLUICE_CHANNEL_POSITION_H
#define SLUICE_CHANNEL_POSITION_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/slice.h"

/* A place in a channel's log: everything up to this seq, in the life of the log that the epoch
 * names. */
struct position {
    char epoch[16]; /* empty: no place yet; a reader begins with what comes next */
    uint64_t seq;
};

static inline bool position_is(const struct position *a, const struct position *b) {
    return a->seq == b->seq && strcmp(a->epoch, b->epoch) == 0;
}

/* An epoch that is too long is cut; no log has such an epoch. */
static inline void position_set(struct position *p, struct slice epoch, uint64_t seq) {
    size_t len = epoch.len < sizeof p->epoch ? epoch.len : sizeof p->epoch - 1;
    if (len > 0)
        memcpy(p->epoch, epoch.ptr, len);
    p->epoch[len] = '\0';
    p->seq = seq;
}

#endif
