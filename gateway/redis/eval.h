#ifndef SLUICE_REDIS_EVAL_H
#define SLUICE_REDIS_EVAL_H

#include "common/buf.h"

/* The parts of EVALSHA and EVAL, as RESP. */

/* Appends the beginning of a command with so many arguments: the verb and the script (its SHA1,
 * or its text). */
void eval_put_head(struct buf *out, unsigned argc, const char *verb, struct slice script);

/* Takes the first argument off, "$<len>\r\n<bytes>\r\n". False: it is none. */
bool eval_take(struct slice *at, struct slice *out);
/* The same for the number of keys, with which a script's arguments begin. */
bool eval_take_count(struct slice *at, size_t *out);

/* Makes an epoch in base 36, for a script that begins one. Epochs only need to differ. */
#define EVAL_EPOCH 8
void eval_fresh_epoch(char out[EVAL_EPOCH]);

#endif
