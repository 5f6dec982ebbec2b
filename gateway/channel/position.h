#ifndef SLUICE_CHANNEL_POSITION_H
#define SLUICE_CHANNEL_POSITION_H

#include <stdint.h>
#include <string.h>

#include "common/slice.h"

/* A place in a channel's log: what stands up to this seq, in this life of the log. */
struct position {
    char epoch[16]; /* empty: from now on */
    uint64_t seq;
};

/* Of an epoch that is too long, which no log has, the beginning. */
static inline void position_set(struct position *p, struct slice epoch, uint64_t seq) {
    size_t len = epoch.len < sizeof p->epoch ? epoch.len : sizeof p->epoch - 1;
    if (len > 0)
        memcpy(p->epoch, epoch.ptr, len);
    p->epoch[len] = '\0';
    p->seq = seq;
}

#endif
