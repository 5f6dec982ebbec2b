#ifndef SLUICE_AUTH_UNIQUE_H
#define SLUICE_AUTH_UNIQUE_H

#include "common/json.h"

/*
 * True if no object in a checked value, at any level, has two members of one name. Names are
 * compared as they are after unescaping; one that cannot be decoded is taken for a second one.
 * Two readers of a text may each take another of two equal members, so such a text is refused.
 * False, too, without memory.
 */
bool unique_members(struct json_value value);

#endif
