#ifndef SLUICE_CLIENT_ORDER_H
#define SLUICE_CLIENT_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/json.h"

/*
 * A client may have several messages under way. When one of them fails and is to be sent again,
 * those that were sent before the client heard of that must not overtake it: they fail, too.
 * Which ones those are is known in one of two ways:
 *  - A message names the one before it (`after`, a clientMessageId): it fails if that one did.
 *    This is exact, however slow the line is.
 *  - Otherwise, if the message that failed had a clientMessageId, all fail that come until it
 *    comes again, for two seconds at most: the client may have given it up.
 */
struct order {
    uint64_t failed; /* the message that is to come again, as message_hash; 0: none */
    uint64_t last;   /* the one that failed last, for it or by itself; 0: none */
    uint64_t until;  /* loop time, ms: after it `failed` is not waited for */
    enum err err;
};

/* Tells one clientMessageId, as it stands in the JSON, from another; never 0. */
uint64_t message_hash(struct slice id);
/* The clientMessageId of an event's data as it was written; empty if there is none. */
#define MESSAGE_ID_MOST 800 /* 128 bytes, each escaped */
struct slice message_id_of(struct json_value data);

/* The message with this data; 0: it has no clientMessageId. */
uint64_t order_id(struct json_value data);
/* A message failed by itself. message: 0 if it has no clientMessageId. */
void order_failed(struct order *o, uint64_t message, enum err err, uint64_t now);
/* A message failed that only those that name it are to wait for. */
void order_broken(struct order *o, uint64_t message);
/* A message has come, with this data: ERR_OK, or with what it fails. */
enum err order_check(struct order *o, struct json_value data, uint64_t now);
/* A message fails for another reason than order_check's: those that name it fail, too. */
void order_follow(struct order *o, struct json_value data);

#endif
