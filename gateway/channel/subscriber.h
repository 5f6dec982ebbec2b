#ifndef SLUICE_CHANNEL_SUBSCRIBER_H
#define SLUICE_CHANNEL_SUBSCRIBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/list.h"
#include "common/slice.h"
#include "gateway/net/slab.h"

/*
 * A connection as its channels know it: it takes messages at its own speed. The rest of a
 * connection (its user's profile, the events that wait) is in struct client, which begins with
 * a struct subscriber.
 */
struct message;
struct sub; /* one subscriber in one channel (channel.h) */
struct subscriber;

struct subscriber_ops {
    const char *name; /* of the door, for logs and the registry */
    /* Sends a message. Its encoded form is shared with the other subscribers of this door. May
     * end the subscriber. */
    void (*deliver)(struct subscriber *s, struct message *m);
    /* Bytes that the socket has not taken yet. */
    size_t (*queued)(const struct subscriber *s);
    /* Asks for a call of subscriber_drained when the socket has taken everything. */
    void (*want_drained)(struct subscriber *s);
    /* Closes the connection. It calls client_gone before it returns. */
    void (*close)(struct subscriber *s, uint16_t code, const char *reason);
    /* Writes the address, as "127.0.0.1:5000", for the registry. */
    void (*address)(const struct subscriber *s, char *out, size_t size);
    /* The id by which others send to it; NULL: its own id. And its namespace; NULL: "/". */
    struct slice (*socket)(const struct subscriber *s);
    struct slice (*nsp)(const struct subscriber *s);
    /* The last reference is gone: calls client_deinit, then frees it. */
    void (*free)(struct subscriber *s);
};

/* All subscribers of a node. */
struct subscribers {
    struct slabs *slabs;
    char birth[12]; /* the end of each id that this process makes: SOCKET_NODE_LEN characters */
    uint64_t last;  /* the number that was given last */
    struct list list;
    unsigned count;
    uint32_t stamp; /* of what is under way that each gets once (subscriber.stamp) */
};

struct subscriber {
    const struct subscriber_ops *ops;
    struct subscribers *all;
    struct list link; /* in all->list */
    uint64_t number;
    struct slice user; /* owned; empty before login */
    char *origin;      /* owned; NULL: its own id (subscriber_origin) */
    struct list subs;
    struct subscriber *next_socket; /* in presence/sockets.c */
    struct sub *catching; /* the sub that takes frames from a tail just now; set to NULL when a
                           * frame ended the subscriber */
    unsigned sub_count;
    unsigned refs;
    uint32_t stamp; /* of the last event that it got of those that a socket gets once */
    bool logged_in : 1;
    bool gone : 1;
    bool paging : 1; /* a page for one of its subs was asked for; one at a time */
    bool behind : 1; /* some sub waits until the socket has drained */
    bool found : 1;  /* by its socket's id (presence/sockets.h) */
};

/* birth: a number of this process's own. The list is empty. */
void subscribers_init(struct subscribers *all, struct slabs *slabs, uint32_t birth);

/* Makes a zeroed struct valid. The caller owns one reference. */
void subscriber_init(struct subscriber *s, const struct subscriber_ops *ops,
                     struct subscribers *all);
static inline void subscriber_ref(struct subscriber *s) {
    s->refs++;
}
/* May free it, and the struct that it is a part of. */
static inline void subscriber_unref(struct subscriber *s) {
    if (--s->refs == 0)
        s->ops->free(s);
}

static inline struct slice subscriber_nsp(const struct subscriber *s) {
    return s->ops->nsp != NULL ? s->ops->nsp(s) : SLICE("/");
}

/* The connection's id, unique in the cluster. */
#define CLIENT_ID_SIZE 48
struct slice subscriber_id(const struct subscriber *s, char out[CLIENT_ID_SIZE]);

/* The id of its socket: what Socket.IO calls so, else the connection's. A socket that is
 * recovered has that of the first one again. */
struct slice subscriber_socket(const struct subscriber *s, char out[CLIENT_ID_SIZE]);

/* The origin of the private messages that this connection sends; it does not get those itself.
 * It is the connection's id. After a recovery it is still the id of the first connection. */
struct slice subscriber_origin(const struct subscriber *s, char out[CLIENT_ID_SIZE]);
/* Does a message of that origin come from this subscriber? */
bool subscriber_is_origin(const struct subscriber *s, struct slice origin);
static inline bool subscriber_is(const struct subscriber *s, struct slice origin) {
    return origin.len != 0 && subscriber_is_origin(s, origin);
}

/* Sends {event, data} to this subscriber alone, or closes it if there is no memory. ephemeral:
 * the event may be lost when the subscriber is slow. */
void subscriber_emit(struct subscriber *s, const char *event, struct slice data,
                     bool ephemeral);

#endif
