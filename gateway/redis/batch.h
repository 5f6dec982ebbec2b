#ifndef SLUICE_REDIS_BATCH_H
#define SLUICE_REDIS_BATCH_H

#include "common/list.h"
#include "gateway/redis/partition.h"

/*
 * Appends, which are many: those that one turn of the loop has for a partition share one call
 * of their script. What all of them need is then asked once, and a channel rings its doorbell
 * once for all of its messages.
 *
 * A lane is the order of one sender. Its messages are appended in the order in which they were
 * given, and one that fails takes those after it with it:
 *  - Messages that are gathered in the same call are tried in their order. The script leaves
 * out what follows a message of the same lane that failed.
 *  - All others wait until the call under way is answered: so what goes to another partition,
 * or comes in a later turn. What came meanwhile then shares the next call.
 */
struct appending; /* what a partition gathers for one of the scripts */

/* A call has at most so many messages, so that Redis does other things in between. */
#define BATCH_MOST 64

/* What a lane needs to know of a message, and its owner has: for all of its life, which ends
 * with lane_over. All zeros: of a message that was not given to the lane. */
struct sending {
    struct lane *lane; /* NULL: in no order */
    uint64_t own;      /* the message's id (client/order.h), */
    uint64_t after;    /* and that of the one that it must not overtake; 0: none */
    bool alone;        /* the lane waits for lane_over, whatever the call brings */
    bool given;
};

/* All zeros, but for the list: nothing is under way. */
struct lane {
    struct list waiting; /* for the call under way to be answered */
    size_t bytes;        /* of the messages that are not answered */
    unsigned count;
    unsigned under_way;                /* gathered, or sent and not answered */
    const struct appending *gathering; /* where they are gathered; NULL: they were sent */
    const struct sending *stopped_by;  /* nothing goes on before lane_over */
    uint64_t missing; /* the last message that failed for itself: those after it fail, too */
    unsigned number;  /* in the call that is being put together */
    bool broken;      /* one failed: those that wait do, too */
    bool going;
};

void lane_init(struct lane *l);
/* The message is over, and answered. broken: it failed in a way in which messages after it must
 * fail. Those may be failed before this returns. Does nothing for a message that was not given.
 */
void lane_over(struct sending *s, bool broken);
/* All that waits fails, now or when what is under way is answered. */
void lane_break(struct lane *l);

/* Prepares what a partition gathers. False: no memory. */
bool batch_init(struct partition *p);
/* What was gathered must have been flushed. */
void batch_deinit(struct partition *p);
/* Sends what was gathered. Called at the end of each turn; may call back. */
void batch_flush(struct partition *p);

/*
 * Appends by a script. keys and args are those of one message, and copied. s: the message's
 * place in the order; or NULL. done is called in a later turn: with the answer to this message,
 * as the script would give it alone; or without one. Its answer comes when so many replicas
 * have what it wrote as the option redis-wait says; if they do not have it in time, there is no
 * answer, and the outcome is unknown. Returns false when the partition is not up, or too much
 * is under way (redis_is_full); then nothing is sent, and done is never called.
 */
bool redis_append(struct partition *p, struct sending *s, enum script script,
                  const struct slice keys[], size_t key_count, const struct slice args[],
                  size_t arg_count, redis_done done, void *arg);

#endif
