#ifndef SLUICE_PAGES_ASSETS_H
#define SLUICE_PAGES_ASSETS_H

#include "common/slice.h"

/* A file that is served as it is, from memory. */
#define ASSET_ETAG_SIZE 24
struct asset {
    const char *path;
    const char *type;
    struct slice bytes;
    bool shared;                /* pages of other origins may load it */
    char etag[ASSET_ETAG_SIZE]; /* with its quotes; of the bytes, so alike on all nodes */
};

/* Fills *a in; path, type and bytes stay the caller's. Without memory it has no etag (""). */
void asset_init(struct asset *a, const char *path, const char *type, struct slice bytes,
                bool shared);
/* True if the list of a header If-None-Match (NULL: there is none) has these bytes. */
bool asset_is_known(const struct asset *a, const char *if_none_match);

/* Of gateway/web, compiled in: one binary is the whole node. NULL if there is none at that
 * path.
 */
const struct asset *asset_find(struct slice path);

#endif
