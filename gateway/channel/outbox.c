#include "gateway/channel/outbox.h"

#include <stdlib.h>

#include "common/log.h"

#define AGE_MS     "5000" /* a node that lives is done long before */
#define NOTES_MOST "64"
#define BYTES_MOST "262144" /* one message is always taken, however long */
#define FIRST      2        /* item of the script's answer: the first note */

/* Notes that are being done. */
struct note {
    struct private_send send;
    struct batch *batch;
};
struct batch {
    struct outbox_part *part;
    bool more;
    unsigned left; /* notes under way */
    unsigned done;
    size_t count;
    struct note notes[];
};

static void sweep(struct outbox_part *part);

void outbox_init(struct outbox *o, struct redis *redis, uint64_t interval) {
    *o = (struct outbox){.redis = redis, .interval = interval};
    for (unsigned i = 0; i < PARTITIONS_MOST; i++)
        o->parts[i].outbox = o;
}

static void batch_over(struct batch *b) {
    struct outbox_part *part = b->part;
    bool more = b->more && b->done > 0;
    if (--b->left > 0)
        return;
    if (b->done > 0)
        LOG(LOG_INFO, "outbox_done", "messages", log_text("%u", b->done), "of",
            log_text("%zu", b->count), NULL);
    for (size_t i = 0; i < b->count; i++)
        private_deinit(&b->notes[i].send);
    free(b);
    part->busy = false;
    if (more)
        sweep(part);
}

static void on_sent(struct private_send *send, const struct private_sent *sent,
                    enum outcome outcome) {
    struct batch *b = container_of(send, struct note, send)->batch;
    (void)outcome;
    b->done += sent != NULL;
    batch_over(b);
}

/* They are asked for in the order of the notes, so messages of one sender to one receiver keep
 * theirs. */
static void do_notes(struct batch *b, const struct reply *reply) {
    b->left = 1; /* so that it is not over before all are asked for */
    for (size_t i = 0; i < b->count; i++) {
        b->notes[i].batch = b;
        b->left++;
        if (!private_resume(&b->notes[i].send, b->part->outbox->redis, reply,
                            FIRST + i * PRIVATE_ITEMS, on_sent))
            b->left--;
    }
    batch_over(b);
}

static void on_notes(void *arg, const struct reply *reply, enum outcome outcome) {
    struct outbox_part *part = arg;
    (void)outcome;
    part->busy = false;
    if (reply == NULL || reply->count < FIRST + PRIVATE_ITEMS)
        return;
    size_t count = (reply->count - FIRST) / PRIVATE_ITEMS;
    struct batch *b = calloc(1, sizeof *b + count * sizeof *b->notes);
    if (b == NULL)
        return; /* they wait */
    b->part = part;
    b->more = reply_number(reply_item(reply, 1)) != 0;
    b->count = count;
    part->busy = true;
    do_notes(b, reply);
}

static void sweep(struct outbox_part *part) {
    struct outbox *o = part->outbox;
    struct slice args[] = {SLICE(AGE_MS), SLICE(NOTES_MOST), SLICE(BYTES_MOST)};
    if (!part->busy)
        part->busy = redis_script(redis_at(o->redis, (unsigned)(part - o->parts)),
                                  SCRIPT_outbox, NULL, 0, args, 3, on_notes, part);
}

void outbox_tick(struct outbox *o, uint64_t now) {
    if (o->redis->count == 1 || now - o->swept < o->interval)
        return;
    o->swept = now;
    for (unsigned i = 0; i < o->redis->count; i++)
        sweep(&o->parts[i]);
}
