#ifndef SLUICE_PAGES_BUNDLE_H
#define SLUICE_PAGES_BUNDLE_H

#include "gateway/pages/assets.h"

/*
 * The bundle: the official client of Socket.IO for browsers, at the same paths as on
 * Socket.IO's own server: /socket.io/socket.io.js and others. The files are read once, from the
 * directory that the option socketio-client names. They must be of version 3 or 4, since older
 * clients speak another protocol.
 */
#define BUNDLE_FILES 8

struct bundle {
    struct asset files[BUNDLE_FILES]; /* a file that is not there has no path */
    char *bytes[BUNDLE_FILES];        /* owned: the bytes of the files */
    unsigned count;
    char version[24]; /* from the first lines of socket.io.js; "": they do not tell it */
};

/* The caller has zeroed b. Returns NULL, or what is wrong with the directory or a file of it
 * (valid until the next call). The caller calls bundle_deinit in either case. */
const char *bundle_read(struct bundle *b, const char *dir);
void bundle_deinit(struct bundle *b);

/* True for the path of a file that a bundle may have. */
bool bundle_has_path(struct slice path);
/* NULL if this bundle does not have the file. */
const struct asset *bundle_find(const struct bundle *b, struct slice path);

#endif
