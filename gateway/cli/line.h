#ifndef SLUICE_CLI_LINE_H
#define SLUICE_CLI_LINE_H

#include "common/buf.h"

/* Appends JSON (valid UTF-8) so that it is one line, which does nothing to a terminal: white
 * space between values becomes blanks, and control characters in texts are escaped. It means
 * the same. */
void line_json(struct buf *out, struct slice json);
/* Appends a time of ms since 1970: 2024-11-21T04:05:55.000Z. */
void line_time(struct buf *out, uint64_t ms);

#endif
