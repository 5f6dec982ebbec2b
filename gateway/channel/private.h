#ifndef SLUICE_CHANNEL_PRIVATE_H
#define SLUICE_CHANNEL_PRIVATE_H

#include "gateway/channel/append.h"
#include "gateway/channel/name.h"
#include "gateway/channel/position.h"

/*
 * A private message on its way into the log of two users (the dm) and into both inboxes. It has
 * an idempotency field and an origin as append.h says.
 *
 * If all three are in one partition, as with one Redis, one script does it (private.lua).
 * Otherwise there are steps, which all can be done again:
 *
 *    dm.lua      the log has the message; the outbox of its partition has a note of it
 *    inbox.lua   both inboxes have it, at once; now the sender can be told
 *    posted.lua  the note is gone
 *
 * If a step fails, the note stays. Then the sender's repeat goes on, or a node that finds the
 * note (outbox.h). An inbox takes a message once: by the idempotency field, or if there is none
 * by the message's epoch and seq in the dm.
 */
struct private_message {
    struct slice sender;
    struct slice receiver;
    struct slice content; /* JSON */
    struct slice bin;     /* a JSON array that is passed on with it, or empty */
    struct slice id;
    struct slice origin; /* the connection that sent it, which does not get it */
};

/* What the sender is told. */
struct private_sent {
    uint64_t seq;  /* in the dm */
    uint64_t time; /* µs */
    bool delivered;
    bool cut;              /* old messages had to go, because of log-bytes */
    struct position inbox; /* of the message in the sender's inbox */
};

/* sent: NULL if a step failed. Then the outcome is refused if nothing was written at all. It is
 * called in a later turn; the private_send is the owner's again. */
struct private_send;
typedef void (*private_done)(struct private_send *send, const struct private_sent *sent,
                             enum outcome outcome);

/* A message under way, embedded by its owner; zeroed before its first use. */
struct private_send {
    struct redis *redis;
    private_done done;
    struct private_sent sent;
    struct private_inbox {
        struct private_send *send;
        bool is_senders;
    } inboxes[2];
    unsigned pending; /* inboxes that have not answered */
    bool failed;
    bool is_noted;                             /* it is of a note, and may be old */
    struct buf data;                           /* the message's JSON */
    struct buf words;                          /* has the next four */
    struct slice sender, receiver, id, origin; /* as in the private_message */
    struct buf place;                          /* has the rest */
    struct slice epoch, seq, count, read;      /* as inbox.lua takes them */
    struct slice note;
};

/* Sends a message. The bytes are needed only until it returns. done is called if it returns
 * APPEND_SENT. */
enum append_result private_send(struct private_send *s, struct redis *r,
                                const struct private_message *m, private_done done);
/* Frees what it holds; not while it is under way. */
void private_deinit(struct private_send *s);

/* Goes on with the message of a note, from the second step. The items of the reply from `at` on
 * are as outbox.lua gives them. False: there is no memory, or the message cannot be read (and
 * its note is taken out); then done is not called. Otherwise it may be called before this
 * returns.
 */
#define PRIVATE_ITEMS 8
bool private_resume(struct private_send *s, struct redis *r, const struct reply *reply,
                    size_t at, private_done done);

#endif
