#ifndef SLUICE_SESSION_OFFSET_H
#define SLUICE_SESSION_OFFSET_H

#include "gateway/session/session.h"

/* The offset, whose forms stand in session.h: as it goes with a message, and as a client says
 * it when it comes back. */

enum offset_kind {
    OFFSET_NONE,  /* nothing: it is of no log */
    OFFSET_PLAIN, /* the same for all clients */
    OFFSET_BASE,  /* the same for all with this session's base and term */
    OFFSET_OWN    /* this client's alone */
};
/* To be called once for each message that is sent to the client. */
enum offset_kind offset_sends(struct session *s, const struct message *m);
/* Appends the offset, without quotes, as it stands in a JSON string. */
void offset_put(const struct session *s, const struct message *m, enum offset_kind kind,
                struct buf *out);

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
