#include "gateway/channel/shared_page.h"

#include <stdlib.h>

#include "gateway/channel/tail.h"

#define PAGE_ENTRIES "100"

void shared_pages_stale(struct channel *ch) {
    for (struct list *at = ch->reads.next; at != &ch->reads; at = at->next)
        container_of(at, struct shared_page, link)->stale = true;
}

static struct shared_page *find(struct channel *ch, const struct position *from, bool check) {
    for (struct list *at = ch->reads.next; at != &ch->reads; at = at->next) {
        struct shared_page *p = container_of(at, struct shared_page, link);
        if (!p->stale && p->check == check && p->from.seq == from->seq &&
            strcmp(p->from.epoch, from->epoch) == 0)
            return p;
    }
    return NULL;
}

static void on_page(void *arg, const struct reply *reply, enum outcome outcome) {
    struct shared_page *p = arg;
    struct channel *ch = p->channel;
    struct page page;
    (void)outcome;
    list_remove(&p->link);
    if (reply != NULL)
        page_read(&page, reply);
    p->done(p, reply != NULL ? &page : NULL);
    if (ch->state == CHANNEL_LIVE && list_empty(&ch->reads))
        tail_forget(&ch->tail);
    free(p);
    channel_unref(ch);
}

static struct shared_page *shared_page_send(struct channel *ch, const struct position *from,
                                            bool check) {
    struct hub *h = ch->hub;
    struct slice name = channel_name(ch);
    struct page_args args;
    struct shared_page *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    page_args(&args, from, check ? SLICE("0") : SLICE(PAGE_ENTRIES), slice_of(h->page_bytes),
              &ch->at, ch->lineage);
    if (!redis_script(ch->redis, SCRIPT_read, &name, 1, args.all, args.count, on_page, p)) {
        free(p);
        return NULL;
    }
    p->channel = ch;
    p->from = *from;
    p->check = check;
    list_init(&p->waiting);
    list_push(&ch->reads, &p->link);
    channel_ref(ch);
    metric_add(h->metrics, METRIC_READS, 1);
    return p;
}

struct shared_page *shared_page_ask(struct channel *ch, const struct position *from, bool check,
                                    void (*done)(struct shared_page *p,
                                                 const struct page *page)) {
    struct shared_page *p = find(ch, from, check);
    if (p != NULL) {
        metric_add(ch->hub->metrics, METRIC_READS_SHARED, 1);
        return p;
    }
    p = shared_page_send(ch, from, check);
    if (p != NULL)
        p->done = done;
    return p;
}
