#ifndef SLUICE_PAGES_BUNDLE_H
#define SLUICE_PAGES_BUNDLE_H

#include "gateway/pages/assets.h"

/*
 * The official client of Socket.IO for browsers, at the paths where its own server has it:
 * /socket.io/socket.io.js and the like. The files are read once, from the directory that the
 * option socketio-client names. They are of version 3 or 4: older clients speak another
 * protocol.
 */
#define BUNDLE_FILES 8

struct bundle {
    struct asset files[BUNDLE_FILES]; /* without a path: not there */
    char *bytes[BUNDLE_FILES];        /* owned: theirs */
    unsigned count;
    char version[24]; /* as the first lines of socket.io.js tell it; "": they do not */
};

/* b is zeroed. Returns NULL, or what is wrong with the directory or a file of it (good until
 * the next call). Whatever it returns, bundle_deinit is due. */
const char *bundle_read(struct bundle *b, const char *dir);
void bundle_deinit(struct bundle *b);

/* True for the path of a file that a bundle may have. */
bool bundle_has_path(struct slice path);
/* NULL if this one has not got it. */
const struct asset *bundle_find(const struct bundle *b, struct slice path);

#endif
