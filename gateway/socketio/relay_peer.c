#include "gateway/socketio/relay_peer.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"

#define CONNECT_MS 1000
/* The answer to a poll may have twice the queue, in base64, and one message that is longer. */
#define MORE_BODY (128UL << 20)

struct relay_peer *relay_peer_find(const struct list *peers, struct slice name) {
    for (const struct list *at = peers->next; at != peers; at = at->next) {
        struct relay_peer *p = container_of(at, struct relay_peer, link);
        if (slice_is(name, p->name))
            return p;
    }
    return NULL;
}

bool relay_peer_is(const struct relay_peer *p, const struct conn_address *at, const char *key) {
    return memcmp(&p->http.address, at, sizeof *at) == 0 && strcmp(p->key, key) == 0;
}

static void on_closed(struct http_peer *http) {
    free(container_of(http, struct relay_peer, http));
}

void relay_peer_add(struct list *peers, struct net *n, uint64_t idle_ms, const char *name,
                    const struct conn_address *at, const char *key) {
    struct relay_peer *p = calloc(1, sizeof *p);
    if (p == NULL) {
        LOG(LOG_ERROR, "no_peer", "why", "out of memory", NULL);
        return;
    }
    p->http = (struct http_peer){.net = n,
                                 .address = *at,
                                 .connect_ms = CONNECT_MS,
                                 .idle_ms = idle_ms,
                                 .body_max = 2 * n->max_queue + MORE_BODY,
                                 .on_closed = on_closed};
    http_peer_init(&p->http);
    snprintf(p->name, sizeof p->name, "%s", name);
    snprintf(p->key, sizeof p->key, "%s", key);
    list_init(&p->link);
    list_push(peers, &p->link);
}

void relay_peer_close(struct relay_peer *p) {
    list_remove(&p->link);
    http_peer_close(&p->http);
}
