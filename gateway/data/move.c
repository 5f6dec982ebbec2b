#include "gateway/data/move.h"

#include <stdio.h>
#include <string.h>

#include "gateway/data/translate.h"

#define GROUP_MOST  256
#define LOGS_MOST   64       /* of them */
#define GROUP_BYTES 16777216 /* of values that are on their way at once, roughly */

struct item {
    struct copying *copying;
    struct slice key;
    struct translation translation;
};

struct copying {
    struct move *move;
    struct scan scan;
    struct buf names; /* of the keys of one step: length and bytes of each */
    struct item group[GROUP_MOST];
    size_t logs;    /* how many to take next, since these are what is large */
    uint64_t bytes; /* of the last group */
};

/* --- one key --------------------------------------------------------------------------------
 */

static void on_ttl(void *arg, const struct reply *reply) {
    struct item *item = arg;
    long long ms = reply_number(reply); /* -1: it lives for ever; 0: for less than 1 ms */
    snprintf(item->translation.ttl, sizeof item->translation.ttl, "%lld",
             ms == 0  ? 1
             : ms < 0 ? 0
                      : ms);
}

static void on_value(void *arg, const struct reply *reply) {
    struct item *item = arg;
    struct move *m = item->copying->move;
    struct translation *t = &item->translation;
    struct slice value = reply_text(reply);
    struct buf name = {0};
    if (reply->type != REPLY_STRING)
        return; /* its time was over */
    m->keys++;
    m->bytes += value.len;
    item->copying->bytes += value.len;
    translate_name(m->to->d, &name, &t->kind);
    if (name.failed)
        store_fail(m->to, "out of memory");
    struct slice argv[] = {SLICE("RESTORE"), buf_bytes(&name), slice_of(t->ttl), value,
                           SLICE("REPLACE")};
    store_send(m->to, m->to->of[deployment_partition(m->to->d, t->kind.name)], 5, argv, NULL,
               NULL);
    if (t->kind.part == PART_IDS)
        translate_note_ids(m->to, t->kind.name, t->kind.bucket, buf_bytes(&name));
    buf_deinit(&name);
    if (translate_wanted(t))
        translate_key(t, item->key);
}

static void ask(struct item *item, struct copying *c) {
    struct store *from = c->move->from;
    unsigned link = c->scan.link;
    store_send(from, link, 2, (struct slice[]){SLICE("PTTL"), item->key}, on_ttl, item);
    store_send(from, link, 2, (struct slice[]){SLICE("DUMP"), item->key}, on_value, item);
}

/* --- many -----------------------------------------------------------------------------------
 */

static void on_key(void *owner, struct slice key) {
    struct copying *c = owner;
    if (key_kind_of(c->move->from->d, key).class != KEY_DATA)
        return;
    buf_append(&c->names, &key.len, sizeof key.len);
    buf_slice(&c->names, key);
    if (c->names.failed)
        store_fail(c->move->from, "out of memory");
}

/* Takes the next name at *at. */
static struct slice next_name(const struct copying *c, size_t *at) {
    size_t len;
    memcpy(&len, c->names.data + *at, sizeof len);
    struct slice name = {c->names.data + *at + sizeof len, len};
    *at += sizeof len + len;
    return name;
}

/* So many that logs as large as the last ones fit. */
static size_t next_logs(uint64_t bytes, size_t logs) {
    uint64_t fit = GROUP_BYTES / (bytes / logs + 1);
    return fit < 1 ? 1 : fit > LOGS_MOST ? LOGS_MOST : (size_t)fit;
}

/* Asks for the next keys, beginning at *at, and waits until they are copied. */
static void copy_group(struct copying *c, size_t *at) {
    struct move *m = c->move;
    size_t n = 0, logs = 0;
    c->bytes = 0;
    for (; n < GROUP_MOST && logs < c->logs && *at < c->names.len; n++) {
        struct item *item = &c->group[n];
        *item = (struct item){.copying = c, .key = next_name(c, at)};
        item->translation = (struct translation){
            .from = m->from, .to = m->to, .kind = key_kind_of(m->from->d, item->key)};
        logs += item->translation.kind.part == PART_LOG;
        ask(item, c);
    }
    store_wait(m->from, m->to);
    if (logs > 0)
        c->logs = next_logs(c->bytes, logs);
}

/* Copies the keys of one step of the scan. master: the link that the step was asked over. */
static bool copy_step(struct copying *c, unsigned master) {
    struct move *m = c->move;
    struct scan after = c->scan;
    size_t at = 0;
    c->scan.link = master;
    while (at < c->names.len && !m->from->failed && !m->to->failed) {
        copy_group(c, &at);
        m->tell(m->owner);
    }
    c->scan = after;
    marker_at(m->to, &c->scan);
    return store_wait(m->from, m->to);
}

/* The indexes of message ids live for a year, as leases have it. */
static void keep_indexes(struct store *to) {
    for (unsigned i = 0; i < to->d->partitions; i++) {
        struct buf key = {0};
        deployment_head(to->d, &key, i);
        buf_str(&key, "ids");
        buf_char(&key, '\0');
        if (key.failed)
            store_fail(to, "out of memory");
        else
            store_say(to, to->of[i], NULL, NULL, "PEXPIRE", key.data, "31622400000", NULL);
        buf_deinit(&key);
    }
}

bool move_copy(struct move *m, const struct marker *at) {
    struct copying c = {.move = m, .logs = 8};
    scan_init(&c.scan, m->from, on_key, &c);
    if (at->found) {
        c.scan.link = at->link;
        snprintf(c.scan.cursor, sizeof c.scan.cursor, "%s", at->cursor);
        c.scan.over = c.scan.link >= m->from->count;
    }
    for (bool more = !c.scan.over; more;) {
        unsigned master = c.scan.link;
        buf_clear(&c.names);
        more = scan_step(&c.scan) && copy_step(&c, master) && !c.scan.over;
    }
    scan_deinit(&c.scan);
    buf_deinit(&c.names);
    keep_indexes(m->to);
    return store_wait(m->from, m->to);
}

/* --- clearing -------------------------------------------------------------------------------
 */

struct clearing {
    struct move *move;
    struct scan scan;
};

static void on_old_key(void *owner, struct slice key) {
    struct clearing *c = owner;
    struct store *to = c->move->to;
    if (key_kind_of(to->d, key).class == KEY_DATA)
        store_send(to, c->scan.link, 2, (struct slice[]){SLICE("UNLINK"), key}, NULL, NULL);
}

bool move_clear(struct move *m) {
    struct clearing c = {.move = m};
    scan_init(&c.scan, m->to, on_old_key, &c);
    while (scan_step(&c.scan))
        m->tell(m->owner);
    scan_deinit(&c.scan);
    return !m->to->failed;
}
