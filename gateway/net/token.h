#ifndef SLUICE_NET_TOKEN_H
#define SLUICE_NET_TOKEN_H

#include "common/slice.h"

/* Names that nobody guesses, of characters of base64url: ids of sessions and sockets, and what
 * nodes know of each other. */

/* Writes `len` (at most 64) characters and a NUL. False: longer. */
bool token_make(char *out, size_t len);
/* Could it be one, of that length? */
bool token_valid(struct slice s, size_t len);

#endif
