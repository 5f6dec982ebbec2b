#ifndef SLUICE_CHANNEL_APPEND_H
#define SLUICE_CHANNEL_APPEND_H

#include "gateway/redis/redis.h"

/*
 * Publishing: a script appends an event to a channel's log and rings its doorbell. `done` is
 * called in a later turn with the script's answer, whose first item is its status.
 */
enum append_result {
    APPEND_SENT, /* `done` will be called; in the other cases it will not */
    APPEND_AWAY, /* Redis is away, or has too much to do (redis_is_full) */
    APPEND_NO_MEMORY
};

/* Appends an event. s: its place in its sender's order (batch.h), or NULL. id:
 * "<sender>:<clientMessageId>", so that the log has it once, or empty. member: a user; the
 * script refuses the event if the user is no member of the room; or empty. data: JSON. */
enum append_result append_event(struct redis *r, struct slice channel, const char *event,
                                struct slice data, struct slice id, struct slice member,
                                struct sending *s, redis_done done, void *arg);
/* Appends a user's message to the channel of a room. message: JSON. bin: a JSON array that is
 * passed on with it, or empty. */
enum append_result append_room_message(struct redis *r, struct slice channel,
                                       struct slice sender, struct slice message,
                                       struct slice bin, struct slice id, struct sending *s,
                                       redis_done done, void *arg);
/* Rings the doorbell with an event that no log keeps. */
enum append_result append_ephemeral(struct redis *r, struct slice channel, const char *event,
                                    struct slice data, struct slice member, redis_done done,
                                    void *arg);

/* An event of the application's own (PROTOCOL.md). */
struct emit {
    struct slice event;  /* its name, which needs no escapes in JSON */
    struct slice user;   /* the sender: a JSON string; or empty: the application itself */
    struct slice socket; /* the id of the socket that does not get it; or empty */
    struct slice nsp;    /* the namespace; empty or "/" */
    struct slice
        except; /* a JSON array of "user:…" and "socket:…", who do not get it; or empty */
    struct slice data; /* its one argument: JSON; or empty: */
    struct slice args; /* its arguments: a JSON array */
    struct slice bin;  /* their attachments: a JSON array of base64; or empty */
};
/* As append_event. With a member, the data is as it is given. */
enum append_result append_emit(struct redis *r, struct slice channel, const struct emit *e,
                               struct slice id, struct slice member, struct sending *s,
                               redis_done done, void *arg);
/* Rings the doorbell with it; no log keeps it. channel: also "all", and "socket:<id>". */
enum append_result ring_emit(struct redis *r, struct slice channel, const struct emit *e,
                             struct slice member, redis_done done, void *arg);

/* Writes ,"bin":… if there is one. */
void append_put_bin(struct buf *out, struct slice bin);
/* Writes {"seq":…,"timestamp":… time: µs. The caller closes the brace. */
void append_put_result(struct buf *out, uint64_t seq, uint64_t time);
/* Does the answer to an append that was good say that old messages had to go, because of
 * log-bytes? */
bool append_has_cut(const struct reply *reply);

#endif
