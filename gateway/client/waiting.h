#ifndef SLUICE_CLIENT_WAITING_H
#define SLUICE_CLIENT_WAITING_H

#include <stdbool.h>
#include <stddef.h>

#include "common/json.h"

/* Events that wait for their turn, in order. */

/* The client's token for an answer, as it was written: a JSON integer or string. */
#define ACK_MAX 66
struct ack {
    unsigned char len; /* 0: no answer is wanted */
    char bytes[ACK_MAX];
};

struct event_row;

struct waiting_event {
    struct waiting_event *next;
    size_t len;
    struct ack ack;
    bool limited; /* over the rate: it fails in its turn */
    const struct event_row *row;
    char data[];
};

struct waiting {
    struct waiting_event *first;
    struct waiting_event *last;
    size_t bytes; /* of their data */
    unsigned count;
};

/* All memory that they take. */
static inline size_t waiting_size(const struct waiting *w) {
    return w->bytes + w->count * sizeof(struct waiting_event);
}

/* A copy of an event, to be freed with free(); NULL: no memory. */
struct waiting_event *waiting_event_make(const struct event_row *row, struct json_value data,
                                         const struct ack *ack);
/* Its data; it points into the event. */
struct json_value waiting_event_data(const struct waiting_event *e);

/* held: what all queues of the node hold, kept up to date; here and below. */
void waiting_push(struct waiting *w, struct waiting_event *e, size_t *held);
/* The first one, the caller's from now on; NULL: none. */
struct waiting_event *waiting_pop(struct waiting *w, size_t *held);
/* Puts others before all that wait; they are empty then. */
void waiting_put_before(struct waiting *w, struct waiting *others);
void waiting_drop(struct waiting *w, size_t *held);

#endif
