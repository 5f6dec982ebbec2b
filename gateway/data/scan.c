#include "gateway/data/scan.h"

#include <stdio.h>
#include <string.h>

#define COUNT "1000"

void scan_init(struct scan *s, struct store *store,
               void (*on_key)(void *owner, struct slice key), void *owner) {
    memset(s, 0, sizeof *s);
    s->store = store;
    s->on_key = on_key;
    s->owner = owner;
    snprintf(s->cursor, sizeof s->cursor, "0");
    key_pattern(store->d, &s->pattern);
    if (s->pattern.failed)
        store_fail(store, "out of memory");
}

static void on_keys(void *arg, const struct reply *reply) {
    struct scan *s = arg;
    const struct reply *keys = reply_item(reply, 1);
    struct slice cursor = reply_text(reply_item(reply, 0));
    snprintf(s->cursor, sizeof s->cursor, "%.*s", (int)cursor.len, cursor.ptr);
    for (size_t i = 0; keys->type == REPLY_ARRAY && i < keys->count; i++)
        s->on_key(s->owner, reply_text(keys->items[i]));
    if (!slice_is(cursor, "0"))
        return;
    s->link++;
    s->over = s->link >= s->store->count;
}

bool scan_step(struct scan *s) {
    struct slice argv[] = {SLICE("SCAN"),          slice_of(s->cursor), SLICE("MATCH"),
                           buf_bytes(&s->pattern), SLICE("COUNT"),      SLICE(COUNT)};
    if (s->over || s->store->failed)
        return false;
    store_send(s->store, s->link, 6, argv, on_keys, s);
    return store_wait(s->store, NULL);
}

void scan_deinit(struct scan *s) {
    buf_deinit(&s->pattern);
}
