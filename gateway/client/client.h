#ifndef SLUICE_CLIENT_CLIENT_H
#define SLUICE_CLIENT_CLIENT_H

#include "common/bucket.h"
#include "common/err.h"
#include "common/event.h"
#include "common/list.h"
#include "gateway/auth/auth.h"
#include "gateway/channel/hub.h"
#include "gateway/client/chunks.h"
#include "gateway/client/holders.h"
#include "gateway/client/order.h"
#include "gateway/client/waiting.h"
#include "gateway/presence/registry.h"

/*
 * One connection as the domain knows it: its user, its channels, and its events that wait. A
 * door knows how to write its frames, and embeds this struct in a struct of its own.
 */
struct auth;
struct client;
struct event_map;
struct goodbye;
struct goodbyes;
struct hooks;
struct request;
struct rosters;
struct session;
struct sessions;
struct sockets;
struct visit;
struct welcome;

struct failure {
    enum err err;
    const char *field;   /* or NULL */
    const char *message; /* or NULL: the error's own text */
    const char *code;    /* of a back end; or NULL: the error's own */
    struct slice data;   /* of a back end: JSON; or empty */
    enum outcome outcome;
    struct slice message_id; /* the event's clientMessageId, as it was written; or empty */
};

struct door {
    struct subscriber_ops as;
    /* Events that come before the login wait for it a short time (early.h). Clients of such a
     * door first send the events that were queued while they were away. */
    bool waits_for_login;
    /* data: JSON; with `several`, an array of the answer's arguments. */
    void (*answer)(struct client *c, const struct ack *ack, struct slice data, bool several);
    /* event: the name of the event that failed, or NULL if it is not known. */
    void (*fail)(struct client *c, const struct ack *ack, const char *event,
                 const struct failure *failure);
    /* What the request said by which the client came; NULL: nothing is kept. */
    const struct visit *(*visit)(const struct client *c);
    /* Stops (true) or starts (false) to take events from the socket. */
    void (*pause)(struct client *c, bool pause);
    /* What the client's connection has spent (common/rate.h). NULL: client.rate. */
    struct bucket *(*rate)(struct client *c);
    /* The connection is not read until then. True: it was read until now. */
    bool (*slow)(struct client *c, uint64_t until);
};

/* How a connection ended: what disconnect-hook is told, and whether at once (goodbye.h). */
#define CLIENT_END_TABLE(X)                                                                    \
    X(CLIENT_CUT, "transport close", false)                                                    \
    X(CLIENT_TIMEOUT, "ping timeout", false)                                                   \
    X(CLIENT_RESTART, "server shutting down", false)                                           \
    X(CLIENT_AWAY, "transport close", true) /* its page has gone */                            \
    X(CLIENT_LEFT, "client namespace disconnect", true)                                        \
    X(CLIENT_EXPELLED, "server namespace disconnect", true)
#define CLIENT_END_ENUM(symbol, reason, at_once) symbol,
enum client_end { CLIENT_END_TABLE(CLIENT_END_ENUM) };
#undef CLIENT_END_ENUM

/* A row of EVENT_TABLE. */
struct event_row {
    const char *name;
    /* data: an object, or another value that the event takes. It is valid until handle returns.
     */
    void (*handle)(struct request *r, struct json_value data);
    unsigned flags;      /* enum event_flags */
    unsigned rights;     /* those of which it may need one, by NEEDS */
    const char *payload; /* the name of the field with the message, or NULL */
    unsigned parallel;  /* of a line of the map: if above 1, so many may be under way, and later
                         * events pass them; else 0 or 1 */
    unsigned char cost; /* in units of the rate, of a line of the map (event_map.h); else 0 */
};

/* Its messages, and the events after those under way. Most clients only listen and never have
 * one. */
struct backlog {
    struct waiting waiting;
    struct lane lane;   /* the order of its messages */
    struct list flying; /* requests that append: several may be under way */
    struct list apart;  /* requests that later events pass */
    unsigned flying_count;
    size_t asking_bytes; /* of those that wait for the back end */
    unsigned failing; /* the first so many that wait fail, since a message before them failed */
    struct order order;
    struct early *early; /* owned: events that wait for the login; or NULL */
};

struct client {
    union { /* the same bytes: a registration begins with a subscriber */
        struct subscriber as;
        struct registration presence;
    };
    struct sub *inbox;
    struct sub *last_room;   /* the default room: the last one entered by a login or join */
    struct chunks *chunks;   /* owned; NULL: none */
    struct welcome *welcome; /* owned: of the back end, for its login (welcome.h); or NULL */
    struct session *session; /* the door frees it; NULL: it cannot be recovered (session.h) */
    struct bucket rate;      /* limits.h */
    struct bucket made;
    struct request *current; /* the event under way, beside which there is no other; or NULL */
    struct backlog *backlog; /* owned; NULL: no event has needed one */
    struct identity
        *identity;           /* a reference: its token's; NULL: none yet, or identity is off */
    char *state;             /* owned: JSON that the back end keeps with it; or NULL */
    struct goodbye *goodbye; /* what disconnect-hook will be told (goodbye.h); NULL: nothing */
    struct expiry *expiry;   /* owned: when that ends (bearer.h); NULL: it is not watched */
    unsigned char end;       /* enum client_end, set by the door before client_gone */
    bool paused : 1;
    bool pumping : 1;
    bool draining : 1; /* its next event waits until the socket has taken what is queued */
    bool own_only : 1; /* set by its door: `builtin` is `none` where it is */
    bool unheard : 1;  /* set by its door: nothing can be sent until a login is answered */
    bool wants_available : 1; /* it asked for the event `available` */
    bool late : 1;            /* its login was under way when the deadline came */
    bool refused : 1; /* an event failed with ERR_UNAVAILABLE since it last got `available` */
};

/* All clients of a node, and the parts that their events use. */
struct clients {
    struct registry registry; /* each client is a registration in it */
    struct slabs *slabs;
    struct hub *hub;
    struct leases *leases;
    struct redis *redis;
    struct rosters *rosters;
    struct sessions *sessions;
    struct sockets *sockets;
    struct auth *auth; /* NULL: identity is off */
    struct hooks *hooks;
    /* Asks the back end again about a client, whose identity ends. False: it cannot. Set by
     * login/ask_again.c. */
    bool (*ask_again)(struct client *c);
    struct goodbyes *goodbyes; /* or NULL */
    struct holders holders;
    const struct options *options;
    uint64_t login_deadline; /* ms; 0: none */
    struct metrics *metrics;
    const struct event_row *rows; /* EVENT_COUNT rows */
    struct event_map *map;        /* owned: of the application's own events; or NULL */
    struct wheel wheel;           /* for their timers */
    struct wheel expiries;        /* for the ends of their tokens */
    struct chunk_store chunks;
    size_t waiting_bytes;    /* held by events that wait */
    struct bucket refused;   /* for the log of logins that are refused */
    unsigned refused_untold; /* refusals since the last line in the log */
    unsigned user_count;     /* clients that are logged in */
    unsigned revocations;    /* how many there were news of */
};

static inline struct client *client_of(const struct subscriber *s) {
    return container_of(s, struct client, as);
}
/* The client with this link in registry.all. */
static inline struct client *client_at(const struct list *link) {
    return client_of(container_of(link, struct subscriber, link));
}
static inline struct clients *clients_of(const struct client *c) {
    return container_of(c->as.all, struct clients, registry.all);
}
/* Is identity on? Then nobody logs in without a token, or is a guest. */
static inline bool clients_need_tokens(const struct clients *all) {
    return all->auth != NULL && auth_on(all->auth);
}
/* Are tokens looked at? */
static inline bool clients_take_tokens(const struct clients *all) {
    return all->auth != NULL && auth_has_keys(all->auth);
}
static inline uint64_t client_now(const struct client *c) {
    return leases_now(clients_of(c)->leases);
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

/* Tells a client that an event failed, which need not be the one under way. event may be NULL.
 */
void client_fail(struct client *c, const struct ack *ack, const char *event,
                 const struct failure *failure);

/* The client's backlog, which is made if there is none. NULL: no memory. */
struct backlog *client_backlog(struct client *c);

/* The memory of its unfinished chunks and of events that wait. */
size_t client_held(const struct client *c);

/* To be called by the door's `free`, before it frees the struct. */
void client_deinit(struct client *c);

#endif
