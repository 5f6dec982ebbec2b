#ifndef SLUICE_CLIENT_WAITING_H
#define SLUICE_CLIENT_WAITING_H

#include <stdbool.h>
#include <stddef.h>

#include "common/json.h"

/* Events that wait for their turn, in order. */

/* The token by which a client knows an answer, as it was written: a JSON integer or string. */
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
    uint64_t arrived; /* loop time */
    bool limited;     /* it is over the rate, and fails in its turn */
    const struct event_row *row;
    char data[];
};

struct waiting {
    struct waiting_event *first;
    struct waiting_event *last;
    size_t bytes; /* of their data */
    unsigned count;
};

/* The memory that the events take. */
static inline size_t waiting_size(const struct waiting *w) {
    return w->bytes + w->count * sizeof(struct waiting_event);
}

/* A copy of an event, to be freed with free(); NULL: no memory. */
struct waiting_event *waiting_event_make(const struct event_row *row, struct json_value data,
                                         const struct ack *ack);
/* The event's data. It points into the event. */
struct json_value waiting_event_data(const struct waiting_event *e);

/* held: the bytes in all such queues of the node; these functions keep it up to date. */
void waiting_push(struct waiting *w, struct waiting_event *e, size_t *held);
/* Takes out the first event, which the caller then owns; NULL: none. */
struct waiting_event *waiting_pop(struct waiting *w, size_t *held);
/* Moves all `others` in front of the events that wait. */
void waiting_put_before(struct waiting *w, struct waiting *others);
void waiting_drop(struct waiting *w, size_t *held);

#endif
