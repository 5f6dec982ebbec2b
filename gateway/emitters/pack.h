#ifndef SLUICE_EMITTERS_PACK_H
#define SLUICE_EMITTERS_PACK_H

#include <msgpack.h>

#include "common/buf.h"

/*
 * A value in MessagePack, which msgpack-c reads. Before that, its heads are looked at: what
 * says that it has more parts than bytes, or is too deep, is not read at all, since a reader
 * makes room for what is announced.
 */
#define PACK_DEEPEST 32 /* arrays and maps in each other; as many as msgpack-c reads */

struct pack {
    msgpack_zone zone;
    msgpack_object root;
};

/* Reads the one value that the bytes are. Its texts and binaries point into them. False: it is
 * none, or there is no memory; then there is nothing to free. */
bool pack_read(struct pack *p, struct slice bytes);
void pack_free(struct pack *p);

/* Texts of a value; empty: it is none, or is not valid UTF-8. */
struct slice pack_text(const msgpack_object *o);
/* The member of a map with this key; NULL: there is none, or it is no map. */
const msgpack_object *pack_member(const msgpack_object *map, const char *key);

/* Where a value is written as JSON. Binaries become `{"_placeholder":true,"num":N}`, as in
 * Socket.IO, and their bytes go to `bin`, which is a JSON array of base64 without its end. */
struct pack_json {
    struct buf *out;
    struct buf *bin;
    unsigned count; /* of binaries; 0 at first */
};

/* False: JSON cannot have the value. */
bool pack_put(struct pack_json *j, const msgpack_object *o);

#endif
