#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "gateway/net/relay_internal.h"

/* The nodes that a relay hands requests over to. */

#define CONNECT_MS 1000
/* The answer to a poll may have twice the queue, as base64, and a message that is longer. */
#define MORE_BODY (128UL << 20)

struct relay_peer *relay_find(struct relay *r, struct slice name) {
    for (struct list *at = r->peers.next; at != &r->peers; at = at->next) {
        struct relay_peer *p = container_of(at, struct relay_peer, link);
        if (slice_is(name, p->name))
            return p;
    }
    return NULL;
}

static void peer_free(struct http_peer *http) {
    free(container_of(http, struct relay_peer, http));
}

void relay_met(struct relay *r, const char *name, const struct conn_address *at,
               const char *key) {
    struct relay_peer *p = relay_find(r, slice_of(name));
    if (p != NULL && memcmp(&p->http.address, at, sizeof *at) == 0 && strcmp(p->key, key) == 0)
        return;
    if (p != NULL)
        relay_lost(r, name);
    p = calloc(1, sizeof *p);
    if (p == NULL) {
        LOG(LOG_ERROR, "no_peer", "why", "out of memory", NULL);
        return;
    }
    p->http = (struct http_peer){.net = r->net,
                                 .address = *at,
                                 .connect_ms = CONNECT_MS,
                                 .idle_ms = r->idle_ms,
                                 .body_max = 2 * r->net->max_queue + MORE_BODY,
                                 .on_closed = peer_free};
    http_peer_init(&p->http);
    snprintf(p->name, sizeof p->name, "%s", name);
    snprintf(p->key, sizeof p->key, "%s", key);
    list_init(&p->link);
    list_push(&r->peers, &p->link);
}

void relay_lost(struct relay *r, const char *name) {
    struct relay_peer *p = relay_find(r, slice_of(name));
    if (p == NULL)
        return;
    list_remove(&p->link);
    tunnels_cut(&r->tunnels, p);
    http_peer_close(&p->http);
}
