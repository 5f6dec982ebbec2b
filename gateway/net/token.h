#ifndef SLUICE_NET_TOKEN_H
#define SLUICE_NET_TOKEN_H

#include "common/slice.h"

/* Random names that cannot be guessed, of base64url characters. They are the ids of sessions
 * and sockets, and the secrets by which nodes know each other. */

/* Writes `len` (at most 64) characters and a NUL. False: longer. */
bool token_make(char *out, size_t len);
/* True if the text could be a token of that length. */
bool token_valid(struct slice s, size_t len);

#endif
