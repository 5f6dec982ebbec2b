#ifndef SLUICE_DOORS_ASSETS_H
#define SLUICE_DOORS_ASSETS_H

#include "common/slice.h"

/* The files of gateway/web, compiled in: one binary is the whole node. */
struct asset {
    const char *path;
    const char *type;
    struct slice bytes;
    bool shared; /* pages of other origins may load it */
};

/* NULL if there is none at that path. */
const struct asset *asset_find(struct slice path);

#endif
