#ifndef SLUICE_CORE_REQUEST_H
#define SLUICE_CORE_REQUEST_H

#include "common/event.h"
#include "gateway/core/core.h"

/*
 * One event of a client under way. A handler answers it at once or later, exactly once, with
 * request_ok or one of request_fail…; either frees it and lets the client's next event begin.
 */
struct request {
    struct client *client; /* a reference */
    const struct event_row *row;
    struct ack ack;
    uint64_t message;          /* of its clientMessageId, as message_hash; 0: none */
    char *message_id;          /* owned: the same as it was written, for a failure; or NULL */
    void *state;               /* the handler's, freed with the request */
    void (*drop)(void *state); /* before that; may be NULL */
    /* The client is gone, its subs are dropped: what waited for them never comes. May be NULL.
     */
    void (*abandon)(struct request *r);
};

struct event_row {
    const char *name;
    /* data: an object, or what the event takes; holds until it returns. */
    void (*handle)(struct request *r, struct json_value data);
    unsigned flags; /* enum event_flags */
};

const struct event_row *event_find(struct slice name);

/* data: JSON. */
void request_ok(struct request *r, struct slice data);
/* field and message may be NULL (the error's own text, after the field's name). */
void request_fail(struct request *r, enum err err, const char *field, const char *message);
void request_unavailable(struct request *r, enum outcome outcome);
/* For a script's answer: true when it is a good one (its first item 0); else the request is
 * failed accordingly. */
bool request_check(struct request *r, const struct reply *reply, enum outcome outcome);
/* Answers from a buffer that may have failed. */
void request_ok_buf(struct request *r, struct buf *data);

/* Sends the answer but keeps the request open: what follows it comes before the client's next
 * event begins; request_ok then ends it without another answer. False: out of memory, the
 * client was closed. */
bool request_answer(struct request *r, const struct buf *data);

/* Told with a failure; copied. Empty is good. */
void request_keep_id(struct request *r, struct slice id);
/* The clientMessageId of an event's data as it was written; empty if there is none. */
#define MESSAGE_ID_MOST 800 /* 128 bytes, each escaped */
struct slice message_id_of(struct json_value data);

/* Tells a client that an event failed; the event may be of any time. event may be NULL. */
void client_fail(struct client *c, const struct ack *ack, const char *event,
                 const struct failure *failure);
/* A copy of an event; NULL: no memory. */
struct waiting_event *waiting_event(const struct event_row *row, struct json_value data,
                                    const struct ack *ack);

/* --- early.c: events that come before the login, at doors that let them wait ----------------
 */
/* True: the event waits; in order, 2 s after the first at most, 256 KiB all in all. What comes
 * when that is full is not taken, nor is anything behind it. */
bool early_takes(struct client *c, const struct event_row *row, struct json_value data,
                 const struct ack *ack);
/* The client is logged in: they are the next events. */
void early_release(struct client *c);
/* They fail, in order. */
void early_fail(struct client *c, enum err err, enum outcome outcome);
/* The client's timer, before its login. False: none waits. */
bool early_timer(struct client *c);
void early_free(struct client *c);

/* Zeroed memory that lives with the request; NULL: it was failed. */
void *request_state(struct request *r, size_t size);

/*
 * Fields. Each returns false when it has failed the request. A missing optional one leaves the
 * output as it is.
 */
bool field_user(struct request *r, struct json_value value, const char *field, bool optional,
                struct name *out);
bool field_name(struct request *r, struct json_value value, const char *field, bool optional,
                struct name *out);
/* A text of up to NAME_MAX_LEN bytes, such as a display name. */
bool field_text(struct request *r, struct json_value value, const char *field,
                struct name *out);
bool field_number(struct request *r, struct json_value value, const char *field, bool optional,
                  uint64_t low, uint64_t high, uint64_t *out);
/* true or false; always optional. */
bool field_switch(struct request *r, struct json_value value, const char *field, bool *out);
/* True if the data is an object or was left out; else the request has failed, naming `first`.
 */
bool field_object(struct request *r, struct json_value data, const char *first);
/* {epoch, seq}; an empty epoch if it is not there. */
bool field_position(struct request *r, struct json_value value, const char *field,
                    struct position *out);
/* Tells one clientMessageId, as it stands in the JSON, from another; never 0. */
uint64_t message_hash(struct slice id);
/* Makes the idempotency field "<sender>:<clientMessageId>" in out; empty if there is none. */
bool field_message_id(struct request *r, struct json_value value, struct buf *out);
/* The room of an event: given, or the one entered last, or lobby. As a channel name room:… */
bool field_room(struct request *r, struct json_value value, struct buf *channel);

/* A script whose answer finishes the request: done gets the request; unavailable, refused, is
 * answered here when Redis is away, or too far behind (redis_is_full). */
void request_script(struct request *r, enum script script, const struct slice keys[],
                    size_t key_count, const struct slice args[], size_t arg_count,
                    redis_done done);

/* append.lua's answer as {seq, timestamp}. */
void on_appended(void *arg, const struct reply *reply, enum outcome outcome);
/* `peer` or `room` as the name of their channel; other: the peer, or empty. */
bool field_conversation(struct request *r, struct json_value peer, struct json_value room,
                        struct buf *channel, struct name *other);

/* The handlers. */
void on_login(struct request *r, struct json_value data);
void on_join(struct request *r, struct json_value data);
void on_leave(struct request *r, struct json_value data);
void on_private_message(struct request *r, struct json_value data);
void on_send_message(struct request *r, struct json_value data);
void on_publish(struct request *r, struct json_value data);
void on_typing(struct request *r, struct json_value data);
void on_read(struct request *r, struct json_value data);
void on_history(struct request *r, struct json_value data);
void on_all_member(struct request *r, struct json_value data);
void on_subscribe(struct request *r, struct json_value data);
void on_unsubscribe(struct request *r, struct json_value data);
void on_heartbeat(struct request *r, struct json_value data);
void on_message_chunk(struct request *r, struct json_value data);

/* chunk.c */
void chunks_free(struct chunks *chunks);

/* client.c: handles an event whose data was put together by chunk.c under the same request. */
void request_restart(struct request *r, const struct event_row *row, struct json_value data);

#endif
