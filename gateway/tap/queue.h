#ifndef SLUICE_TAP_QUEUE_H
#define SLUICE_TAP_QUEUE_H

#include "common/list.h"
#include "common/map.h"

/*
 * The events that were read from the tap for a URL and have not arrived there, in an order that
 * keeps that of each user and of each channel. An end of a user's (user_offline) waits here for
 * a while, and is dropped if the user is back by then, together with the user's return. What
 * comes later of the same user or channel waits behind it; all else passes.
 */
#define TAP_PLACE_SIZE 96 /* "<entry> <n> <term>" */

struct tap_event {
    struct list order;  /* in queue.all, as they stand in the tap */
    struct list link;   /* in queue.ready or queue.held; or in what its taker makes of it */
    uint64_t ms;        /* when it happened, by Redis's clock */
    uint64_t came;      /* loop time when it was read */
    uint64_t n;         /* of the entry before it, */
    struct slice place; /* and the place of that */
    struct slice user;  /* or empty */
    struct slice channel;
    struct slice json;
    bool offline; /* user_offline, */
    bool online;  /* and what takes it back */
    char text[];  /* what the slices point to */
};

struct tap_queue {
    struct list all;
    struct list ready;
    struct list held;
    struct map blocks; /* the users and channels of what is held */
    uint64_t linger;   /* ms for which a user's end waits */
    uint64_t newest;   /* ms of the newest entry that was read */
    size_t bytes;      /* of all */
    size_t count;      /* of all */
    size_t ready_count;
    size_t ready_bytes;
    bool stirred; /* something may be free to go */
};

void tap_queue_init(struct tap_queue *q);
/* Frees all events that are in `all`. */
void tap_queue_clear(struct tap_queue *q);
/* Takes an event, made by malloc, which comes after all others; it may be freed at once.
 * wanted: it is to be sent; else it is there only for what it takes back. */
void tap_queue_add(struct tap_queue *q, struct tap_event *e, bool wanted);
/* What has waited long enough is ready. */
void tap_queue_release(struct tap_queue *q, uint64_t now);
/* Takes the first event that is ready out of `ready`; it stays in `all`. NULL: there is none.
 */
struct tap_event *tap_queue_take(struct tap_queue *q);
/* It has arrived: frees it. */
void tap_queue_done(struct tap_queue *q, struct tap_event *e);
/* The first one that has not arrived, as they stand in the tap; or NULL. */
const struct tap_event *tap_queue_first(const struct tap_queue *q);

#endif
