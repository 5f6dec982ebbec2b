#include "gateway/channel/lineage.h"

#include <stdlib.h>

/* The index of this epoch in the lineage, or LINEAGE_MOST. */
static unsigned find(const struct lineage *l, const char *epoch) {
    for (unsigned i = 0; l != NULL && i < l->count; i++) {
        if (strcmp(epoch, l->before[i].epoch) == 0)
            return i;
    }
    return LINEAGE_MOST;
}

static void add(struct lineage *l, struct slice epoch, uint64_t seq) {
    if (l->count < LINEAGE_MOST && epoch.len > 0)
        position_set(&l->before[l->count++], epoch, seq);
}

/* Has the log all epochs of the former lineage? If not, subs that are behind may stand in an
 * epoch that it lacks. */
static bool covers(const struct lineage *forks, const struct position *at,
                   const struct lineage *former) {
    bool all = find(forks, at->epoch) != LINEAGE_MOST;
    for (unsigned i = 0; all && former != NULL && i < former->count; i++)
        all = find(forks, former->before[i].epoch) != LINEAGE_MOST;
    return all;
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static void add_former(struct lineage *next, const struct position *at,
                       const struct lineage *former, uint64_t seq) {
    if (find(next, at->epoch) == LINEAGE_MOST)
        add(next, slice_of(at->epoch), least(at->seq, seq));
    for (unsigned i = 0; former != NULL && i < former->count; i++)
        add(next, slice_of(former->before[i].epoch), least(former->before[i].seq, seq));
}

void lineage_move(struct lineage **lineage, struct position *at, struct slice epoch,
                  uint64_t seq, const struct reply *forks) {
    struct lineage next = {.count = 0};
    if (slice_is(epoch, at->epoch)) {
        at->seq = seq;
        return;
    }
    for (size_t i = 0; forks != NULL && i + 1 < forks->count; i += 2)
        add(&next, reply_text(forks->items[i]), (uint64_t)reply_number(forks->items[i + 1]));
    if (!covers(&next, at, *lineage))
        add_former(&next, at, *lineage, seq);
    if (*lineage == NULL && next.count > 0)
        *lineage = malloc(sizeof **lineage);
    if (*lineage != NULL)
        **lineage = next;
    position_set(at, epoch, seq);
}

unsigned lineage_first(const struct lineage *lineage, const struct position *at,
                       const struct position *from) {
    unsigned count = lineage != NULL ? lineage->count : 0;
    if (from->epoch[0] == '\0')
        return count;
    if (strcmp(from->epoch, at->epoch) == 0)
        return 0;
    unsigned own = find(lineage, from->epoch);
    return own < count ? own + 1 : count;
}
