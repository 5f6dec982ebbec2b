#ifndef SLUICE_CHANNEL_MESSAGE_H
#define SLUICE_CHANNEL_MESSAGE_H

#include <stdint.h>

#include "common/buf.h"
#include "gateway/net/slab.h"

/* How doors write a message: each codec encodes it once, for all of its sockets. */
#define SIO_NAMESPACES_MAX 8
enum codec {
    CODEC_JSON,
    CODEC_SIO, /* and behind it one for each further namespace */
    CODEC_SIO_BARE = CODEC_SIO + SIO_NAMESPACES_MAX,      /* without offsets, in the same way */
    CODEC_SIO_BASE = CODEC_SIO_BARE + SIO_NAMESPACES_MAX, /* for sessions of the same `base` */
    CODEC_COUNT
};

/*
 * A published message (DESIGN: the frame's fixed member order), taken apart without being
 * parsed:
 * {"channel":C,"epoch":"E","seq":N,"time":T,"event":"X","origin":"O","data":D}
 * epoch (with seq 0) and origin may be missing. The slices point into the frame.
 */
struct message {
    struct slice frame;   /* the whole of it: what JSON clients get */
    struct slice channel; /* as a JSON string, with its quotes */
    struct slice epoch;   /* empty: ephemeral */
    uint64_t seq;
    uint64_t time;
    struct slice event;
    struct slice origin;
    struct slice data;
    bool ephemeral;                     /* a slow client may miss it */
    struct region encoded[CODEC_COUNT]; /* made on first use; each holds a reference */
    uint64_t base;                      /* whom encoded[CODEC_SIO_BASE] is for: session.h */
    uint32_t base_term;
    unsigned base_nsp;
    struct region *attached; /* owned: binary frames behind it; the same */
    unsigned attached_count;
};

/* Takes a frame apart; false if it has not exactly this shape. The data is not looked into. */
bool message_parse(struct message *m, struct slice frame);
/* The same for an entry of a log, which somebody may have written by hand: false also if it is
 * not JSON in valid UTF-8. */
bool message_parse_entry(struct message *m, struct slice frame);

/* Builds {"event":..,"data":..} in `frame`. False: out of memory. data: JSON. */
bool message_bare(struct message *m, struct buf *frame, const char *event, struct slice data);

/* Builds an ephemeral message of a channel in `frame`, with this machine's time. data: JSON. */
bool message_ephemeral(struct message *m, struct buf *frame, struct slice channel,
                       const char *event, struct slice data);

/* The same around a text that somebody published by hand: event `message`. */
bool message_text(struct message *m, struct buf *frame, struct slice channel,
                  struct slice text);

/* Lets go of the encoded forms. */
void message_done(struct message *m, struct slabs *slabs);

#endif
