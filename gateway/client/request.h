#ifndef SLUICE_CLIENT_REQUEST_H
#define SLUICE_CLIENT_REQUEST_H

#include "gateway/client/client.h"

/*
 * Events of a client, one after the other, and their answers.
 *
 * A request is one event under way. A handler answers it exactly once, now or later, by
 * request_ok or by a function that fails it. That frees the request and lets the client's next
 * event begin.
 *
 * Messages are the exception: those that follow each other are under way together, in their
 * order (batch.h). Any other event waits for all of them, and they for it.
 */
struct kept;
struct question;
struct request {
    struct client *client; /* a reference */
    const struct event_row *row;
    struct ack ack;
    struct list link; /* in client.backlog.flying, if its row appends; or in .apart */
    const struct event_row *line; /* by which it is in .apart */
    struct sending sending;       /* its place among them */
    bool follows;                 /* one before it failed since it began */
    bool broke;                   /* it failed, and those after it fail, too */
    struct kept *kept;         /* owned: its answer, while that of one before it is awaited */
    bool allowed;              /* a right that its row names was asked for, and is there */
    char *event;               /* owned: the name of an own event; or NULL: the row's */
    struct slice instead;      /* what a callback gets in place of the answer; or empty */
    char *message_id;          /* owned: clientMessageId as it was written; or NULL */
    struct question *question; /* owned: to the back end, before it goes on; NULL: none */
    void *state;               /* belongs to the handler; freed with the request */
    void (*drop)(void *state); /* called before state is freed; may be NULL */
    uint64_t arrived;          /* when the event came, by the loop's clock */
    bool trusted;              /* it is a step of a back end's answer, which needs no right */
    bool alone;                /* `leave` is for this connection only */
    /* Not NULL: what is under way is only a step of the event, and when it is over this is
     * called in place of the answer. f: why it failed; NULL: it did not. */
    void (*step)(struct request *r, const struct failure *f);
    void *outer; /* belongs to whoever takes steps; outer_drop frees it with the request */
    void (*outer_drop)(void *outer);
    /* The client is gone and its subs are dropped, so no callback of a sub will come. May be
     * NULL. */
    void (*abandon)(struct request *r);
};

/* The handlers that EVENT_TABLE names. Each is defined in the file of events/ that has the name
 * of its event; those of logins are in login/ask.c. */
#define EVENT_HANDLER(symbol, name, handler, flags, rights, payload)                           \
    void handler(struct request *r, struct json_value data);
EVENT_TABLE(EVENT_HANDLER)
#undef EVENT_HANDLER

/* --- for doors ------------------------------------------------------------------------------
 */
/* An event came from the client. data: JSON_NONE if there was none. The bytes need to be valid
 * only until it returns. */
void client_event(struct client *c, struct slice event, struct json_value data,
                  const struct ack *ack);
/* As client_event, for an event that goes by this row; NULL: no row is for it. */
void client_event_by(struct client *c, const struct event_row *row, struct json_value data,
                     const struct ack *ack);
/* The node itself does something for the client, in its turn among the client's events. row:
 * not one of the table; its answer goes nowhere. */
void client_act(struct client *c, const struct event_row *row, struct json_value data);
/* Tells a client that a frame could not be read as an event. */
void client_bad_frame(struct client *c, enum err err, const struct ack *ack, const char *field);
/* The socket has taken everything, as `want_drained` of the door asked to be told. */
void client_drained(struct client *c);
/* The most bytes that a message may have now. Until a login has come (with identity on: one
 * with a good token), it is BEFORE_LOGIN_MOST. */
#define BEFORE_LOGIN_MOST 16384
size_t client_message_most(const struct client *c);

/* The client is gone. */
void requests_abandon(struct client *c);

/* --- for handlers ---------------------------------------------------------------------------
 */
/* The row of the event with this name; NULL: there is no such event. */
const struct event_row *event_find(const struct clients *all, struct slice name);

/* The same for an event of this client: where `builtin` is `none` only few are left. */
const struct event_row *client_row(const struct client *c, struct slice name);

/* Makes a request without an event; it becomes the client's current one. NULL: no memory. */
struct request *request_make(struct client *c, const struct event_row *row);
/* Goes on with the request as another event, whose data was put together from pieces. */
void request_restart(struct request *r, const struct event_row *row, struct json_value data);
/* Handles another event as a step of this one. `step` may be called before it returns. */
void request_step(struct request *r, const struct event_row *row, struct json_value data,
                  void (*step)(struct request *r, const struct failure *f));
/* Zeroed memory that lives as long as the request, or its step. NULL: no memory; the request
 * has failed. */
void *request_state(struct request *r, size_t size);
/* Sets the clientMessageId that a failure is sent with. It is copied; it may be empty. */
void request_keep_id(struct request *r, struct slice id);

/* data: JSON. */
void request_ok(struct request *r, struct slice data);
/* The answer has several arguments, or none. array: JSON. */
void request_ok_args(struct request *r, struct slice array);
/* Answers from a buffer that may have failed. */
void request_ok_buf(struct request *r, struct buf *data);
/* Sends the answer, but keeps the request open, so that the handler can send more before the
 * client's next event begins. request_ok then ends it without another answer. False: the client
 * is gone; it is closed if there is no memory. */
bool request_answer(struct request *r, const struct buf *data);
/* field and message may be NULL; then the error's own text is used, after the field's name. */
void request_fail(struct request *r, enum err err, const char *field, const char *message);
/* Fails it with all that *f says; its texts need not outlive the call. */
void request_fail_with(struct request *r, const struct failure *f);
void request_unavailable(struct request *r, enum outcome outcome);

#endif
