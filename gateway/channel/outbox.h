#ifndef SLUICE_CHANNEL_OUTBOX_H
#define SLUICE_CHANNEL_OUTBOX_H

#include "gateway/channel/private.h"

/*
 * Brings inboxes level with logs of two users whose names wait for long in the outbox of a
 * partition, since a step failed or its node ended (private.h). Every node does so, and the
 * script gives a name to one of them at a time. Which of them, and how often, does not matter:
 * an inbox takes a message once. With one Redis there is nothing to do.
 */
struct outbox {
    struct redis *redis;
    uint64_t interval; /* ms */
    uint64_t swept;    /* loop time */
    struct outbox_part {
        struct outbox *outbox;
        bool busy;        /* names of this partition are asked for, or brought level */
        unsigned batches; /* since the last tick that began */
    } parts[PARTITIONS_MOST];
};

/* redis: borrowed. interval: ms between two looks. */
void outbox_init(struct outbox *o, struct redis *redis, uint64_t interval);
/* Looks if it is time. now: loop time. To be called often. */
void outbox_tick(struct outbox *o, uint64_t now);

#endif
