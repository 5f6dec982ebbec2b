#ifndef SLUICE_HOOKS_SIGNATURE_H
#define SLUICE_HOOKS_SIGNATURE_H

#include "common/buf.h"

/* A secret has at least so many bytes. */
#define HOOK_SECRET_LEAST 32

/*
 * Appends the value of Sluice-Signature: `t=SECONDS,v1=HEX`, with a v1 for each secret of the
 * list (one a line). Each is the HMAC-SHA256 of t, a dot and the body. Appends nothing without
 * a secret. Returns false, with *out of any content, if it cannot.
 */
bool hook_sign(struct buf *out, const char *secrets, uint64_t seconds, struct slice body);

#endif
