#include "gateway/data/marker.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"

#define NO_NUMBER "unfinished-move" /* a node says that, and ends */

static struct buf key_of(struct store *to) {
    struct buf key = {0};
    deployment_head(to->d, &key, 0);
    buf_str(&key, "migration");
    if (key.failed)
        store_fail(to, "out of memory");
    return key;
}

static void on_note(void *arg, const struct reply *reply) {
    struct marker *m = arg;
    struct slice cursor = reply_text(reply_item(reply, 3));
    m->found = reply_item(reply, 0)->type == REPLY_STRING;
    buf_slice(&m->from, reply_text(reply_item(reply, 0)));
    buf_slice(&m->state, reply_text(reply_item(reply, 1)));
    m->link = (unsigned)reply_number(reply_item(reply, 2));
    snprintf(m->cursor, sizeof m->cursor, "%.*s", (int)cursor.len,
             cursor.len > 0 ? cursor.ptr : "");
}

bool marker_read(struct marker *m, struct store *to) {
    memset(m, 0, sizeof *m);
    struct buf key = key_of(to);
    struct slice argv[] = {SLICE("HMGET"), buf_bytes(&key), SLICE("from"),
                           SLICE("state"), SLICE("link"),   SLICE("cursor")};
    store_send(to, to->of[0], 6, argv, on_note, m);
    store_wait(to, NULL);
    buf_deinit(&key);
    return !to->failed;
}

void marker_deinit(struct marker *m) {
    buf_deinit(&m->from);
    buf_deinit(&m->state);
}

static void set_number(struct store *to, const char *number) {
    if (to->d->address.cluster)
        store_say(to, to->keeper, NULL, NULL, "SET", log_text("%spartitions", to->d->prefix),
                  number, NULL);
}

void marker_begin(struct store *to, struct slice from, struct slice state) {
    struct buf key = key_of(to);
    struct slice argv[] = {SLICE("HSET"),   buf_bytes(&key), SLICE("from"), from,
                           SLICE("state"),  state,           SLICE("link"), SLICE("0"),
                           SLICE("cursor"), SLICE("0")};
    store_send(to, to->of[0], 10, argv, NULL, NULL);
    set_number(to, NO_NUMBER);
    buf_deinit(&key);
}

void marker_at(struct store *to, const struct scan *scan) {
    struct buf key = key_of(to);
    struct slice argv[] = {SLICE("HSET"),   buf_bytes(&key),
                           SLICE("link"),   slice_of(log_text("%u", scan->link)),
                           SLICE("cursor"), slice_of(scan->cursor)};
    store_send(to, to->of[0], 6, argv, NULL, NULL);
    buf_deinit(&key);
}

void marker_end(struct store *to) {
    struct buf key = key_of(to);
    set_number(to, log_text("%u", to->d->partitions));
    store_wait(to, NULL);
    store_send(to, to->of[0], 2, (struct slice[]){SLICE("DEL"), buf_bytes(&key)}, NULL, NULL);
    store_wait(to, NULL);
    buf_deinit(&key);
}
