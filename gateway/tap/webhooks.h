#ifndef SLUICE_TAP_WEBHOOKS_H
#define SLUICE_TAP_WEBHOOKS_H

#include "gateway/tap/feed.h"

/* The URLs of the option webhook: a feed for each of them and each partition. */
struct webhooks {
    struct feeds feeds;
    struct redis *redis;
    struct list urls;
    char *list; /* the option as it was applied last */
};

/* The arguments are borrowed. */
void webhooks_init(struct webhooks *w, struct redis *redis, struct hooks *hooks,
                   struct metrics *metrics, const struct options *options);
/* Takes the option as it is now. */
void webhooks_apply(struct webhooks *w);
void webhooks_tick(struct webhooks *w, uint64_t now);
/* The partition is up. changed: in another term. */
void webhooks_redis_up(struct webhooks *w, const struct partition *p, bool changed);
/* Gives the leases back: other nodes go on. */
void webhooks_leave(struct webhooks *w);
/* Of what this node has: entries that have not arrived, and how old the oldest is (ms). */
uint64_t webhooks_lag(const struct webhooks *w, uint64_t *ms);
/* Redis is closed. */
void webhooks_deinit(struct webhooks *w);

#endif
