#ifndef SLUICE_CHANNEL_HUB_H
#define SLUICE_CHANNEL_HUB_H

#include "gateway/channel/catchup.h"
#include "gateway/options.h"

/*
 * All channels of a node. However many subscribers a channel has, the node subscribes to its
 * doorbell once and keeps one position in its log (channel.h). The heal (heal.h) gets messages
 * that the doorbell missed. Subs that are behind read the log on their own (catchup.h).
 */

/* max_queue: the most bytes that may wait for one connection; pages are sized to a part of it.
 * Returns 0 or a libuv error. */
int hub_init(struct hub *h, uv_loop_t *loop, struct redis *redis, struct slabs *slabs,
             size_t max_queue, struct metrics *metrics, const struct hub_events *events,
             void *owner);
/* No sub may be left. */
void hub_close(struct hub *h, uv_close_cb on_closed);
void hub_deinit(struct hub *h);
/* Called from redis_events.on_down. Of the partition's channels, waiters and checks that were
 * not sent fail. */
void hub_redis_down(struct hub *h, const struct partition *p);
/* Called from lease_events.on_tide. */
void hub_tide(struct hub *h, const struct partition *p, uint64_t time);
/* Called from redis_events.on_up. changed: in another term. */
void hub_redis_up(struct hub *h, struct partition *p, bool changed);

/*
 * Puts a subscriber into a channel. since: the position up to which it has messages, or an
 * empty epoch. `checked` is called once in a later turn, unless the sub is dropped first; after
 * CHECK_FAILED the sub is gone. No message of the log is delivered before sub_start. NULL: no
 * memory.
 */
struct sub *hub_subscribe(struct hub *h, struct subscriber *s, struct slice name,
                          const struct position *since, sub_checked checked, void *arg);

/* Touches the logs of all channels in Redis, so that logs in use do not expire. How often
 * follows from the retention times in the options. To be called more often than that. */
void hub_touch(struct hub *h, const struct options *o);

#endif
