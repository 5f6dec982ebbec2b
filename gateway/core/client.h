#ifndef SLUICE_CORE_CLIENT_H
#define SLUICE_CORE_CLIENT_H

#include "common/err.h"
#include "common/json.h"
#include "common/list.h"
#include "common/name.h"
#include "common/wheel.h"
#include "gateway/core/hub.h"
#include "gateway/core/order.h"

/*
 * One connection as the domain knows it: who speaks, which channels it is in, which events
 * wait. How it is framed is its door's business; a door embeds this struct in its own.
 */
struct core;
struct request;

/* The client's token for an answer, as it was written: a JSON integer or string. */
#define ACK_MAX 66
struct ack {
    unsigned char len; /* 0: no answer is wanted */
    char bytes[ACK_MAX];
};

struct failure {
    enum err err;
    const char *field;   /* or NULL */
    const char *message; /* or NULL: the error's own */
    enum outcome outcome;
    struct slice message_id; /* the event's clientMessageId, as it was written; or empty */
};

struct door {
    const char *name;
    /* Events that come before the login wait for it a little (early.c), since clients send
     * first what they were given while they were away. */
    bool waits_for_login;
    /* A message; its encoded form is shared with the other clients of this door. */
    void (*deliver)(struct client *c, struct message *m);
    void (*answer)(struct client *c, const struct ack *ack, struct slice data);
    /* event: which one failed, or NULL when it could not be told. */
    void (*fail)(struct client *c, const struct ack *ack, const char *event,
                 const struct failure *failure);
    /* Bytes not yet taken by the socket. */
    size_t (*queued)(const struct client *c);
    /* client_drained once the socket has taken all. */
    void (*want_drained)(struct client *c);
    /* Stops and starts taking events from the socket. */
    void (*pause)(struct client *c, bool pause);
    /* client_gone is called before it returns. */
    void (*close)(struct client *c, uint16_t code, const char *reason);
    /* "127.0.0.1:5000", for the registry. */
    void (*address)(const struct client *c, char *out, size_t size);
    /* The last reference is gone: free it. */
    void (*free)(struct client *c);
};

struct event_row;

/* An event that waits behind one in flight. */
struct waiting_event {
    struct waiting_event *next;
    size_t len;
    struct ack ack;
    bool limited; /* over the rate: it fails in its turn */
    const struct event_row *row;
    char data[];
};

struct profile {
    struct name username;
    struct name role;
};

enum entered { ENTERED, ENTERED_TOO_MANY, ENTERED_NOT }; /* the second: rooms; wanted no more */

struct chunks;

struct client {
    const struct door *door;
    struct core *core;
    struct list link;    /* in core->clients */
    struct list beats;   /* in core->beaten: its user's score is due */
    struct list reenter; /* waits to be registered again */
    uint64_t number;
    struct slice user;       /* owned; empty before login */
    struct profile *profile; /* NULL: username and role are the defaults */
    struct list subs;
    unsigned sub_count;
    struct sub *inbox;
    struct sub *last_room; /* entered last, by csId or join */
    struct sub
        *catching; /* takes frames from a tail just now; NULL when that closed the client */
    struct chunks *chunks;
    struct early *early;      /* owned: events that wait for the login; or NULL */
    struct session *session;  /* owned; NULL: it cannot be recovered (session.h) */
    struct wheel_timer timer; /* heartbeat silence; before login, the login deadline */
    uint64_t heard;
    uint64_t rate_at;    /* rate limit: when the bucket was last full, in 1/1000 ms */
    uint64_t made_until; /* making.c's bucket */
    /* Events of a connection take effect one after the other. */
    struct request *current;
    struct waiting_event *first;
    struct waiting_event *last;
    size_t waiting_bytes;
    unsigned waiting_count;
    unsigned failing; /* so many of those that wait fail with the one before them */
    struct order order;
    /* Called once when the registry has answered the next entering. */
    void (*entered)(struct client *c, enum entered how);
    uint32_t asked_generation; /* of the incarnation that its script is under way for */
    unsigned refs;
    uint32_t stamp; /* of the last presence event it got: once a socket */
    bool logged_in : 1;
    bool gone : 1;
    bool paused : 1;
    bool pumping : 1;
    bool beating : 1;       /* sent a heartbeat: is held to it */
    bool wanted_in : 1;     /* should be in presence */
    bool is_in : 1;         /* is, as far as Redis has answered */
    bool presence_busy : 1; /* a script is on its way */
    bool reentering : 1;    /* counted in core->reentering */
    bool paging : 1;        /* a page is on its way to one of its subs: one at a time */
    bool behind : 1;        /* some sub wants to know when the socket drains */
    bool unheard : 1;       /* set by its door: it cannot send yet. Until a login is answered */
    bool wants_available : 1;
    bool refused : 1; /* an event of it failed with ERR_UNAVAILABLE since it was last told */
};

/* Called by doors. The struct is zeroed and becomes valid; one reference is the door's. */
void client_open(struct client *c, struct core *core, const struct door *door);
/* An event from the client. data: JSON_NONE if there was none. Bytes hold until it returns. */
void client_event(struct client *c, struct slice event, struct json_value data,
                  const struct ack *ack);
/* Bytes that a message may have that comes now: few before a login has come in. */
#define BEFORE_LOGIN_MOST 16384
size_t client_message_most(const struct client *c);
/* The frame could not be read as an event. */
void client_bad_frame(struct client *c, enum err err, const struct ack *ack, const char *field);
/* The socket has taken all that was queued. */
void client_drained(struct client *c);
/* The connection is over: leaves presence and channels. Drops the door's reference: door->free
 * may be called before it returns. */
void client_gone(struct client *c);

void client_ref(struct client *c);
void client_unref(struct client *c);

static inline struct slice client_user(const struct client *c) {
    return c->user;
}

/* user:<id>, the name of a user's inbox and of their other keys. */
#define USER_CHANNEL_SIZE (NAME_MAX_LEN + 8)
struct slice user_channel(struct slice user, char out[USER_CHANNEL_SIZE]);

/* The connection's id, unique in the cluster. */
#define CLIENT_ID_SIZE 48
struct slice client_id(const struct client *c, char out[CLIENT_ID_SIZE]);

/* Who a private message comes from: its own connection does not get it. That is the client's
 * id, or that of the connection as which it began, before it was recovered. */
struct slice client_origin(const struct client *c, char out[CLIENT_ID_SIZE]);

/* Sends {event, data} alone to this client. ephemeral: it may be lost when the client is slow.
 */
void client_emit(struct client *c, const char *event, struct slice data, bool ephemeral);

/* available.c: Redis can be reached again, or the client has been registered anew. Those that
 * asked for the event `available` and had an event refused since are told. */
void client_tell_available(struct client *c);
void clients_tell_available(struct core *core);

/* Takes the client out of a channel. */
void client_drop(struct client *c, struct sub *sub);
struct sub *client_sub(const struct client *c, struct slice channel);

#endif
