#include "gateway/channel/outbox.h"

#include <stdlib.h>

#include "common/log.h"

#define AGE_MS       "4000" /* a node that lives is done long before */
#define LOGS_MOST    "64"
#define BATCHES_MOST 16 /* of a partition in an interval, one after the other */
#define FIRST        2  /* item of the script's answer: the first name */

/* Logs whose inboxes are being brought level. */
struct late {
    struct private_send send;
    struct batch *batch;
};
struct batch {
    struct outbox_part *part;
    bool more;
    unsigned left; /* logs under way */
    unsigned done;
    size_t count;
    struct late logs[];
};

static void sweep(struct outbox_part *part);

void outbox_init(struct outbox *o, struct redis *redis, uint64_t interval) {
    *o = (struct outbox){.redis = redis, .interval = interval};
    for (unsigned i = 0; i < PARTITIONS_MOST; i++)
        o->parts[i].outbox = o;
}

static void batch_over(struct batch *b) {
    struct outbox_part *part = b->part;
    bool more = b->more;
    if (--b->left > 0)
        return;
    if (b->done > 0)
        LOG(LOG_INFO, "outbox_done", "conversations", log_text("%u", b->done), "of",
            log_text("%zu", b->count), NULL);
    for (size_t i = 0; i < b->count; i++)
        private_deinit(&b->logs[i].send);
    free(b);
    part->busy = false;
    if (more && part->batches < BATCHES_MOST)
        sweep(part);
}

static void on_level(struct private_send *send, const struct private_sent *sent,
                     enum outcome outcome) {
    struct batch *b = container_of(send, struct late, send)->batch;
    (void)outcome;
    b->done += sent != NULL;
    batch_over(b);
}

static void bring_level(struct batch *b, const struct reply *reply) {
    b->left = 1; /* so that it is not over before all have begun */
    for (size_t i = 0; i < b->count; i++) {
        b->logs[i].batch = b;
        b->left++;
        if (!private_resume(&b->logs[i].send, b->part->outbox->redis,
                            reply_text(reply_item(reply, FIRST + i)), on_level))
            b->left--;
    }
    batch_over(b);
}

static void on_names(void *arg, const struct reply *reply, enum outcome outcome) {
    struct outbox_part *part = arg;
    (void)outcome;
    part->busy = false;
    if (reply == NULL || reply->count <= FIRST)
        return;
    size_t count = reply->count - FIRST;
    struct batch *b = calloc(1, sizeof *b + count * sizeof *b->logs);
    if (b == NULL)
        return; /* they wait */
    b->part = part;
    b->more = reply_number(reply_item(reply, 1)) != 0;
    b->count = count;
    part->busy = true;
    bring_level(b, reply);
}

/* Names that were given out are not due again for a while, so one after the other has its turn.
 */
static void sweep(struct outbox_part *part) {
    struct outbox *o = part->outbox;
    struct slice args[] = {SLICE(AGE_MS), SLICE(LOGS_MOST)};
    part->batches++;
    part->busy = redis_script(redis_at(o->redis, (unsigned)(part - o->parts)), SCRIPT_outbox,
                              NULL, 0, args, 2, on_names, part);
}

void outbox_tick(struct outbox *o, uint64_t now) {
    if (o->redis->count == 1 || now - o->swept < o->interval)
        return;
    o->swept = now;
    for (unsigned i = 0; i < o->redis->count; i++) {
        if (o->parts[i].busy)
            continue;
        o->parts[i].batches = 0;
        sweep(&o->parts[i]);
    }
}
