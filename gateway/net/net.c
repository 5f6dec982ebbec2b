#include "gateway/net/net.h"

#include <stdlib.h>
#include <string.h>

void net_init(struct net *n, uv_loop_t *loop, size_t max_queue, struct metrics *metrics,
              void *owner) {
    memset(n, 0, sizeof *n);
    n->loop = loop;
    n->max_queue = max_queue;
    n->metrics = metrics;
    n->owner = owner;
    out_pool_init(&n->out, &n->slabs);
    list_init(&n->conns);
    list_init(&n->http_idle);
    list_init(&n->dirty);
    list_init(&n->wide);
    list_init(&n->flushing);
    list_init(&n->closing);
    list_init(&n->slowed);
    list_init(&n->shaking);
    wheel_init(&n->wheel, uv_now(loop));
    n->awake_at = uv_now(loop);
}

void net_deinit(struct net *n) {
    slabs_deinit(&n->slabs);
    ws_deflate_deinit(&n->deflate);
    out_pool_deinit(&n->out);
    while (n->spare_requests != NULL) {
        void **first = n->spare_requests;
        n->spare_requests = *first;
        free(first);
    }
}
