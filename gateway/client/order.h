#ifndef SLUICE_CLIENT_ORDER_H
#define SLUICE_CLIENT_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/json.h"

/*
 * Keeps messages in order when one of them fails. A client may have several messages under way.
 * When one fails and is to be sent again, the messages that the client sent before it heard of
 * the failure must not overtake it. So they fail, too. The node knows them in one of two ways:
 *  - A message names the one before it (`after`, a clientMessageId). It fails if that one did.
 *    This is exact, however slow the line is.
 *  - Otherwise, if the message that failed had a clientMessageId, all messages fail until it
 *    comes again. This ends after two seconds, as the client may have given the message up.
 */
struct order {
    uint64_t failed; /* the message that is to come again, as message_hash; 0: none */
    uint64_t last;   /* the message that failed last, for any reason; 0: none */
    uint64_t until;  /* loop time, ms, up to which `failed` is waited for */
    enum err err;    /* the error with which the others fail */
};

/* A hash of a clientMessageId as it stands in the JSON; never 0. */
uint64_t message_hash(struct slice id);
/* The clientMessageId in an event's data as it was written; empty if there is none. */
#define MESSAGE_ID_MOST 800 /* 128 bytes, each escaped */
struct slice message_id_of(struct json_value data);

/* The message_hash of the clientMessageId in this data; 0: there is none. */
uint64_t order_id(struct json_value data);
/* That of the message which this one names in `after`; 0: none. */
uint64_t order_after(struct json_value data);
/* A message failed by itself. message: its message_hash, or 0. */
void order_failed(struct order *o, uint64_t message, enum err err, uint64_t now);
/* A message failed, and only messages that name it in `after` fail with it. */
void order_broken(struct order *o, uint64_t message);
/* A message with this data has come. Returns ERR_OK, or the error with which it must fail. */
enum err order_check(struct order *o, struct json_value data, uint64_t now);
/* A message fails with one before it, and order_check was not asked. message: its message_hash,
 * or 0. Messages that name it fail, too. */
void order_follow(struct order *o, uint64_t message);

#endif
