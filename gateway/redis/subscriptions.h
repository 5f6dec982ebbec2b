#ifndef SLUICE_REDIS_SUBSCRIPTIONS_H
#define SLUICE_REDIS_SUBSCRIPTIONS_H

#include "common/map.h"
#include "gateway/redis/link.h"

/* The Redis channels to which a subscriber link listens. They are kept when the link falls. */
struct subscription;
struct subscription_events {
    /* Redis confirmed the subscription: all that is published from now on arrives. Called again
     * after each on_lost. */
    void (*on_confirmed)(void *arg);
    void (*on_message)(void *arg, struct slice payload);
    /* Messages may be missing until the next on_confirmed. The callback must not subscribe or
     * unsubscribe; redis_events.on_up or on_down follows, and those may. */
    void (*on_lost)(void *arg);
};

struct subscriptions {
    struct link *link;
    struct map channels; /* of struct subscription */
    struct buf scratch;
};

void subscriptions_init(struct subscriptions *all, struct link *link);
void subscriptions_deinit(struct subscriptions *all);

/* As redis_subscribe and redis_unsubscribe (redis.h). */
struct subscription *subscriptions_add(struct subscriptions *all, struct slice channel,
                                       const struct subscription_events *events, void *arg);
void subscriptions_remove(struct subscriptions *all, struct subscription *s);

/* The link became ready: subscribes to all channels again. */
void subscriptions_renew(struct subscriptions *all);
/* The link fell. Calls on_lost. */
void subscriptions_lost(struct subscriptions *all);
/* The link received a push. */
void subscriptions_take(struct subscriptions *all, const struct reply *push);
/* Asks for a sign of life (the push "pong"), if the link is ready. */
void subscriptions_probe(struct subscriptions *all);

#endif
