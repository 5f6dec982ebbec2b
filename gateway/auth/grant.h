#ifndef SLUICE_AUTH_GRANT_H
#define SLUICE_AUTH_GRANT_H

#include "common/json.h"

/*
 * What the bearer of a token may do: a list of patterns for each right. A pattern is an exact
 * name, or the beginning of names with a * at its end; a * in another place stands for itself.
 * `$me` in a pattern stands for the bearer's own id, whose * is a mere character.
 */
enum right {
    RIGHT_NONE,
    RIGHT_ROOMS,
    RIGHT_PRIVATE,
    RIGHT_SUBSCRIBE,
    RIGHT_PUBLISH,
    RIGHT_CHANNELS,
    RIGHT_COUNT
};

struct grant;

/*
 * Reads a text like that of the option `grants`, `rooms=*;publish=news,me-$me`. A right that it
 * does not name has an empty list. Returns a grant of the caller, or NULL with *why set to what
 * is wrong (valid until four more texts are made by log_text).
 */
struct grant *grant_from_text(const char *text, const char **why);

/*
 * Reads the claim `sluice`, a checked value: {"rooms":["a","b*"],...}. A list that is missing
 * is that of `missing`, and so are all of them if the claim is missing. Returns and fails as
 * grant_from_text.
 */
struct grant *grant_from_claim(struct json_value claim, const struct grant *missing,
                               const char **why);

void grant_free(struct grant *g); /* NULL is fine */

/* name: a room's name, a peer's id, or a topic's name without `topic:`. me: the own id. */
bool grant_allows(const struct grant *g, enum right right, struct slice name, struct slice me);
/* A raw channel: to read it, or to write to it, for which a pattern must end in `:rw`. */
bool grant_allows_channel(const struct grant *g, struct slice name, bool write,
                          struct slice me);

#endif
