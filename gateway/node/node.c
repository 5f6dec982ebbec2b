#include "gateway/node/node.h"

#include <assert.h>

#include "common/log.h"

void node_state_set(struct node *n, enum node_state to) {
    static const char *const names[] = {"starting", "serving", "draining", "leaving",
                                        "closing"};
    assert(to == n->state + 1);
    LOG(LOG_INFO, "node_state", "from", names[n->state], "to", names[to], NULL);
    n->state = to;
}

bool node_is_ready(const struct node *n) {
    return n->state == NODE_SERVING && n->domain.redis.begun && leases_serve(&n->domain.leases);
}
