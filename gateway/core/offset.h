#ifndef SLUICE_CORE_OFFSET_H
#define SLUICE_CORE_OFFSET_H

#include "gateway/core/session.h"

/* An offset as a client says it when it comes back; session.h has its forms. */
#define OFFSET_MARKS_MOST 65 /* the message's own, and what offset.c puts beside it at most */

/* What an offset says of one channel. */
struct mark {
    struct slice channel;
    struct position at;
};

struct offset {
    bool given;
    bool plain;
    uint64_t time;
    uint32_t term;
    size_t count;
    struct mark marks[OFFSET_MARKS_MOST]; /* the message's own first */
};

/* Reads one into a zeroed *o; its slices point into the text. False: it is none of ours. */
bool offset_parse(struct offset *o, struct slice at);

/* What it says of a channel; NULL: nothing. */
const struct mark *offset_mark(const struct offset *o, struct slice channel);

#endif
