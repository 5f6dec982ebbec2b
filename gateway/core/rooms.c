#include "gateway/core/core.h"

/*
 * The index of rooms by size, sluice:rooms. Nodes tell of rooms whose number of members online
 * has changed, or that nobody here is in any more, gathered and sent with each lease; the
 * script counts. Some entries are looked at besides, in turn, so that those of rooms that
 * nobody tells of (their node died) go too.
 */
#define TOLD_AT_ONCE  500
#define SWEEP_LEASES  10 /* intervals between two looks at entries */
#define SWEEP_ENTRIES "200"

void rooms_changed(struct core *core, struct slice room) {
    buf_slice(&core->rooms.names, room);
    buf_char(&core->rooms.names, '\0'); /* names have none */
}

/* Redis refused, came back or is another: it is told of all rooms once more. */
static void all_changed(struct core *core) {
    core->rooms.stale = false;
    for (struct map_node *at = map_next(&core->hub.channels, NULL); at != NULL;
         at = map_next(&core->hub.channels, at)) {
        if (is_room(at->key))
            rooms_changed(core, room_of(at->key));
    }
}

static void on_told(void *arg, const struct reply *reply, enum outcome outcome) {
    struct core *core = arg;
    (void)outcome;
    if (reply == NULL || reply_number(reply_item(reply, 0)) != 0)
        core->rooms.stale = true;
    if (reply != NULL && reply->count > 1)
        core->rooms.rank = (uint64_t)reply_number(reply_item(reply, 1));
}

static void tell(struct core *core, struct slice args[], size_t count) {
    if (!redis_script(&core->redis, SCRIPT_rooms, NULL, 0, args, count, on_told, core))
        core->rooms.stale = true;
}

void rooms_tell(struct core *core) {
    struct rooms *r = &core->rooms;
    char rank[DIGITS_SIZE];
    bool sweeps = core_now(core) - r->swept >= SWEEP_LEASES * core->options->lease_interval;
    if ((sweeps && r->stale) || r->names.failed) {
        buf_clear(&r->names);
        all_changed(core);
    }
    if (!sweeps && r->names.len == 0)
        return;
    struct slice none = {NULL, 0};
    struct slice args[2 + TOLD_AT_ONCE] = {sweeps ? slice_digits(r->rank, rank) : none,
                                           SLICE(SWEEP_ENTRIES)};
    size_t n = 2;
    for (size_t at = 0; at < r->names.len; at += args[n - 1].len + 1) {
        if (n == 2 + TOLD_AT_ONCE) {
            tell(core, args, n);
            args[0].len = 0;
            n = 2;
        }
        args[n++] = slice_of(r->names.data + at);
    }
    tell(core, args, n);
    if (sweeps)
        r->swept = core_now(core);
    buf_clear(&r->names);
}
