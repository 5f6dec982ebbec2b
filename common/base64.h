#ifndef SLUICE_COMMON_BASE64_H
#define SLUICE_COMMON_BASE64_H

#include "common/buf.h"

/* base64 and base64url (RFC 4648, sections 4 and 5). Without memory out->failed is set. */

/* Appends the digits, with padding. */
void base64_encode(struct slice bytes, struct buf *out);

/*
 * Reads base64 strictly: no white space, correct padding, unused bits zero. Appends the bytes.
 * Returns false if it is not base64; then nothing was appended.
 */
bool base64_decode(struct slice text, struct buf *out);

/*
 * base64url without padding, as tokens have it (RFC 7515, section 2): no other character, and
 * unused bits zero, so that each text of bytes is written in one way only. Appends the bytes.
 * Returns false if it is anything else; then nothing was appended.
 */
bool base64url_decode(struct slice text, struct buf *out);
void base64url_encode(struct slice bytes, struct buf *out);

/*
 * Reads base64 as clients of Socket.IO write it and as the reference server reads it: in either
 * alphabet, with padding or without. White space and all else that is no digit is skipped, and
 * the first '=' ends the text. Appends the bytes.
 */
void base64_read(struct slice text, struct buf *out);

/* How many digits (of the first alphabet) the text begins with. */
size_t base64_digits(struct slice text);

#endif
