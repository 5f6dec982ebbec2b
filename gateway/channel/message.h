#ifndef SLUICE_CHANNEL_MESSAGE_H
#define SLUICE_CHANNEL_MESSAGE_H

#include <stdint.h>

#include "common/buf.h"
#include "gateway/net/frame.h"

/* The forms in which doors write a message. A message is encoded once a form, for all sockets
 * that use it. Socket.IO has a form a namespace. */
#define SIO_NAMESPACES_MAX 8
enum codec {
    CODEC_JSON,
    CODEC_SIO,                                            /* the first of one a namespace */
    CODEC_SIO_BARE = CODEC_SIO + SIO_NAMESPACES_MAX,      /* the same without offsets */
    CODEC_SIO_BASE = CODEC_SIO_BARE + SIO_NAMESPACES_MAX, /* for sessions with one `base` */
    CODEC_COUNT
};

/*
 * A published message, taken apart without being parsed. The members of its frame always stand
 * in this order:
 * {"channel":C,"epoch":"E","seq":N,"time":T,"event":"X","origin":"O","data":D}
 * The epoch is missing if seq is 0; the origin may be missing. An application's own event may
 * have more, in this order: ,"user":U,"socket":"S","nsp":"N","except":[…] before the origin,
 * "args":[…] in place of the data, and ,"bin":[…] at the end. The slices point into the frame.
 */
struct message {
    struct slice frame;   /* the whole frame; JSON clients get it as it is */
    struct slice channel; /* as a JSON string, with its quotes */
    struct slice epoch;   /* empty: ephemeral */
    uint64_t seq;
    uint64_t time;
    struct slice event;
    struct slice user;   /* as a JSON string; empty: it has no sender */
    struct slice socket; /* which does not get it; or empty */
    struct slice nsp;    /* empty: "/", or of a built-in event any */
    struct slice except; /* as a JSON array; or empty */
    struct slice origin;
    struct slice data; /* or its arguments, as a JSON array, */
    bool has_args;     /* which this tells */
    bool own;          /* an application's own event (or an answer's): its filters count */
    struct slice bin;  /* its attachments, as a JSON array; or empty */
    bool ephemeral;    /* a slow client may miss it */
    bool wide;         /* it goes to many here (frame.h) */
    bool ordered;      /* it rang in the order of times (tide.h) */
    struct frame encoded[CODEC_COUNT]; /* made on first use */
    /* encoded[CODEC_SIO_BASE] is for sessions with this base and term (session.h). */
    uint64_t base;
    uint32_t base_term;
    unsigned base_nsp;
    struct frame *attached; /* owned: the binary frames that follow */
    unsigned attached_count;
};

/* Takes a frame apart. False if it does not have exactly this shape. The data is not parsed. */
bool message_parse(struct message *m, struct slice frame);
/* The same for an entry of a log, which somebody may have written by hand. It is false also if
 * the entry is not JSON in valid UTF-8. */
bool message_parse_entry(struct message *m, struct slice frame);

/* Builds {"event":..,"data":..} in `frame`. False: out of memory. data: JSON. */
bool message_bare(struct message *m, struct buf *frame, const char *event, struct slice data);

/* Builds an ephemeral message of a channel in `frame`, with this machine's time. data: JSON. */
bool message_ephemeral(struct message *m, struct buf *frame, struct slice channel,
                       const char *event, struct slice data);

/* The same for an application's own event. tail: the frame from its event on, without the comma
 * before that: "event":"X",… */
bool message_own(struct message *m, struct buf *frame, struct slice channel, struct slice tail);

/* The same for a text that somebody published by hand. The event is `message`. */
bool message_text(struct message *m, struct buf *frame, struct slice channel,
                  struct slice text);

/* Releases the encoded forms. */
void message_done(struct message *m, struct slabs *slabs);

#endif
