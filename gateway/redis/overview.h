#ifndef SLUICE_REDIS_OVERVIEW_H
#define SLUICE_REDIS_OVERVIEW_H

#include "gateway/redis/redis.h"

/* What can be told of all servers together. */

/* Why Redis is not up, or why it is deaf; NULL if it is up and hears. Valid until the
 * fourth call of log_text from now. */
const char *redis_trouble(const struct redis *r);
/* Redis's last error; "" if there was none. */
const char *redis_error(const struct redis *r);

/* Commands that Redis has not answered yet. */
unsigned redis_pending(const struct redis *r);
/* Bytes of commands that Redis has not taken yet. */
size_t redis_backlog(const struct redis *r);
/* Bytes of memory for commands that are not sent, or not answered, yet. */
size_t redis_held(const struct redis *r);
/* Does any of them throw away keys when its memory is full (policy.h)? */
bool redis_evicts(const struct redis *r);

#endif
