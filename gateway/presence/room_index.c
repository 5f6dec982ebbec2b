#include "gateway/presence/room_index.h"

#include "gateway/channel/name.h"

#define TOLD_AT_ONCE  500
#define SWEEP_LEASES  10 /* intervals between two looks at entries */
#define SWEEP_ENTRIES "200"

void room_index_init(struct room_index *x, uv_loop_t *loop, struct redis *redis,
                     const struct options *options, struct hub *hub) {
    *x = (struct room_index){.redis = redis, .options = options, .loop = loop, .hub = hub};
    buf_init(&x->names);
}

void room_index_deinit(struct room_index *x) {
    buf_deinit(&x->names);
}

void room_index_redis_up(struct room_index *x) {
    x->stale = true;
    x->swept = 0;
}

void room_index_changed(struct room_index *x, struct slice room) {
    buf_slice(&x->names, room);
    buf_char(&x->names, '\0'); /* names have none */
}

/* Redis refused a write, came back, or is another one. All rooms are sent again. */
static void all_changed(struct room_index *x) {
    x->stale = false;
    for (struct map_node *at = map_next(&x->hub->channels, NULL); at != NULL;
         at = map_next(&x->hub->channels, at)) {
        if (is_room(at->key))
            room_index_changed(x, room_of(at->key));
    }
}

static void on_told(void *arg, const struct reply *reply, enum outcome outcome) {
    struct room_index *x = arg;
    (void)outcome;
    if (reply == NULL || reply_number(reply_item(reply, 0)) != 0)
        x->stale = true;
    if (reply != NULL && reply->count > 1)
        x->rank = (uint64_t)reply_number(reply_item(reply, 1));
}

static void tell(struct room_index *x, struct slice args[], size_t count) {
    if (!redis_script(redis_at(x->redis, 0), SCRIPT_rooms, NULL, 0, args, count, on_told, x))
        x->stale = true;
}

void room_index_tell(struct room_index *x) {
    char rank[DIGITS_SIZE];
    bool sweeps = uv_now(x->loop) - x->swept >= SWEEP_LEASES * x->options->lease_interval;
    if ((sweeps && x->stale) || x->names.failed) {
        buf_clear(&x->names);
        all_changed(x);
    }
    if (!sweeps && x->names.len == 0)
        return;
    struct slice none = {NULL, 0};
    struct slice args[2 + TOLD_AT_ONCE] = {sweeps ? slice_digits(x->rank, rank) : none,
                                           SLICE(SWEEP_ENTRIES)};
    size_t n = 2;
    for (size_t at = 0; at < x->names.len; at += args[n - 1].len + 1) {
        if (n == 2 + TOLD_AT_ONCE) {
            tell(x, args, n);
            args[0].len = 0;
            n = 2;
        }
        args[n++] = slice_of(x->names.data + at);
    }
    tell(x, args, n);
    if (sweeps)
        x->swept = uv_now(x->loop);
    buf_clear(&x->names);
}
