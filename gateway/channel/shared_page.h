#ifndef SLUICE_CHANNEL_SHARED_PAGE_H
#define SLUICE_CHANNEL_SHARED_PAGE_H

#include "gateway/channel/channel.h"
#include "gateway/channel/page.h"

/* A page under way. All subs of a channel that ask for the same page share it. */
struct shared_page {
    struct list link; /* in channel->reads */
    struct channel *channel;
    struct position from;
    bool check;          /* no entries: only the position is checked */
    bool stale;          /* it was asked for before the subscription was lost */
    struct list waiting; /* the askers' links */
    /* The page has come. NULL: Redis could not be asked. It takes all links out of `waiting`.
     */
    void (*done)(struct shared_page *p, const struct page *page);
};

/* The page that follows `from`, or a check of that position. It is one that is under way, which
 * may be older than this call, or it is asked for; then `done` is called in a later turn. The
 * caller adds itself to `waiting`, or leaves it empty. NULL: Redis is away, or no memory. */
struct shared_page *shared_page_ask(struct channel *ch, const struct position *from, bool check,
                                    void (*done)(struct shared_page *p,
                                                 const struct page *page));
/* The subscription was lost: all pages under way are older than it. */
void shared_pages_stale(struct channel *ch);

#endif
