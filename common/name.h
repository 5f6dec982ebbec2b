#ifndef SLUICE_COMMON_NAME_H
#define SLUICE_COMMON_NAME_H

#include "common/json.h"
#include "common/slice.h"

/* Channel names and user ids: 1 to 128 bytes of UTF-8, no control characters, no white space
 * (Unicode's too), no braces; user ids no colon either. */
#define NAME_MAX_LEN 128

bool name_valid(struct slice name);
bool name_valid_user(struct slice id);

struct name {
    unsigned char len; /* 0: there is no name */
    char bytes[NAME_MAX_LEN];
};

static inline struct slice name_slice(const struct name *n) {
    return (struct slice){n->bytes, n->len};
}

/*
 * Reads a name from a checked JSON string, or (for a user) from an integer as its decimal text.
 * Returns false, with *out empty, if the value is neither, or not valid.
 */
bool name_from_json(struct json_value value, bool user, struct name *out);

/* Copies a slice of at most NAME_MAX_LEN bytes. */
void name_set(struct name *out, struct slice s);

#endif
