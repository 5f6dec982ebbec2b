#include "gateway/auth/algorithm.h"

#define ROW(symbol, name, kind, digest) {name, KEY_##kind, digest},
static const struct {
    const char *name;
    enum key_kind kind;
    const char *digest;
} rows[] = {ALGORITHM_TABLE(ROW)};
#undef ROW

enum algorithm algorithm_find(struct slice name) {
    for (int i = 0; i < ALGORITHM_COUNT; i++)
        if (slice_is(name, rows[i].name))
            return (enum algorithm)i;
    return ALGORITHM_NONE;
}

enum key_kind algorithm_kind(enum algorithm a) {
    return rows[a].kind;
}

const char *algorithm_digest(enum algorithm a) {
    return rows[a].digest;
}
