#ifndef SLUICE_CHANNEL_APPEND_H
#define SLUICE_CHANNEL_APPEND_H

#include "gateway/redis/redis.h"

/*
 * What is said goes to a channel's log by a script, which also rings the doorbell. Each is done
 * in a later turn with the script's answer, whose first item is its status.
 */
enum append_result {
    APPEND_SENT, /* done follows */
    APPEND_AWAY, /* Redis is away, or too far behind (redis_is_full); done does not follow */
    APPEND_NO_MEMORY
};

/* An event of a channel. id: "<sender>:<clientMessageId>", so that it is there once; or empty.
 * member: who must be a member of the room; or empty. data: JSON. */
enum append_result append_event(struct redis *r, struct slice channel, const char *event,
                                struct slice data, struct slice id, struct slice member,
                                redis_done done, void *arg);
/* A user's message to a room, whose channel is given. message: JSON. bin: a JSON array that is
 * handed on with it; or empty. */
enum append_result append_room_message(struct redis *r, struct slice channel,
                                       struct slice sender, struct slice message,
                                       struct slice bin, struct slice id, redis_done done,
                                       void *arg);
/* A private message, which goes to the log of the two and to both inboxes. origin: the
 * connection that does not get it. The answer: status, seq, time, delivered, and the epoch and
 * seq of the sender's inbox. */
enum append_result append_private_message(struct redis *r, struct slice sender,
                                          struct slice receiver, struct slice content,
                                          struct slice bin, struct slice id,
                                          struct slice origin, redis_done done, void *arg);
/* Rings the doorbell with an event that is in no log. */
enum append_result append_ephemeral(struct redis *r, struct slice channel, const char *event,
                                    struct slice data, struct slice member, redis_done done,
                                    void *arg);

/* Begins {"seq":…,"timestamp":… of an append's answer; the caller ends it. */
void append_put_result(struct buf *out, const struct reply *reply);

#endif
