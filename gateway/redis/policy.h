#ifndef SLUICE_REDIS_POLICY_H
#define SLUICE_REDIS_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/redis/link.h"

/*
 * Redis's policy for a full memory (maxmemory-policy). Every policy but noeviction may throw
 * away acknowledged messages, and the log warns of it. The policy can be changed while Redis
 * runs, so it is asked for again and again. The warning comes also without a maxmemory, because
 * that may be set at any time.
 */
struct policy {
    char name[32]; /* empty: Redis has not told */
    bool evicts;
    bool asked;  /* waits for an answer */
    uint64_t at; /* loop time of the last question; 0: ask at once */
};

/* Asks over this link when it is time to. The policy must live until the link has fallen. */
void policy_ask(struct policy *p, struct link *l);

#endif
