#ifndef SLUICE_COMMON_WS_DEFLATE_H
#define SLUICE_COMMON_WS_DEFLATE_H

#include "common/buf.h"

/*
 * The compression of WebSocket messages (permessage-deflate, RFC 7692) without context
 * takeover: each message is compressed alone. So one deflater and one inflater serve all
 * connections of a loop, one message after the other. They are made when the first message
 * needs them.
 */
#define WS_DEFLATE_LEAST  256    /* bytes; a shorter message is sent as it is */
#define WS_DEFLATE_MOST   262144 /* a longer one, too: it may take the loop 7 ms */
#define WS_DEFLATE_WINDOW 15     /* the deflater looks back over 2^15 bytes of a message */

struct ws_deflate {
    struct z_stream_s *out; /* NULL: not made yet */
    struct z_stream_s *in;
    char *packed; /* room for what is compressed, which is kept */
    size_t packed_cap;
};

/* All zeros is ready for use. */
void ws_deflate_deinit(struct ws_deflate *d);

/* Compresses a message of at most 2^31 bytes. Returns the payload, at most `most` bytes and
 * valid until the next call; its length is 0 if it would be longer, or without memory. */
struct slice ws_deflate_pack(struct ws_deflate *d, struct slice plain, size_t most);

enum ws_unpacked {
    WS_UNPACKED,
    WS_UNPACK_CORRUPT, /* not what deflate writes, or not to its end */
    WS_UNPACK_TOO_BIG, /* more than `most` bytes; no more memory than that was taken */
    WS_UNPACK_NO_MEMORY
};

/* Inflates the payload of a whole message into `plain`, an empty buffer, which the caller
 * deinits in any case. */
enum ws_unpacked ws_deflate_unpack(struct ws_deflate *d, struct slice packed, size_t most,
                                   struct buf *plain);

#endif
