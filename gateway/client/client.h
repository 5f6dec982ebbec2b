#ifndef SLUICE_CLIENT_CLIENT_H
#define SLUICE_CLIENT_CLIENT_H

#include "common/bucket.h"
#include "common/err.h"
#include "common/event.h"
#include "common/list.h"
#include "gateway/channel/hub.h"
#include "gateway/client/chunks.h"
#include "gateway/client/order.h"
#include "gateway/client/waiting.h"
#include "gateway/presence/registry.h"

/*
 * One connection as the domain knows it: who speaks, which channels it is in, which events
 * wait. How it is framed is its door's business; a door embeds this struct in its own.
 */
struct client;
struct request;
struct rosters;
struct session;
struct sessions;

struct failure {
    enum err err;
    const char *field;   /* or NULL */
    const char *message; /* or NULL: the error's own */
    enum outcome outcome;
    struct slice message_id; /* the event's clientMessageId, as it was written; or empty */
};

struct door {
    struct subscriber_ops as;
    /* Events that come before the login wait for it a little (early.h), since clients send
     * first what they were given while they were away. */
    bool waits_for_login;
    void (*answer)(struct client *c, const struct ack *ack, struct slice data);
    /* event: which one failed, or NULL when it could not be told. */
    void (*fail)(struct client *c, const struct ack *ack, const char *event,
                 const struct failure *failure);
    /* Stops and starts taking events from the socket. */
    void (*pause)(struct client *c, bool pause);
};

/* What there is to know of an event: a row of EVENT_TABLE. */
struct event_row {
    const char *name;
    /* data: an object, or what the event takes; holds until it returns. */
    void (*handle)(struct request *r, struct json_value data);
    unsigned flags;      /* enum event_flags */
    const char *payload; /* the field that holds what is said; or NULL */
};

/* Events beyond the one under way. Most clients only listen and never have one. */
struct backlog {
    struct waiting waiting;
    unsigned failing; /* so many of those that wait fail with the one before them */
    struct order order;
};

struct client {
    union { /* the same bytes: a registration begins with a subscriber */
        struct subscriber as;
        struct registration presence;
    };
    struct sub *inbox;
    struct sub *last_room;   /* entered last, by csId or join */
    struct chunks *chunks;   /* owned; NULL: none */
    struct early *early;     /* owned: events that wait for the login; or NULL */
    struct session *session; /* NULL: it cannot be recovered (session.h). The door's to free */
    struct bucket rate;      /* limits.h */
    struct bucket made;
    /* Events of a connection take effect one after the other. */
    struct request *current;
    struct backlog *backlog; /* owned; NULL: it has not said anything that may need one */
    bool paused : 1;
    bool pumping : 1;
    bool unheard : 1; /* set by its door: it cannot send yet. Until a login is answered */
    bool wants_available : 1;
    bool refused : 1; /* an event of it failed with ERR_UNAVAILABLE since it was last told */
};

/* All clients of a node, and what their events need. */
struct clients {
    struct registry registry; /* of which all are registrations */
    struct slabs *slabs;
    struct hub *hub;
    struct lease *lease;
    struct redis *redis;
    struct rosters *rosters;
    struct sessions *sessions;
    const struct options *options;
    struct metrics *metrics;
    const struct event_row *rows; /* EVENT_COUNT */
    struct wheel wheel;           /* of their timers */
    struct chunk_store chunks;
    size_t waiting_bytes; /* held by events that wait */
    unsigned user_count;  /* logged in */
};

static inline struct client *client_of(const struct subscriber *s) {
    return container_of(s, struct client, as);
}
/* The one that stands there in registry.all. */
static inline struct client *client_at(const struct list *link) {
    return client_of(container_of(link, struct subscriber, link));
}
static inline struct clients *clients_of(const struct client *c) {
    return container_of(c->as.all, struct clients, registry.all);
}
static inline uint64_t client_now(const struct client *c) {
    return lease_now(clients_of(c)->lease);
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

/* Tells a client that an event failed; the event may be of any time. event may be NULL. */
void client_fail(struct client *c, const struct ack *ack, const char *event,
                 const struct failure *failure);
/* The frame could not be read as an event. */
void client_bad_frame(struct client *c, enum err err, const struct ack *ack, const char *field);

/* Makes its backlog if there is none. NULL: no memory. */
struct backlog *client_backlog(struct client *c);

/* For the door's `free`, before it frees the struct. */
void client_deinit(struct client *c);

#endif
