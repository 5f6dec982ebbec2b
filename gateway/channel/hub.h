#ifndef SLUICE_CHANNEL_HUB_H
#define SLUICE_CHANNEL_HUB_H

#include "gateway/channel/catchup.h"
#include "gateway/options.h"

/*
 * The node's side of channels: one subscription to a channel's doorbell however many want it, a
 * position in its log (channel.h), the heal that mends whatever the doorbell missed (heal.h),
 * and those that are behind (catchup.h).
 */

/* max_queue: bytes that may wait for a connection; pages are a part of that. Returns 0 or a
 * libuv error. */
int hub_init(struct hub *h, uv_loop_t *loop, struct redis *redis, struct slabs *slabs,
             size_t max_queue, struct metrics *metrics, const struct hub_events *events,
             void *owner);
/* No sub may be left. */
void hub_close(struct hub *h, uv_close_cb on_closed);
void hub_deinit(struct hub *h);
/* From redis_events.on_down: what waits for Redis fails. */
void hub_redis_down(struct hub *h);
/* From redis_events.on_up. */
void hub_redis_up(struct hub *h);

/*
 * Puts a subscriber into a channel. since: what it has, or an empty epoch. `checked` is called
 * once in a later turn, unless the sub is dropped before; after CHECK_FAILED the sub is gone.
 * Nothing of the log is delivered before sub_start. NULL: no memory.
 */
struct sub *hub_subscribe(struct hub *h, struct subscriber *s, struct slice name,
                          const struct position *since, sub_checked checked, void *arg);

/* Once in a while, by the retention times in the options, touches the logs of all channels in
 * Redis: what is in use must not expire. To be called often. */
void hub_touch(struct hub *h, const struct options *o);

#endif
