#ifndef SLUICE_REDIS_PLAIN_H
#define SLUICE_REDIS_PLAIN_H

#include "gateway/redis/redis.h"

/* Redis channels that have nothing to do with ours, and are in no partition: those of the raw
 * door. They go by the master of the first partition; a Cluster passes them on to all. */

/* PUBLISH on a channel of exactly that name, which is in no partition; and SUBSCRIBE, as
 * redis_subscribe. */
bool redis_publish(struct redis *r, struct slice channel, struct slice payload, redis_done done,
                   void *arg);
struct subscription *redis_listen(struct redis *r, struct slice channel,
                                  const struct subscription_events *events, void *arg);
/* The same for a pattern (PSUBSCRIBE); subscription_events.on_matched gets what fits. It lasts
 * as long as the process: there is no way to end it. */
struct subscription *redis_listen_pattern(struct redis *r, struct slice pattern,
                                          const struct subscription_events *events, void *arg);
void redis_unlisten(struct redis *r, struct subscription *s);

#endif
