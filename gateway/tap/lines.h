#ifndef SLUICE_TAP_LINES_H
#define SLUICE_TAP_LINES_H

#include "common/slice.h"
#include "gateway/options.h"

/* The lines of the option webhook, `URL [TYPE,...]`, and what types there are. */

/* Returns NULL, or what is wrong (valid until four more texts are made by log_text). */
const char *webhook_check(const struct options *o);

#define WEBHOOK_TYPES_SIZE 256
struct webhook_line {
    struct slice url;
    char types[WEBHOOK_TYPES_SIZE]; /* as ",a,b,"; all that the tap has, if the line has none */
};
/* Cuts the first line off the rest. False: there is none. */
bool webhook_line_next(struct slice *rest, unsigned kinds, struct webhook_line *out);
/* Has a list such as ",a,b," the type? */
bool webhook_types_have(const char *types, struct slice type);

#endif
