#include "gateway/data/quiet.h"

#include "common/log.h"

struct look {
    struct store *store;
    long long timeout;
    long long now_ms;
};

static void on_time(void *arg, const struct reply *reply) {
    struct look *l = arg;
    l->now_ms =
        reply_number(reply_item(reply, 0)) * 1000 + reply_number(reply_item(reply, 1)) / 1000;
}

/* A lease of 0 or 1 is given back. */
static void on_leases(void *arg, const struct reply *reply) {
    struct look *l = arg;
    for (size_t i = 0; i + 1 < reply->count; i += 2) {
        struct slice node = reply_text(reply_item(reply, i));
        long long lease = reply_number(reply_item(reply, i + 1));
        if (lease <= 1 || l->now_ms - lease >= l->timeout)
            continue;
        store_fail(l->store,
                   log_text("a node runs on it, %.*s, whose lease is %lld ms old: stop all "
                            "nodes, and wait until their leases are over (lease-timeout)",
                            (int)(node.len < 100 ? node.len : 100), node.ptr,
                            l->now_ms - lease));
    }
}

bool quiet_check(struct store *s, uint64_t timeout_ms) {
    struct look l = {.store = s, .timeout = (long long)timeout_ms};
    for (unsigned i = 0; i < s->d->partitions && !s->failed; i++) {
        struct buf key = {0};
        deployment_head(s->d, &key, i);
        buf_str(&key, "nodes");
        struct slice argv[] = {SLICE("ZRANGE"), buf_bytes(&key), SLICE("0"), SLICE("-1"),
                               SLICE("WITHSCORES")};
        if (key.failed)
            store_fail(s, "out of memory");
        store_send(s, s->of[i], 1, (struct slice[]){SLICE("TIME")}, on_time, &l);
        store_send(s, s->of[i], 5, argv, on_leases, &l);
        store_wait(s, NULL); /* the next answers are of another master */
        buf_deinit(&key);
    }
    return !s->failed;
}
