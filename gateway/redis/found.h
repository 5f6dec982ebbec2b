#ifndef SLUICE_REDIS_FOUND_H
#define SLUICE_REDIS_FOUND_H

#include "common/buf.h"
#include "gateway/redis/reply.h"

/*
 * Keys that a script finds in Redis, such as those of a user's rooms: its caller cannot declare
 * them (declared.h). The script does nothing then, and answers which they are (lua/found.lua).
 * The same command is sent once more, with these keys after the others, and its caller hears
 * the answer to that. It may want more again, since much may have changed meanwhile.
 */

/* Is this an answer of that kind? */
bool found_wants(const struct reply *reply);
/*
 * Appends the command's arguments with the keys that the answer wants. apart: its last key
 * stays the last one. added: gets how many keys came in. False: no memory, or the answer wants
 * none or too many.
 */
bool found_tail(struct buf *out, struct slice tail, const struct reply *reply, bool apart,
                unsigned *added);

#endif
