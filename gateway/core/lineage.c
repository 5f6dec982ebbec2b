#include "gateway/core/lineage.h"

#include <stdlib.h>

#define FIRST_ARGS 4 /* of read.lua: epoch, seq, most entries, most bytes */

/* Where this epoch stands in the lineage; LINEAGE_MOST: nowhere. */
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

/* Has the log seen all that the channel has been in? If not, subs that are behind may be in it.
 */
static bool covers(const struct lineage *forks, const struct channel *ch) {
    const struct lineage *l = ch->lineage;
    bool all = find(forks, ch->at.epoch) != LINEAGE_MOST;
    for (unsigned i = 0; all && l != NULL && i < l->count; i++)
        all = find(forks, l->before[i].epoch) != LINEAGE_MOST;
    return all;
}

static void add_former(struct lineage *next, const struct channel *ch, uint64_t seq) {
    const struct lineage *l = ch->lineage;
    if (find(next, ch->at.epoch) == LINEAGE_MOST)
        add(next, slice_of(ch->at.epoch), ch->at.seq < seq ? ch->at.seq : seq);
    for (unsigned i = 0; l != NULL && i < l->count; i++)
        add(next, slice_of(l->before[i].epoch),
            l->before[i].seq < seq ? l->before[i].seq : seq);
}

static void descend(struct channel *ch, uint64_t seq, const struct reply *forks) {
    struct lineage next = {.count = 0};
    for (size_t i = 0; forks != NULL && i + 1 < forks->count; i += 2)
        add(&next, reply_text(forks->items[i]), (uint64_t)reply_number(forks->items[i + 1]));
    if (!covers(&next, ch))
        add_former(&next, ch, seq);
    if (ch->lineage == NULL && next.count > 0)
        ch->lineage = malloc(sizeof *ch->lineage);
    if (ch->lineage != NULL)
        *ch->lineage = next;
}

void lineage_move(struct channel *ch, struct slice epoch, uint64_t seq,
                  const struct reply *forks) {
    if (!slice_is(epoch, ch->at.epoch))
        descend(ch, seq, forks);
    position_set(&ch->at, epoch, seq);
}

bool lineage_read(struct channel *ch, const struct position *from, struct slice entries,
                  redis_done done, void *arg) {
    char digits[1 + LINEAGE_MOST][DIGITS_SIZE];
    const struct lineage *l = ch->lineage;
    struct slice name = channel_name(ch);
    struct slice args[FIRST_ARGS + 2 * LINEAGE_MOST] = {slice_of(from->epoch),
                                                        slice_digits(from->seq, digits[0]),
                                                        entries, slice_of(ch->hub->page_bytes)};
    size_t count = FIRST_ARGS;
    bool own = from->epoch[0] != '\0' && strcmp(from->epoch, ch->at.epoch) == 0;
    for (unsigned i = own ? 0 : find(l, from->epoch) + 1; l != NULL && i < l->count; i++) {
        uint64_t seq = l->before[i].seq < from->seq ? l->before[i].seq : from->seq;
        args[count++] = slice_of(l->before[i].epoch);
        args[count++] = slice_digits(seq, digits[1 + i]);
    }
    return redis_script(ch->hub->redis, SCRIPT_read, &name, 1, args, count, done, arg);
}
