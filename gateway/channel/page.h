#ifndef SLUICE_CHANNEL_PAGE_H
#define SLUICE_CHANNEL_PAGE_H

#include "gateway/channel/lineage.h"
#include "gateway/channel/message.h"

/*
 * A page of a channel's log, after a position: the arguments of read.lua, and its answer.
 */
struct page_args {
    struct slice all[4 + 2 * LINEAGE_MOST]; /* some point into digits */
    size_t count;
    char digits[1 + LINEAGE_MOST][DIGITS_SIZE];
};
/* entries, bytes: the most that the page may have, as digits. With "0" entries only the
 * position is checked. at, lineage: those of the channel, or NULL. All that is given must stay
 * valid while the arguments are used. The struct must not be copied. */
void page_args(struct page_args *args, const struct position *from, struct slice entries,
               struct slice bytes, const struct position *at, const struct lineage *lineage);

/* An answer taken apart; it points into the reply. */
#define PAGE_GOOD 0 /* the position is good */
#define PAGE_LOST 1 /* the entries that followed it are lost; the log goes on after `from` */
#define PAGE_CUT  2 /* only of a check: good, but entries after it have left the log */
struct page {
    long long status;
    struct slice epoch; /* of the log */
    uint64_t last;      /* the log's last seq */
    uint64_t from;      /* the entries come after this seq */
    uint64_t clock;     /* nothing that was appended so far has a later time */
    const struct reply *forks;
    const struct reply *const *entries; /* frames */
    size_t count;
};
void page_read(struct page *page, const struct reply *reply);
/* Did this check make the log's `meta`? Its answer has one more item then. */
static inline bool page_made_log(const struct page *check) {
    return check->count > 0;
}

struct page_events {
    /* Called in the order of the log. A hole: these seqs have fallen out of the log, or
     * somebody wrote into it by hand. */
    void (*on_message)(void *arg, struct message *m);
    void (*on_hole)(void *arg, uint64_t from, uint64_t to);
};
/* Walks the entries after a seq, and returns the last seq that it has passed. If no entry can
 * be read, it passes as many seqs as the page has entries, as a hole; if the page has none, or
 * more than the log has seqs, it passes all seqs up to the log's end. */
uint64_t page_walk(const struct page *page, uint64_t after, const struct page_events *events,
                   void *arg);

#endif
