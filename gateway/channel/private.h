#ifndef SLUICE_CHANNEL_PRIVATE_H
#define SLUICE_CHANNEL_PRIVATE_H

#include "gateway/channel/courier.h"

/*
 * A private message on its way into the log of two users (the dm) and into both inboxes. It has
 * an idempotency field and an origin as append.h says.
 *
 * If all three are in one partition, as with one Redis, one script does it (private.lua).
 * Otherwise there are steps, which all can be done again:
 *
 *    dm.lua      the log has the message; the outbox of its partition names the log
 *    inbox.lua   both inboxes have it and all before it (courier.h); the sender can be told
 *    posted.lua  the log knows so; if it has no later message, the outbox forgets it
 *
 * If a step fails, the outbox still names the log. Then the sender's repeat goes on, or the
 * next message, or a node that finds the name (outbox.h).
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
    struct position inbox; /* of the message in the sender's inbox, or later */
};

/* sent: NULL if a step failed. Then the outcome is refused if nothing was written at all; none
 * if another message had the id (private_send.conflict). It is called in a later turn; the
 * private_send is the owner's again. */
struct private_send;
typedef void (*private_done)(struct private_send *send, const struct private_sent *sent,
                             enum outcome outcome);

/* A message under way, embedded by its owner; zeroed before its first use. */
struct private_send {
    struct redis *redis;
    private_done done;
    struct private_sent sent;
    struct private_courier {
        struct courier courier;
        struct private_send *send;
    } couriers[2];    /* the receiver's inbox, the sender's */
    unsigned pending; /* couriers that are not done */
    bool failed;
    bool conflict;
    struct buf data;  /* the message's JSON */
    struct buf words; /* has the next five */
    struct slice dm, sender, receiver, id, origin;
    struct position place; /* in the dm: of the message, or up to where both inboxes have it */
};

/* Sends a message. sending: its place in its sender's order (batch.h); with steps, those after
 * it wait until it is over. The bytes are needed only until it returns. done is called if it
 * returns APPEND_SENT. */
enum append_result private_send(struct private_send *s, struct redis *r,
                                const struct private_message *m, struct sending *sending,
                                private_done done);
/* Frees what it holds; not while it is under way. */
void private_deinit(struct private_send *s);

/* Brings both inboxes level with the log of that name, which an outbox has. sent has no meaning
 * but that it is NULL after a failure. False: there is no memory, or no log has such a name;
 * then done is not called. Otherwise it may be called before this returns.
 */
bool private_resume(struct private_send *s, struct redis *r, struct slice dm,
                    private_done done);

#endif
