#include "gateway/channel/page.h"

#define HEAD 6 /* items of an answer before its frames */

void page_args(struct page_args *args, const struct position *from, struct slice entries,
               struct slice bytes, const struct position *at, const struct lineage *lineage) {
    args->all[0] = slice_of(from->epoch);
    args->all[1] = slice_digits(from->seq, args->digits[0]);
    args->all[2] = entries;
    args->all[3] = bytes;
    args->count = 4;
    for (unsigned i = at != NULL ? lineage_first(lineage, at, from) : 0;
         lineage != NULL && i < lineage->count; i++) {
        const struct position *p = &lineage->before[i];
        args->all[args->count++] = slice_of(p->epoch);
        args->all[args->count++] =
            slice_digits(p->seq < from->seq ? p->seq : from->seq, args->digits[1 + i]);
    }
}

void page_read(struct page *page, const struct reply *reply) {
    *page = (struct page){.status = reply_number(reply_item(reply, 0)),
                          .epoch = reply_text(reply_item(reply, 1)),
                          .last = (uint64_t)reply_number(reply_item(reply, 2)),
                          .from = (uint64_t)reply_number(reply_item(reply, 3)),
                          .clock = (uint64_t)reply_number(reply_item(reply, 4)),
                          .forks = reply_item(reply, 5)};
    if (reply->count > HEAD) {
        page->entries = (const struct reply *const *)reply->items + HEAD;
        page->count = reply->count - HEAD;
    }
}

uint64_t page_walk(const struct page *page, uint64_t after, const struct page_events *events,
                   void *arg) {
    uint64_t at = after;
    for (size_t i = 0; i < page->count; i++) {
        struct message m;
        if (!message_parse_entry(&m, reply_text(page->entries[i])) || m.seq <= at)
            continue; /* somebody wrote into the log by hand */
        if (m.seq > at + 1)
            events->on_hole(arg, at + 1, m.seq - 1);
        at = m.seq;
        events->on_message(arg, &m);
    }
    if (at > after || after >= page->last)
        return at;
    bool all = page->count == 0 || page->count > page->last - after;
    at = all ? page->last : after + page->count;
    events->on_hole(arg, after + 1, at);
    return at;
}
