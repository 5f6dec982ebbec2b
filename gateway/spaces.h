#ifndef SLUICE_GATEWAY_SPACES_H
#define SLUICE_GATEWAY_SPACES_H

#include "common/slice.h"
#include "gateway/options.h"

/* What options say of single namespaces of Socket.IO: an entry is a word, and perhaps ` in
 * /nsp` after it; without that it is for `/`. */

/* The room that a socket enters by CONNECT if nothing else puts it into one (`default-room`).
 * Empty: none. Valid as long as the options' text. */
struct slice spaces_default_room(const struct options *o, struct slice nsp);
/* Is `builtin` that of Sluice in this namespace: all events, and not none? */
bool spaces_has_builtin(const struct options *o, struct slice nsp);

/* Returns NULL, or what is wrong (valid as log_text). */
const char *spaces_check_default_room(const struct options *o);
const char *spaces_check_builtin(const struct options *o);

#endif
