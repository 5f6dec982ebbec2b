#ifndef SLUICE_PRESENCE_MEMBER_PAGE_H
#define SLUICE_PRESENCE_MEMBER_PAGE_H

#include "common/buf.h"
#include "common/list.h"
#include "gateway/redis/redis.h"

/*
 * Pages of a room's members, as read from Redis by members.lua. All who ask for the same page
 * while it is under way share one read, since many clients ask at once when a room is opened,
 * or after a node has gone. With partitions, the profiles of a page's users are read after it,
 * each from its own.
 */
#define MEMBERS_MOST    250 /* of a page: so many that the script stays short */
#define CURSOR_MAX_SIZE 160 /* of the text that the script makes, with its NUL */

struct member_row {
    struct slice id;   /* in the reply */
    struct slice json; /* {"id":…,"role":…,"username":…,"online":… without its end */
};

/* A page. It has a reference for each that holds it. */
struct member_page {
    unsigned refs;
    unsigned long long total;     /* members of the room, */
    unsigned long long online;    /* and those of them that are online */
    char cursor[CURSOR_MAX_SIZE]; /* of the next page; empty: this is the last one */
    struct buf text;              /* what the rows point into */
    struct member_row *rows;
    size_t count;
};

struct member_pages {
    struct redis *redis;
    struct list reads; /* under way */
};

/* Somebody who waits for a page; embedded by whoever asks. */
struct member_ask {
    struct list link;
    /* page: NULL if Redis or memory failed; outcome as redis_done. Valid until it returns,
     * unless it takes a reference. */
    void (*done)(struct member_ask *ask, struct member_page *page, enum outcome outcome);
};

void member_pages_init(struct member_pages *all, struct redis *redis);
/* Asks for a page. room: a channel's name; cursor: of the page before, or empty; most: at most
 * MEMBERS_MOST. `done` is called once, in a later turn. False: Redis is away, or there is no
 * memory; then it is not called. */
bool member_page_ask(struct member_pages *all, struct slice room, struct slice cursor,
                     unsigned most, struct member_ask *ask);
struct member_page *member_page_ref(struct member_page *page);
void member_page_unref(struct member_page *page);

#endif
