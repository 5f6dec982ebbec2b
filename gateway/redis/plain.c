#include "gateway/redis/plain.h"

bool redis_publish(struct redis *r, struct slice channel, struct slice payload, redis_done done,
                   void *arg) {
    struct server *s = r->partitions[0].server;
    struct slice none = {NULL, 0};
    if (!redis_up(&r->partitions[0]))
        return false;
    buf_clear(&s->scratch);
    buf_str(&s->scratch, "*3\r\n");
    resp_bulk(&s->scratch, SLICE("PUBLISH"));
    resp_bulk(&s->scratch, channel);
    resp_bulk(&s->scratch, payload);
    return !s->scratch.failed && server_send(s, -1, 3, buf_bytes(&s->scratch), none, done, arg);
}

static struct subscriptions *plain_of(struct redis *r) {
    return redis_is_cluster(r) ? &r->plain : &r->partitions[0].subscriptions;
}

struct subscription *redis_listen(struct redis *r, struct slice channel,
                                  const struct subscription_events *events, void *arg) {
    return subscriptions_add(plain_of(r), channel, events, arg);
}

struct subscription *redis_listen_pattern(struct redis *r, struct slice pattern,
                                          const struct subscription_events *events, void *arg) {
    return subscriptions_add(&r->patterns, pattern, events, arg);
}

void redis_unlisten(struct redis *r, struct subscription *s) {
    subscriptions_remove(plain_of(r), s);
}
