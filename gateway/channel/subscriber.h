#ifndef SLUICE_CHANNEL_SUBSCRIBER_H
#define SLUICE_CHANNEL_SUBSCRIBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/list.h"
#include "common/slice.h"
#include "gateway/net/slab.h"

/*
 * A connection as its channels know it: somebody who takes messages, at their own speed. What
 * else it is (who speaks, which events wait) stands in struct client, which begins with it.
 */
struct message;
struct sub;
struct subscriber;

struct subscriber_ops {
    const char *name; /* of the door, for logs and the registry */
    /* A message; its encoded form is shared with the other subscribers of this door. May end
     * the subscriber. */
    void (*deliver)(struct subscriber *s, struct message *m);
    /* Bytes not yet taken by the socket. */
    size_t (*queued)(const struct subscriber *s);
    /* subscriber_drained once the socket has taken all. */
    void (*want_drained)(struct subscriber *s);
    /* client_gone is called before it returns. */
    void (*close)(struct subscriber *s, uint16_t code, const char *reason);
    /* "127.0.0.1:5000", for the registry. */
    void (*address)(const struct subscriber *s, char *out, size_t size);
    /* The last reference is gone: calls client_deinit, then frees it. */
    void (*free)(struct subscriber *s);
};

/* All of a node. */
struct subscribers {
    struct slabs *slabs;
    char birth[12]; /* makes connection ids unique */
    uint64_t last;  /* number given */
    struct list list;
    unsigned count;
};

struct subscriber {
    const struct subscriber_ops *ops;
    struct subscribers *all;
    struct list link; /* in all->list */
    uint64_t number;
    struct slice user; /* owned; empty before login */
    char *origin;      /* owned; NULL: its own id (subscriber_origin) */
    struct list subs;
    struct sub *catching; /* takes frames from a tail just now; NULL when that closed it */
    unsigned sub_count;
    unsigned refs;
    uint32_t stamp; /* of the last presence event it got: once a socket */
    bool logged_in : 1;
    bool gone : 1;
    bool paging : 1; /* a page is on its way to one of its subs: one at a time */
    bool behind : 1; /* some sub wants to know when the socket drains */
};

/* birth: this process's. The list is empty. */
void subscribers_init(struct subscribers *all, struct slabs *slabs, uint32_t birth);

/* A zeroed struct becomes valid; one reference is the caller's. */
void subscriber_init(struct subscriber *s, const struct subscriber_ops *ops,
                     struct subscribers *all);
static inline void subscriber_ref(struct subscriber *s) {
    s->refs++;
}
/* May free it, and what it is a part of. */
static inline void subscriber_unref(struct subscriber *s) {
    if (--s->refs == 0)
        s->ops->free(s);
}

/* The connection's id, unique in the cluster. */
#define CLIENT_ID_SIZE 48
struct slice subscriber_id(const struct subscriber *s, char out[CLIENT_ID_SIZE]);

/* Who a private message comes from: its own connection does not get it. That is the
 * connection's id, or that of the connection as which it began, before it was recovered. */
struct slice subscriber_origin(const struct subscriber *s, char out[CLIENT_ID_SIZE]);
/* Is it the one that a message comes from? */
bool subscriber_is_origin(const struct subscriber *s, struct slice origin);
static inline bool subscriber_is(const struct subscriber *s, struct slice origin) {
    return origin.len != 0 && subscriber_is_origin(s, origin);
}

/* Sends {event, data} alone to this one, or closes it if there is no memory. ephemeral: it may
 * be lost when the subscriber is slow. */
void subscriber_emit(struct subscriber *s, const char *event, struct slice data,
                     bool ephemeral);

#endif
