#ifndef SLUICE_AUTH_SIGN_H
#define SLUICE_AUTH_SIGN_H

#include "common/buf.h"

/* Appends a token with these claims, a JSON text, signed by a secret (HS256). Without memory
 * out->failed is set. */
void sign_token(struct slice secret, struct slice claims, struct buf *out);

#endif
