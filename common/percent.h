#ifndef SLUICE_COMMON_PERCENT_H
#define SLUICE_COMMON_PERCENT_H

#include "common/slice.h"

/* Decodes percent-encoded bytes (RFC 3986, 2.1) into out, without a NUL. Returns the length, or
 * -1 if an escape is broken or it does not fit. */
ptrdiff_t percent_decode(struct slice from, char *out, size_t cap);

/* Copies a name, in which a blank, a control character and a brace (which no name of a channel
 * may have) become escapes. Returns and fails as above. */
ptrdiff_t percent_encode_name(struct slice name, char *out, size_t cap);

#endif
