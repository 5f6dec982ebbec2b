#include "gateway/api/stream.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/api/dispatch.h"

#define TAKEN_AT_ONCE "32"
#define FIRST_ENTRY   2    /* item of take.lua's answer */
#define ITEMS         4    /* of each entry */
#define AGAIN_MS      500  /* after a failure */
#define LOOK_MS       2000 /* while another node has the lease */

static struct partition *redis_of(const struct stream_part *p) {
    return redis_at(p->all->source->redis, p->index);
}

static void rest(struct stream_part *p, uint64_t ms) {
    free(p->taken);
    p->taken = NULL;
    p->busy = false;
    p->due = uv_now(p->all->source->loop) + ms;
}

static struct slice item_of(const struct stream_part *p, size_t i) {
    return reply_text(reply_item(p->taken, p->at + i));
}

/* --- one after the other --------------------------------------------------------------------
 */

static void do_next(struct stream_part *p) {
    struct slice none = {NULL, 0};
    if (p->at + ITEMS > p->taken->count) {
        rest(p, 0);
        return;
    }
    snprintf(p->entry, sizeof p->entry, ":as%u %.*s", p->index, (int)item_of(p, 0).len,
             item_of(p, 0).ptr);
    p->item.entry = slice_of(p->entry);
    dispatch_item(p->all->source, &p->item, &p->all->key, item_of(p, 1), item_of(p, 2),
                  item_of(p, 3), none);
}

static void on_taken_out(void *arg, const struct reply *reply, enum outcome outcome) {
    struct stream_part *p = arg;
    (void)outcome;
    p->at += ITEMS;
    if (reply == NULL)
        rest(p, AGAIN_MS);
    else
        do_next(p);
}

static void on_answered(struct api_item *item, int status, struct slice body) {
    struct stream_part *p = container_of(item, struct stream_part, item);
    struct slice args[] = {item_of(p, 0), item_of(p, 1), item_of(p, 2), item_of(p, 3),
                           status >= 400 ? body : SLICE("")};
    bool again = status == 503;
    if (again || !redis_script(redis_of(p), SCRIPT_taken, NULL, 0, args, 5, on_taken_out, p))
        rest(p, AGAIN_MS);
}

/* --- asking ---------------------------------------------------------------------------------
 */

static void on_taken(void *arg, const struct reply *reply, enum outcome outcome) {
    struct stream_part *p = arg;
    bool mine = reply != NULL && reply_number(reply_item(reply, 1)) != 0;
    (void)outcome;
    p->taken = mine && reply->count > FIRST_ENTRY ? reply_copy(reply) : NULL;
    p->at = FIRST_ENTRY;
    if (p->taken != NULL)
        do_next(p);
    else
        rest(p, reply == NULL ? AGAIN_MS : mine ? 0 : LOOK_MS);
}

static void ask(struct stream_part *p) {
    struct slice args[] = {slice_of(p->all->source->incarnation), SLICE(TAKEN_AT_ONCE)};
    p->busy = redis_script(redis_of(p), SCRIPT_take, NULL, 0, args, 2, on_taken, p);
}

void api_stream_tick(struct api_stream *s, uint64_t now) {
    for (unsigned i = 0; i < s->source->redis->count; i++) {
        struct stream_part *p = &s->parts[i];
        if (!p->busy && now >= p->due && redis_up(redis_of(p)))
            ask(p);
    }
}

void api_stream_init(struct api_stream *s, const struct api_source *source) {
    *s = (struct api_stream){.source = source,
                             .key = {.name = "stream", .rights = API_ALL, .refs = 1}};
    for (unsigned i = 0; i < PARTITIONS_MOST; i++) {
        s->parts[i].all = s;
        s->parts[i].index = i;
        s->parts[i].item.answered = on_answered;
    }
}

void api_stream_deinit(struct api_stream *s) {
    for (unsigned i = 0; i < PARTITIONS_MOST; i++)
        free(s->parts[i].taken);
}
