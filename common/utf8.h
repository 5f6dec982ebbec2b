#ifndef SLUICE_COMMON_UTF8_H
#define SLUICE_COMMON_UTF8_H

#include <stdint.h>

#include "common/slice.h"

/* Strict UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF), checked
 * piece by piece. */
enum { UTF8_ACCEPT = 0, UTF8_REJECT = 1 };

/*
 * Checks the bytes, going on from `state` (UTF8_ACCEPT to begin). Returns UTF8_ACCEPT at the
 * end of a character, UTF8_REJECT as soon as no continuation could be valid, otherwise a state
 * in between. Runs of ASCII are checked eight bytes at once.
 */
uint32_t utf8_feed(uint32_t state, const char *bytes, size_t len);

/* True if all of s is valid. */
bool utf8_valid(struct slice s);

/*
 * Reads the character that begins at s.ptr[at] (at < s.len, s valid UTF-8) and returns its code
 * point; *next is the place after it.
 */
uint32_t utf8_decode(struct slice s, size_t at, size_t *next);

/* Writes the code point (at most U+10FFFF, no surrogate) to out and returns 1 to 4. */
size_t utf8_encode(char out[4], uint32_t code_point);

#endif
