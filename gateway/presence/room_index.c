#include "gateway/presence/room_index.h"

#include "gateway/channel/name.h"

#define TOLD_AT_ONCE  500
#define SWEEP_LEASES  10 /* intervals between two looks at entries */
#define SWEEP_ENTRIES "200"

void room_index_init(struct room_index *x, uv_loop_t *loop, struct redis *redis,
                     const struct options *options, struct hub *hub) {
    *x = (struct room_index){.redis = redis, .options = options, .loop = loop, .hub = hub};
    for (unsigned i = 0; i < PARTITIONS_MOST; i++)
        buf_init(&x->shelves[i].names);
}

void room_index_deinit(struct room_index *x) {
    for (unsigned i = 0; i < PARTITIONS_MOST; i++)
        buf_deinit(&x->shelves[i].names);
}

void room_index_redis_up(struct room_index *x, const struct partition *p) {
    x->shelves[p->index].stale = true;
    x->swept = 0;
}

void room_index_changed(struct room_index *x, struct slice room) {
    char channel[CHANNEL_NAME_SIZE];
    struct slice name = room_channel(room, channel);
    const struct partition *p = redis_partition(x->redis, name);
    buf_slice(&x->shelves[p->index].names, name);
    buf_char(&x->shelves[p->index].names, '\0'); /* names have none */
}

/* Redis refused a write, came back, or is another one. All rooms are sent again. */
static void all_changed(struct room_index *x, struct partition *p) {
    x->shelves[p->index].stale = false;
    for (struct channel *ch = hub_next(x->hub, p, NULL); ch != NULL;
         ch = hub_next(x->hub, p, ch)) {
        if (is_room(channel_name(ch)))
            room_index_changed(x, room_of(channel_name(ch)));
    }
}

static void on_told(void *arg, const struct reply *reply, enum outcome outcome) {
    struct room_shelf *shelf = arg;
    (void)outcome;
    if (reply == NULL || reply_number(reply_item(reply, 0)) != 0)
        shelf->stale = true;
    if (reply != NULL && reply->count > 1)
        shelf->rank = (uint64_t)reply_number(reply_item(reply, 1));
}

static void tell(struct room_shelf *shelf, struct partition *p, const struct slice keys[],
                 struct slice args[], size_t count) {
    if (!redis_script(p, SCRIPT_rooms, keys, count, args, 2 + count, on_told, shelf))
        shelf->stale = true;
}

static void tell_shelf(struct room_index *x, struct partition *p, bool sweeps) {
    char rank[DIGITS_SIZE];
    struct room_shelf *shelf = &x->shelves[p->index];
    if ((sweeps && shelf->stale) || shelf->names.failed) {
        buf_clear(&shelf->names);
        all_changed(x, p);
    }
    if (!sweeps && shelf->names.len == 0)
        return;
    struct slice none = {NULL, 0};
    struct slice keys[TOLD_AT_ONCE];
    struct slice args[2 + TOLD_AT_ONCE] = {sweeps ? slice_digits(shelf->rank, rank) : none,
                                           SLICE(SWEEP_ENTRIES)};
    size_t n = 0;
    for (size_t at = 0; at < shelf->names.len; at += keys[n - 1].len + 1) {
        if (n == TOLD_AT_ONCE) {
            tell(shelf, p, keys, args, n);
            args[0].len = 0;
            n = 0;
        }
        keys[n] = slice_of(shelf->names.data + at);
        args[2 + n] = room_of(keys[n]);
        n++;
    }
    tell(shelf, p, keys, args, n);
    buf_clear(&shelf->names);
}

void room_index_tell(struct room_index *x) {
    bool sweeps = uv_now(x->loop) - x->swept >= SWEEP_LEASES * x->options->lease_interval;
    if (sweeps)
        x->swept = uv_now(x->loop);
    for (unsigned i = 0; i < x->redis->count; i++)
        tell_shelf(x, redis_at(x->redis, i), sweeps);
}
