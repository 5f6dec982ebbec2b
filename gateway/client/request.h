#ifndef SLUICE_CLIENT_REQUEST_H
#define SLUICE_CLIENT_REQUEST_H

#include "gateway/channel/append.h"
#include "gateway/client/client.h"

/*
 * Events of a client, one after the other, and their answers.
 *
 * A request is one event under way. A handler answers it at once or later, exactly once, with
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

/* The handlers that EVENT_TABLE names. Each is defined by the file of events/ that is named as
 * its event, those of logins by login/ask.c. */
#define EVENT_HANDLER(symbol, name, handler, flags, payload)                                   \
    void handler(struct request *r, struct json_value data);
EVENT_TABLE(EVENT_HANDLER)
#undef EVENT_HANDLER

/* --- for doors ------------------------------------------------------------------------------
 */
/* An event from the client. data: JSON_NONE if there was none. Bytes hold until it returns. */
void client_event(struct client *c, struct slice event, struct json_value data,
                  const struct ack *ack);
/* Bytes that a message may have that comes now: few before a login has come in. */
#define BEFORE_LOGIN_MOST 16384
size_t client_message_most(const struct client *c);

/* --- for handlers ---------------------------------------------------------------------------
 */
/* The row of an event that came by its name; NULL: there is no such event. */
const struct event_row *event_find(const struct clients *all, struct slice name);

/* A request that no event asked for; NULL: no memory. It is the client's current one. */
struct request *request_make(struct client *c, const struct event_row *row);
/* Goes on as another event, whose data was put together from pieces. */
void request_restart(struct request *r, const struct event_row *row, struct json_value data);
/* Zeroed memory that lives with the request; NULL: it was failed. */
void *request_state(struct request *r, size_t size);
/* Told with a failure; copied. Empty is good. */
void request_keep_id(struct request *r, struct slice id);

/* data: JSON. */
void request_ok(struct request *r, struct slice data);
/* Answers from a buffer that may have failed. */
void request_ok_buf(struct request *r, struct buf *data);
/* Sends the answer but keeps the request open: what follows it comes before the client's next
 * event begins; request_ok then ends it without another answer. False: out of memory, the
 * client was closed. */
bool request_answer(struct request *r, const struct buf *data);
/* field and message may be NULL (the error's own text, after the field's name). */
void request_fail(struct request *r, enum err err, const char *field, const char *message);
void request_unavailable(struct request *r, enum outcome outcome);

/* For a script's answer: true when it is a good one (its first item 0); else the request is
 * failed accordingly. */
bool request_check(struct request *r, const struct reply *reply, enum outcome outcome);
/* A script whose answer finishes the request: done gets the request; unavailable, refused, is
 * answered here when Redis is away, or too far behind (redis_is_full). */
void request_script(struct request *r, enum script script, const struct slice keys[],
                    size_t key_count, const struct slice args[], size_t arg_count,
                    redis_done done);
/* The same for what was sent by append.h. */
void request_sent(struct request *r, enum append_result result);
/* A redis_done of which the good answer is {}. arg: the request. */
void request_done(void *arg, const struct reply *reply, enum outcome outcome);
/* The same for an append: {seq, timestamp}. */
void request_appended(void *arg, const struct reply *reply, enum outcome outcome);

#endif
