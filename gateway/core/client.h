#ifndef SLUICE_CORE_CLIENT_H
#define SLUICE_CORE_CLIENT_H

#include "common/err.h"
#include "common/json.h"
#include "common/list.h"
#include "common/name.h"
#include "common/wheel.h"
#include "gateway/channel/hub.h"
#include "gateway/channel/name.h"
#include "gateway/core/order.h"

/*
 * One connection as the domain knows it: who speaks, which channels it is in, which events
 * wait. How it is framed is its door's business; a door embeds this struct in its own.
 */
struct client;
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
    struct subscriber_ops as;
    /* Events that come before the login wait for it a little (early.c), since clients send
     * first what they were given while they were away. */
    bool waits_for_login;
    void (*answer)(struct client *c, const struct ack *ack, struct slice data);
    /* event: which one failed, or NULL when it could not be told. */
    void (*fail)(struct client *c, const struct ack *ack, const char *event,
                 const struct failure *failure);
    /* Stops and starts taking events from the socket. */
    void (*pause)(struct client *c, bool pause);
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
    struct subscriber as;
    struct core *core;
    struct list beats;       /* in core->beaten: its user's score is due */
    struct list reenter;     /* waits to be registered again */
    struct profile *profile; /* NULL: username and role are the defaults */
    struct sub *inbox;
    struct sub *last_room; /* entered last, by csId or join */
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
    bool paused : 1;
    bool pumping : 1;
    bool beating : 1;       /* sent a heartbeat: is held to it */
    bool wanted_in : 1;     /* should be in presence */
    bool is_in : 1;         /* is, as far as Redis has answered */
    bool presence_busy : 1; /* a script is on its way */
    bool reentering : 1;    /* counted in core->reentering */
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
/* The connection is over: leaves presence and channels. Drops the door's reference: door->free
 * may be called before it returns. */
void client_gone(struct client *c);

/* For the door's `free`, before it frees the struct. */
void client_deinit(struct client *c);

static inline struct client *client_of(const struct subscriber *s) {
    return container_of(s, struct client, as);
}
/* The one that stands there in core->clients, or in core->lingering. */
static inline struct client *client_at(const struct list *link) {
    return client_of(container_of(link, struct subscriber, link));
}
static inline const struct door *client_door(const struct client *c) {
    return container_of(c->as.ops, const struct door, as);
}
static inline void client_close(struct client *c, uint16_t code, const char *reason) {
    c->as.ops->close(&c->as, code, reason);
}
static inline void client_ref(struct client *c) {
    subscriber_ref(&c->as);
}
static inline void client_unref(struct client *c) {
    subscriber_unref(&c->as);
}
static inline struct slice client_user(const struct client *c) {
    return c->as.user;
}
static inline struct slice client_id(const struct client *c, char out[CLIENT_ID_SIZE]) {
    return subscriber_id(&c->as, out);
}

/* available.c: Redis can be reached again, or the client has been registered anew. Those that
 * asked for the event `available` and had an event refused since are told. */
void client_tell_available(struct client *c);
void clients_tell_available(struct core *core);

#endif
