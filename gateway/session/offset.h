#ifndef SLUICE_SESSION_OFFSET_H
#define SLUICE_SESSION_OFFSET_H

#include "gateway/session/session.h"
#include "gateway/session/tides.h"

/* The offset, whose forms are in session.h. It is written with each message, and read when a
 * client comes back with it. */

enum offset_kind {
    OFFSET_NONE,  /* none: the message is in no log */
    OFFSET_PLAIN, /* the same for all clients */
    OFFSET_BASE,  /* the same for all sessions with this base and term */
    OFFSET_OWN    /* only for this client */
};
/* Decides which offset a message gets, and notes that the client has the message. To be called
 * once for each message that is sent to the client. */
enum offset_kind offset_sends(struct session *s, const struct message *m);
/* Appends the offset as the inside of a JSON string, without the quotes. */
void offset_put(const struct session *s, const struct message *m, enum offset_kind kind,
                struct buf *out);

#define OFFSET_MARKS_MOST 65 /* the message's own mark, and at most 64 others */

/* What an offset says of one channel. */
struct mark {
    struct slice channel;
    struct position at;
};

struct offset {
    bool given;
    bool plain;
    uint64_t time;
    uint32_t term;                           /* with partitions: the salt */
    struct tide_said tides[PARTITIONS_MOST]; /* with partitions */
    size_t count;
    struct mark marks[OFFSET_MARKS_MOST]; /* the message's own first */
};

/* Reads an offset into a zeroed *o, whose slices then point into the text. partitions: of
 * Redis. False: no node of such a Redis wrote this text. */
bool offset_parse(struct offset *o, struct slice at, unsigned partitions);

/* The mark of a channel; NULL: there is none. */
const struct mark *offset_mark(const struct offset *o, struct slice channel);

#endif
