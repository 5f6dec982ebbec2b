#ifndef SLUICE_CHANNEL_PAGE_H
#define SLUICE_CHANNEL_PAGE_H

#include "gateway/channel/lineage.h"
#include "gateway/channel/message.h"

/*
 * A page of a channel's log after a position: how read.lua is asked for it, and what it
 * answers.
 */
struct page_args {
    struct slice all[4 + 2 * LINEAGE_MOST]; /* some point into digits */
    size_t count;
    char digits[1 + LINEAGE_MOST][DIGITS_SIZE];
};
/* entries, bytes: at most so many, as digits; no entries: only whether the position is good.
 * at, lineage: of the channel that it belongs to; NULL: none. What is given must hold as long
 * as the arguments are used, and they must not be copied. */
void page_args(struct page_args *args, const struct position *from, struct slice entries,
               struct slice bytes, const struct position *at, const struct lineage *lineage);

/* An answer taken apart; it points into the reply. */
#define PAGE_GOOD 0 /* the position is good */
#define PAGE_LOST 1 /* what followed it is not to be had; `from` is where it goes on */
#define PAGE_CUT  2 /* of a check: good, but what follows is no longer in the log */
struct page {
    long long status;
    struct slice epoch; /* of the log, */
    uint64_t last;      /* and its last seq */
    uint64_t from;
    uint64_t clock; /* what has been appended so far has a time of at most this */
    const struct reply *forks;
    const struct reply *const *entries; /* frames */
    size_t count;
};
void page_read(struct page *page, const struct reply *reply);
/* A check made the log's `meta`: it has an item more than others. */
static inline bool page_made_log(const struct page *check) {
    return check->count > 0;
}

struct page_events {
    /* Each in the order of the log. A hole: what somebody wrote into the log by hand, or what
     * has fallen out of it. */
    void (*on_message)(void *arg, struct message *m);
    void (*on_hole)(void *arg, uint64_t from, uint64_t to);
};
/* Walks the entries after a seq, and returns the one up to which it came. A page of nothing
 * that can be read gets by as many seqs as it has entries, or else to the log's end. */
uint64_t page_walk(const struct page *page, uint64_t after, const struct page_events *events,
                   void *arg);

#endif
