#ifndef SLUICE_REDIS_ERRORS_H
#define SLUICE_REDIS_ERRORS_H

#include "common/err.h"
#include "common/slice.h"
#include "gateway/redis/address.h"

/*
 * Error replies. Redis 7 answers a script that a command stopped with that command's error
 * ("READONLY You can't write ... script: 2fa1, on @user_script:9."); Redis 6 wraps it ("ERR
 * Error running script (call to f_2fa1): @user_script:9: -READONLY You can't write ...").
 */

/* The first word of the error; for a wrapped error, the first word of the error inside. */
struct slice redis_error_code(struct slice text);

/* Does a Cluster not serve the slot here and now: another server has it (MOVED), it moves (ASK,
 * TRYAGAIN), or nobody has it or another one (CLUSTERDOWN)? Such a script had no effect. */
bool redis_error_moves(struct slice text);
/* Or is it that, or STALE (partition.h), after which a script may be sent again? */
bool redis_error_waits(struct slice text);
/* Did Redis refuse the command before it looked at its arguments? Then it does not know the
 * script of an EVAL. */
bool redis_error_unread(struct slice text);
/* Reads "MOVED <slot> <host>:<port>". An empty host is that of the server that answered, which
 * stays in `at` then. False: it is another error, or names no host ("?"). */
bool redis_error_moved(struct slice text, struct redis_place *at, unsigned *slot);

/* Returns OUTCOME_REFUSED if the command or script cannot have had an effect: with such an
 * error Redis stops a script at its first write. Returns OUTCOME_UNKNOWN for all other errors,
 * since a script that fails in the middle may have written something already. */
enum outcome redis_error_outcome(struct slice text);

#endif
