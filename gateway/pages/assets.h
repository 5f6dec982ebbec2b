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
    char etag[ASSET_ETAG_SIZE]; /* with its quotes; made of the bytes, so it is the same on all
                                   nodes */
};

/* Fills *a in. The caller owns path, type and bytes. Without memory the etag is "". */
void asset_init(struct asset *a, const char *path, const char *type, struct slice bytes,
                bool shared);
/* True if a header If-None-Match (NULL: there is none) lists the asset's etag. */
bool asset_is_known(const struct asset *a, const char *if_none_match);

/* A file of gateway/web. These are compiled in, so that one binary is the whole node. NULL if
 * there is no file at that path. */
const struct asset *asset_find(struct slice path);

#endif
