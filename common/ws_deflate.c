#include "common/ws_deflate.h"

#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>

/* Measured on JSON of a chat: of 300 B to 10 KiB, level 1 makes 1.0 to 1.09 times the bytes of
 * level 6, in 0.9 to 0.4 of its time. A smaller table (8 is the default) takes half the memory,
 * is sooner cleared for the next message, and makes as few bytes. */
#define LEVEL       1
#define TABLE       7
#define KEPT_MOST   65536 /* bytes of room that are kept for the next message */
#define FIRST_CAP   1024
#define TAIL_LEN    4
#define AT_BOUNDARY 128 /* in data_type: a block has ended and no other has begun (zlib.h) */

/* What a sync flush ends with; it is left out on the wire (RFC 7692, 7.2.1). */
static const char tail[TAIL_LEN] = {0, 0, '\xff', '\xff'};

static voidpf take(voidpf opaque, uInt items, uInt size) {
    (void)opaque;
    return calloc(items, size);
}

static void give(voidpf opaque, voidpf address) {
    (void)opaque;
    free(address);
}

static z_stream *stream_make(int (*init)(z_stream *z)) {
    z_stream *z = calloc(1, sizeof *z);
    if (z == NULL)
        return NULL;
    z->zalloc = take;
    z->zfree = give;
    if (init(z) == Z_OK)
        return z;
    free(z);
    return NULL;
}

void ws_deflate_deinit(struct ws_deflate *d) {
    if (d->out != NULL)
        deflateEnd(d->out);
    if (d->in != NULL)
        inflateEnd(d->in);
    free(d->out);
    free(d->in);
    free(d->packed);
    *d = (struct ws_deflate){NULL, NULL, NULL, 0};
}

/* --- out ------------------------------------------------------------------------------------
 */

static int init_out(z_stream *z) {
    return deflateInit2(z, LEVEL, Z_DEFLATED, -WS_DEFLATE_WINDOW, TABLE, Z_DEFAULT_STRATEGY);
}

/* Room for at least so many bytes. What was kept is enough for nearly all messages. */
static bool make_room(struct ws_deflate *d, size_t size) {
    bool wasteful = d->packed_cap > KEPT_MOST && size <= KEPT_MOST;
    if (d->packed_cap >= size && !wasteful)
        return true;
    free(d->packed);
    d->packed_cap = size > KEPT_MOST ? size : KEPT_MOST;
    d->packed = malloc(d->packed_cap);
    if (d->packed == NULL)
        d->packed_cap = 0;
    return d->packed != NULL;
}

struct slice ws_deflate_pack(struct ws_deflate *d, struct slice plain, size_t most) {
    const struct slice none = {NULL, 0};
    size_t room = most + TAIL_LEN + 1; /* a flush that fills its room may not be over */
    if (d->out == NULL)
        d->out = stream_make(init_out);
    if (d->out == NULL || !make_room(d, room))
        return none;
    z_stream *z = d->out;
    z->next_in = (const Bytef *)plain.ptr;
    z->avail_in = (uInt)plain.len;
    z->next_out = (Bytef *)d->packed;
    z->avail_out = (uInt)room;
    bool whole = deflateReset(z) == Z_OK && deflate(z, Z_SYNC_FLUSH) == Z_OK &&
                 z->avail_in == 0 && z->avail_out > 0;
    size_t len = room - z->avail_out;
    return whole && len > TAIL_LEN ? (struct slice){d->packed, len - TAIL_LEN} : none;
}

/* --- in -------------------------------------------------------------------------------------
 */

static int init_in(z_stream *z) {
    return inflateInit2(z, -WS_DEFLATE_WINDOW);
}

/* Room that grows with what has come out, and no further than the limit. */
static bool grow(struct buf *plain, size_t first, size_t most) {
    size_t cap = plain->cap == 0 ? first : 2 * plain->cap;
    if (cap > most)
        cap = most;
    char *data = realloc(plain->data, cap);
    if (data == NULL)
        return false;
    plain->data = data;
    plain->cap = cap;
    return true;
}

/* One step; at the limit it only looks whether a byte more would come. */
static int step(z_stream *z, struct buf *plain) {
    Bytef beyond;
    bool full = plain->len == plain->cap;
    size_t room = full ? 1 : plain->cap - plain->len;
    z->next_out = full ? &beyond : (Bytef *)plain->data + plain->len;
    z->avail_out = (uInt)room;
    int result = inflate(z, Z_SYNC_FLUSH);
    plain->len += room - z->avail_out;
    return result;
}

/* Takes all of the input. A block may be the last one of its stream (7.2.3.4); what follows is
 * another stream. */
static enum ws_unpacked take_in(z_stream *z, struct buf *plain, struct slice input,
                                size_t most) {
    size_t first = 4 * input.len > FIRST_CAP ? 4 * input.len : FIRST_CAP;
    int result = Z_OK;
    z->next_in = (const Bytef *)input.ptr;
    z->avail_in = (uInt)input.len;
    while (z->avail_in > 0 || z->avail_out == 0) {
        if (result == Z_STREAM_END && inflateReset(z) != Z_OK)
            return WS_UNPACK_CORRUPT;
        if (plain->len == plain->cap && plain->cap < most && !grow(plain, first, most))
            return WS_UNPACK_NO_MEMORY;
        result = step(z, plain);
        if (plain->len > most)
            return WS_UNPACK_TOO_BIG;
        if (result == Z_MEM_ERROR)
            return WS_UNPACK_NO_MEMORY;
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
            return WS_UNPACK_CORRUPT;
    }
    return WS_UNPACKED;
}

enum ws_unpacked ws_deflate_unpack(struct ws_deflate *d, struct slice packed, size_t most,
                                   struct buf *plain) {
    if (d->in == NULL)
        d->in = stream_make(init_in);
    if (d->in == NULL)
        return WS_UNPACK_NO_MEMORY;
    inflateReset(d->in);
    d->in->avail_out = 1; /* nothing more is to come of the message before */
    enum ws_unpacked result = take_in(d->in, plain, packed, most);
    if (result == WS_UNPACKED)
        result = take_in(d->in, plain, (struct slice){tail, TAIL_LEN}, most);
    if (result == WS_UNPACKED && (d->in->data_type & AT_BOUNDARY) == 0)
        result = WS_UNPACK_CORRUPT;
    return result;
}
