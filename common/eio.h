#ifndef SLUICE_COMMON_EIO_H
#define SLUICE_COMMON_EIO_H

#include "common/buf.h"

/*
 * The Engine.IO v4 codec ("eio" in names). It reads and writes packets, and the payloads that
 * carry several of them over HTTP long-polling. It does no I/O.
 *
 * A packet is one character and its data ("4hello"). Over a WebSocket a packet is a text frame,
 * and binary data is a binary frame with only those bytes. In a payload U+001E separates the
 * packets, and binary data is 'b' and base64. A text frame may be 'b' and base64, too.
 */
enum eio_type {
    EIO_OPEN = '0',
    EIO_CLOSE = '1',
    EIO_PING = '2',
    EIO_PONG = '3',
    EIO_MESSAGE = '4',
    EIO_UPGRADE = '5',
    EIO_NOOP = '6',
    EIO_BINARY = 'b'
};

#define EIO_SEPARATOR '\x1e'

struct eio_packet {
    enum eio_type type;
    struct slice data; /* of EIO_BINARY: still base64 */
};

/* Reads a text packet; data is a slice of it. Returns false if it is empty or its type is
 * unknown. */
bool eio_read(struct slice text, struct eio_packet *out);

/* Takes the next packet's text off the front of a payload. False: none is left. A payload that
 * ends in a separator ends with an empty packet, which eio_read refuses. */
struct eio_payload {
    const char *at; /* NULL: done */
    const char *end;
};
void eio_payload_init(struct eio_payload *p, struct slice body);
bool eio_payload_next(struct eio_payload *p, struct slice *packet);

/* Appends a packet's text to a payload, with a separator if it is not the first one. Without
 * memory: payload->failed. */
void eio_payload_text(struct buf *payload, struct slice text);
void eio_payload_binary(struct buf *payload, struct slice bytes);

/*
 * The answers of a server to a request that it refuses: symbol, code, HTTP status, message. The
 * body is {"code":1,"message":"Session ID unknown"}.
 */
#define EIO_ERROR_TABLE(X)                                                                     \
    X(EIO_E_TRANSPORT, 0, 400, "Transport unknown")                                            \
    X(EIO_E_SID, 1, 400, "Session ID unknown")                                                 \
    X(EIO_E_METHOD, 2, 400, "Bad handshake method")                                            \
    X(EIO_E_REQUEST, 3, 400, "Bad request")                                                    \
    X(EIO_E_FORBIDDEN, 4, 403, "Forbidden")                                                    \
    X(EIO_E_VERSION, 5, 400, "Unsupported protocol version")
#define EIO_ERROR_ENUM(symbol, code, status, message) symbol = (code),
enum eio_error { EIO_ERROR_TABLE(EIO_ERROR_ENUM) EIO_ERROR_COUNT };
#undef EIO_ERROR_ENUM

int eio_error_status(enum eio_error e);
const char *eio_error_body(enum eio_error e);

/* The value of the first parameter of that name in a query, as it was sent; empty if there is
 * none. */
struct slice eio_query(struct slice query, const char *name);

#endif
