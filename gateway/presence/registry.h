#ifndef SLUICE_PRESENCE_REGISTRY_H
#define SLUICE_PRESENCE_REGISTRY_H

#include "common/wheel.h"
#include "gateway/channel/name.h"
#include "gateway/channel/subscriber.h"
#include "gateway/cluster/lease.h"

/*
 * Which connections of this node are in the online registry. What is wanted and what Redis has
 * answered are kept apart, with one script in flight a connection, because two could overtake
 * each other after a SCRIPT FLUSH. A script's answer counts for the incarnation that it was
 * sent for; under a new incarnation all are registered again.
 *
 * A connection that is over stays registered for the linger time. While the node runs it waits
 * here; when the node drains, Redis is told when it is due (overdue.h).
 */
struct registration;

/* What a user is called, if a login said so. */
struct profile {
    struct name username;
    struct name role;
};

enum entered { ENTERED, ENTERED_TOO_MANY, ENTERED_NOT }; /* the second: rooms; wanted no more */

/* A login that waits until its connection is registered. */
struct entering {
    struct slice room; /* that it enters first; or empty */
    /* The names of all rooms that it enters; out: NULL, or space for them. Returns how many. */
    size_t (*rooms)(const struct entering *e, struct slice *out);
    /* Called once; registration.entering is NULL by then. */
    void (*done)(struct registration *g, enum entered how);
};

/* A subscriber that may have a user. struct client begins with it. */
struct registration {
    struct subscriber as;
    const struct entering *entering; /* NULL: nobody waits */
    struct profile *profile;         /* owned; NULL: username and role are the defaults */
    struct list beat;         /* in registry.beaten: the user's score is due (heartbeat.h) */
    struct list reenter;      /* in registry.reenter */
    struct wheel_timer timer; /* heartbeat silence, or lingering; before a login its deadline */
    uint64_t heard;           /* loop time of the last event; once it is gone, of its end */
    uint32_t asked_generation; /* of the incarnation that its script is under way for */
    bool beating : 1;          /* sent a heartbeat: is held to it */
    bool wanted : 1;           /* should be registered */
    bool in : 1;               /* is, as far as Redis has answered */
    bool busy : 1;             /* a script is on its way */
    bool reentering : 1;       /* counted in registry.reentering */
};

struct registry_events {
    /* The connection has just been registered. */
    void (*on_registered)(void *owner, struct registration *g);
    /* Each connection, in turn, once in score-interval. */
    void (*on_visited)(void *owner, struct registration *g);
};

/* struct clients begins with it. */
struct registry {
    struct subscribers all; /* logged in or not; each is a registration */
    struct lease *lease;
    struct redis *redis;
    const struct options *options;
    struct wheel *wheel; /* of the registrations' timers */
    const struct registry_events *events;
    void *owner;
    struct list beaten;
    struct list reenter;   /* to be registered under this incarnation */
    struct list lingering; /* gone, and registered a little longer */
    unsigned reentering;
    bool draining;
};

/* What is given is borrowed. `all` is the caller's to initialize. */
void registry_init(struct registry *r, struct lease *lease, struct wheel *wheel,
                   const struct registry_events *events, void *owner);
void registration_init(struct registration *g);

static inline struct registration *registration_of(const struct subscriber *s) {
    return container_of(s, struct registration, as);
}
/* The one that stands there in registry.all, or in registry.lingering. */
static inline struct registration *registration_at(const struct list *link) {
    return registration_of(container_of(link, struct subscriber, link));
}
static inline struct registry *registry_of(const struct registration *g) {
    return container_of(g->as.all, struct registry, all);
}

/* The connection should be in, or out of, the registry. Scripts follow as Redis allows. */
void registry_want(struct registration *g, bool in);
/* The connection is over: out of the registry, at once or after the linger time. It may hold a
 * reference until then. */
void registry_leave(struct registration *g);
/* Its linger time is over. May free it. */
void registry_lingered(struct registration *g);

/* Logins that wait for the registry fail. */
void registry_redis_down(struct registry *r);
/* This incarnation has its lease: all are registered again. */
void registry_reenter(struct registry *r);
/* Tries those again that Redis refused. */
void registry_pump(struct registry *r);
/* The node drains: connections that linger are left to the other nodes, each with the time
 * that it is due, and so are those that end from now on. */
void registry_drain(struct registry *r);
/* The node closes: those that linger are given up, since no connection would end them. */
void registry_close(struct registry *r);

#endif
