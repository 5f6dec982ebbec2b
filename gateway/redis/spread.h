#ifndef SLUICE_REDIS_SPREAD_H
#define SLUICE_REDIS_SPREAD_H

#include "gateway/redis/redis.h"

/*
 * One question about many names, such as the profiles of a page of users: a script for each
 * partition in which some of them are, all at once. With one Redis it is one script.
 */
struct spread;

/*
 * What was answered about the i-th name: item k of those that the script gives for each; a nil
 * reply if the name's partition did not answer (reply.h).
 */
const struct reply *spread_item(const struct spread *s, size_t i, size_t k);

/* all: each partition has answered. outcome: of the last one that did not. The spread is valid
 * until it returns. */
typedef void (*spread_done)(void *arg, const struct spread *s, bool all, enum outcome outcome);

/*
 * Asks. The script's keys are names; its arguments are `first`, if that is not empty, and then
 * the one that `args` has for each of its keys, if args is not NULL. It answers {0, then for
 * each key so many items as `each` says}. Names and arguments are needed only until it returns.
 * done is called once, in a later turn. False: nothing was asked, since there are no names,
 * none of their partitions is up (redis_script_asked), or there is no memory; then it is not
 * called.
 */
bool spread_ask(struct redis *r, enum script script, const struct slice names[], size_t count,
                struct slice first, const struct slice args[], size_t each, spread_done done,
                void *arg);

#endif
