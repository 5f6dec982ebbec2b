#ifndef SLUICE_COMMON_BASE64_H
#define SLUICE_COMMON_BASE64_H

#include "common/buf.h"

/* base64 (RFC 4648, section 4). What is appended is not there without memory: out->failed. */

/* Appends the digits, with padding. */
void base64_encode(struct slice bytes, struct buf *out);

/*
 * Reads it strictly: no white space, padding as it has to be, unused bits zero. Appends the
 * bytes. False: it is not base64; then nothing was appended.
 */
bool base64_decode(struct slice text, struct buf *out);

/*
 * Reads it as clients of Socket.IO write it and as the reference server reads it: either
 * alphabet, padding or none. White space and whatever else is no digit is passed over, and the
 * first '=' ends it. Appends the bytes.
 */
void base64_read(struct slice text, struct buf *out);

/* How many digits (of the first alphabet) the text begins with. */
size_t base64_digits(struct slice text);

#endif
