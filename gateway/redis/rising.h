#ifndef SLUICE_REDIS_RISING_H
#define SLUICE_REDIS_RISING_H

#include "gateway/redis/redis.h"

/*
 * How a Redis comes up. When both links are ready and the subscriber link has heard something,
 * connections of ours that fell are ended (orphans.h). Then the term is asked for (term.lua),
 * and with its answer the Redis is up, or hears again after it was deaf.
 */

/* A link became ready, or has heard something: begins if all is there. It may reset the links,
 * but on_up comes in a later turn. */
void rising_check(struct redis *r);
/* Resets the links when the term is not told in time; called once a turn. */
void rising_watch(struct redis *r);

#endif
