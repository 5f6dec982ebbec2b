#ifndef SLUICE_REDIS_POLICY_H
#define SLUICE_REDIS_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/redis/link.h"

/*
 * What Redis does when its memory is full (maxmemory-policy). All policies but noeviction may
 * throw away acknowledged messages. It can be changed while Redis runs, so it is asked for
 * again and again. It is warned of without a maxmemory too: that may be set at any time.
 */
struct policy {
    char name[32]; /* empty: Redis has not told */
    bool evicts;
    bool asked;  /* an answer is under way */
    uint64_t at; /* loop time of the last question; 0: ask at once */
};

/* Asks over this link, if it is time. The policy must live until the link has fallen. */
void policy_ask(struct policy *p, struct link *l);

#endif
