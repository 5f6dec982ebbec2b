#include "gateway/cluster/leases.h"

#include <stdlib.h>

static void on_interval(uv_timer_t *timer) {
    struct leases *l = timer->data;
    bool up = false;
    for (unsigned i = 0; i < l->count; i++)
        up = lease_tick(&l->all[i]) || up;
    if (up)
        l->all->events->on_tick(l->all->owner);
}

bool leases_serve(const struct leases *l) {
    for (unsigned i = 0; i < l->count; i++) {
        if (l->all[i].held && redis_up(l->all[i].redis))
            return true;
    }
    return false;
}

void leases_watch(struct leases *l) {
    for (unsigned i = 0; i < l->count; i++)
        lease_watch(&l->all[i]);
}

void leases_stop(struct leases *l) {
    for (unsigned i = 0; i < l->count; i++)
        l->all[i].stopping = true;
}

int leases_init(struct leases *l, uv_loop_t *loop, struct redis *redis,
                const struct options *options, const char *node_id,
                const struct lease_events *events, void *owner) {
    *l = (struct leases){.count = redis->count, .redis = redis};
    l->all = calloc(l->count, sizeof *l->all);
    if (l->all == NULL)
        return UV_ENOMEM;
    for (unsigned i = 0; i < l->count; i++)
        lease_init(&l->all[i], loop, redis_at(redis, i), options, node_id, events, owner);
    l->timer.data = l;
    uv_timer_init(loop, &l->timer);
    return uv_timer_start(&l->timer, on_interval, options->lease_interval,
                          options->lease_interval);
}

void leases_close(struct leases *l, uv_close_cb on_closed) {
    uv_close((uv_handle_t *)&l->timer, on_closed);
}

void leases_deinit(struct leases *l) {
    free(l->all);
}
