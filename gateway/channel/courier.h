#ifndef SLUICE_CHANNEL_COURIER_H
#define SLUICE_CHANNEL_COURIER_H

#include "gateway/channel/append.h"
#include "gateway/channel/position.h"

/*
 * Brings private messages to the inbox of one of the two users. An inbox follows the log of the
 * two (inbox.lua), so each conversation comes in the order of its log, and each message once.
 * If the inbox lacks others before a message, the courier reads them from the log (missing.lua)
 * and brings them first.
 *
 * Everything can be done again, by any number of couriers at a time. One that fails has brought
 * some of the messages or none, and nothing is lost: the outbox of the log's partition knows
 * that the inbox has to follow.
 */

/* A message, and what is before it in the log of the two. */
struct carried {
    struct slice epoch, seq; /* its place in that log */
    struct slice sender;
    struct slice id;     /* its idempotency field, or empty */
    struct slice origin; /* the connection that sent it, which does not get it */
    struct slice count;  /* how many its sender has sent, with it */
    struct slice data;
};
struct carried_after {
    struct slice epoch, seq; /* of the message before the first one */
    bool whole;              /* both inboxes have all up to there, unless they lost some */
    bool late;               /* they may be older than the ids that an inbox keeps */
    struct slice read;       /* how many of the peer's messages the user has read, or empty */
};

/* good: the inbox has what it was to have. May be called before courier_bring or courier_level
 * returns. */
struct courier;
typedef void (*courier_done)(struct courier *c, bool good);

/* Embedded by its owner, who sets the first members; the texts are borrowed until it is done.
 */
struct courier {
    struct redis *redis;
    courier_done done;
    struct slice dm; /* the name of the log */
    struct slice user, peer;

    struct position inbox; /* when it is done: where the inbox has the last of them, or later */
    struct position reached; /* courier_level: up to where it has the log of the two */
    bool live;               /* the inbox's user has a live connection */
    bool cut;                /* old messages had to go, because of log-bytes */
    struct position wanted;  /* courier_bring: the message */
    struct position mark;    /* what comes after it was asked for last */
    bool more;               /* the log has more, and these are to come, too */
    unsigned rounds;
};

/* Brings a message. It is not done well if the log does not have that any more, though the
 * inbox lacks others. The slices are needed only until it returns. */
void courier_bring(struct courier *c, const struct carried_after *after,
                   const struct carried *message);
/* Brings all that the inbox lacks. */
void courier_level(struct courier *c);

#endif
