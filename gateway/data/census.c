#include "gateway/data/census.h"

#include <stdio.h>
#include <string.h>

struct taking {
    struct census *census;
    struct store *store;
    struct scan scan;
    uint64_t keys;
};

static void on_length(void *arg, const struct reply *reply) {
    *(uint64_t *)arg += (uint64_t)reply_number(reply);
}

static void on_key(void *owner, struct slice key) {
    struct taking *t = owner;
    struct census *c = t->census;
    struct key_kind k = key_kind_of(t->store->d, key);
    if (c->classes[k.class]++ == 0)
        snprintf(c->example[k.class], sizeof c->example[k.class], "%.*s",
                 (int)(key.len < 150 ? key.len : 150), key.ptr);
    if (k.class != KEY_DATA)
        return;
    t->keys++;
    c->keys[k.owner][k.part]++;
    if (k.part == PART_LOG)
        store_send(t->store, t->scan.link, 2, (struct slice[]){SLICE("XLEN"), key}, on_length,
                   &c->messages[k.owner]);
}

bool census_take(struct census *c, struct store *store,
                 void (*tell)(void *owner, uint64_t keys), void *owner) {
    struct taking t = {.census = c, .store = store};
    memset(c, 0, sizeof *c);
    scan_init(&t.scan, store, on_key, &t);
    while (scan_step(&t.scan))
        tell(owner, t.keys);
    bool all = !store->failed;
    scan_deinit(&t.scan);
    return all;
}

static void compare(struct buf *out, const char *owner, const char *part, uint64_t a,
                    uint64_t b) {
    if (a != b)
        buf_printf(out, "%s%s %s: %llu and %llu", out->len > 0 ? ", " : "", owner, part,
                   (unsigned long long)a, (unsigned long long)b);
}

void census_compare(const struct census *a, const struct census *b, struct buf *out) {
    for (unsigned o = 0; o < OWNER_COUNT; o++) {
        for (unsigned p = 0; p < PART_COUNT; p++) {
            /* by the move: from those of dms, and from the counts */
            bool made = o == OWNER_USER && (p == PART_IDS || p == PART_COUNTED);
            if (!made)
                compare(out, key_owner_names[o], key_part_names[p], a->keys[o][p],
                        b->keys[o][p]);
        }
        compare(out, key_owner_names[o], "messages", a->messages[o], b->messages[o]);
    }
}

void census_print(const struct census *c, struct buf *out) {
    for (unsigned o = 0; o < OWNER_COUNT; o++) {
        for (unsigned p = 0; p < PART_COUNT; p++) {
            if (c->keys[o][p] != 0)
                buf_printf(out, "%-5s  %-8s  %llu\n", key_owner_names[o], key_part_names[p],
                           (unsigned long long)c->keys[o][p]);
        }
        if (c->messages[o] != 0)
            buf_printf(out, "%-5s  %-8s  %llu\n", key_owner_names[o], "messages",
                       (unsigned long long)c->messages[o]);
    }
}
