#ifndef SLUICE_REDIS_SUBSCRIPTIONS_H
#define SLUICE_REDIS_SUBSCRIPTIONS_H

#include "common/map.h"
#include "gateway/redis/link.h"

/* The Redis channels of a partition to which a subscriber link listens. They are kept when the
 * link falls, and when the partition moves to another server. */
struct subscription;
struct subscription_events {
    /* Redis confirmed the subscription: all that is published from now on arrives. Called again
     * after each on_lost. */
    void (*on_confirmed)(void *arg);
    void (*on_message)(void *arg, struct slice payload);
    /* The same for a pattern: the channel is the one that was published on. */
    void (*on_matched)(void *arg, struct slice channel, struct slice payload);
    /* Messages may be missing until the next on_confirmed. The callback must not subscribe or
     * unsubscribe; redis_events.on_up or on_down follows, and those may. */
    void (*on_lost)(void *arg);
};

enum subscriptions_kind {
    SUBSCRIPTIONS_PLAIN,   /* SUBSCRIBE */
    SUBSCRIPTIONS_SHARDED, /* SSUBSCRIBE: the channels are in one slot of a Cluster */
    SUBSCRIPTIONS_PATTERNS /* PSUBSCRIBE: what is called a channel here is a pattern */
};

struct subscriptions {
    struct link *link; /* NULL: no server is known. The owner's */
    enum subscriptions_kind kind;
    struct map channels; /* of struct subscription */
    struct buf scratch;
    /* A renewal goes over all buckets of `channels`, as fast as Redis confirms. */
    bool renewing;
    size_t next; /* its next bucket, */
    size_t size; /* of so many */
    size_t open; /* confirmations that the renewal awaits */
};

void subscriptions_init(struct subscriptions *all, enum subscriptions_kind kind);
void subscriptions_deinit(struct subscriptions *all);

/* As redis_subscribe and redis_unsubscribe (redis.h). */
struct subscription *subscriptions_add(struct subscriptions *all, struct slice channel,
                                       const struct subscription_events *events, void *arg);
void subscriptions_remove(struct subscriptions *all, struct subscription *s);

/* The link became ready: subscribes again to all channels, some at a time: Redis ends a link
 * for which too many confirmations wait, and the loop has other work. */
void subscriptions_renew(struct subscriptions *all);
/* The link fell. Calls on_lost. */
void subscriptions_lost(struct subscriptions *all);
/* The link received a push. False: Redis has ended the subscription by itself, since the slot
 * is another server's now. on_lost was called for that channel. */
bool subscriptions_take(struct subscriptions *all, const struct reply *push);

#endif
