#ifndef SLUICE_COMMON_WS_H
#define SLUICE_COMMON_WS_H

#include <stdint.h>

#include "common/slice.h"
#include "common/ws_deflate.h"

/*
 * The WebSocket codec ("ws" in names; RFC 6455) of a server, with permessage-deflate (RFC 7692)
 * where it was agreed to. It turns bytes into messages, and does no I/O. wslay's frame layer
 * reads the frames (forms of headers, unmasking). Messages are put together here, with limits
 * of our own, because wslay's event layer buffers 8.8 KB a connection, applies its limit to
 * each frame, and accepts some malformed closes.
 *
 * A connection owns a struct ws_input, which is one pointer, and NULL between messages. Its
 * parser comes from a pool, and goes back as soon as no frame or message is partial.
 */
enum ws_opcode {
    WS_CONTINUATION = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10
};

/* The close codes that this program sends. */
enum ws_code {
    WS_CODE_NORMAL = 1000,
    WS_CODE_GOING_AWAY = 1001,
    WS_CODE_PROTOCOL = 1002,
    WS_CODE_UNSUPPORTED = 1003,
    WS_CODE_NO_STATUS = 1005, /* never on the wire */
    WS_CODE_INVALID_UTF8 = 1007,
    WS_CODE_POLICY = 1008,
    WS_CODE_TOO_BIG = 1009,
    WS_CODE_INTERNAL = 1011,
    WS_CODE_RESTART = 1012,
    WS_CODE_TRY_LATER = 1013
};

enum ws_result {
    WS_OK,     /* all bytes taken */
    WS_CLOSED, /* a valid close frame came: answer with *code, read no more */
    WS_FAILED, /* the peer broke the protocol or a limit: close with *code, read no more */
    WS_STOPPED /* the handler asked to stop; the rest of the bytes is dropped */
};

struct ws_handler {
    /* A whole message; text is valid UTF-8. The bytes are valid until the callback returns.
     * Returns false to stop. It must not deinit this input or its pool. */
    bool (*on_message)(void *arg, enum ws_opcode opcode, struct slice payload);
    /* A ping or a pong, payload at most 125 bytes. Returns false to stop. */
    bool (*on_control)(void *arg, enum ws_opcode opcode, struct slice payload);
    /* Called when a frame begins: the most bytes that its message may have, at most the pool's
     * max_message. NULL: always that many. */
    size_t (*most)(void *arg);
    /* A compressed message of `packed` bytes is about to be handed on; it has `plain` bytes.
     * NULL: the peer may not compress. */
    void (*on_inflated)(void *arg, size_t packed, size_t plain);
};

struct ws_parser;

/* Unused parsers, and the limits of all. The pools of a loop share its `deflate`. */
struct ws_pool {
    struct ws_deflate *deflate; /* NULL: no handler has on_inflated */
    size_t max_message;         /* the most bytes, over all fragments; with more: 1009 */
    unsigned max_fragments;     /* the most fragments of a message; with more: 1008 */
    struct ws_parser *free_list;
    unsigned free_count; /* at most WS_POOL_KEEP are kept */
    size_t held;         /* bytes of memory for unfinished messages, of all inputs */
};
#define WS_POOL_KEEP 64

struct ws_input {
    struct ws_parser *parser;
};

void ws_pool_init(struct ws_pool *pool, size_t max_message, unsigned max_fragments);
/* Every input that used it must be deinited before. */
void ws_pool_deinit(struct ws_pool *pool);

/* Gives a parser back, even in the middle of a message. The input may be zeroed. */
void ws_input_deinit(struct ws_input *in, struct ws_pool *pool);

/* The memory that an unfinished message, or frame, takes. */
size_t ws_input_held(const struct ws_input *in);

/*
 * Takes the next bytes from the peer; calls the handler for each message and control frame
 * in order, also for those before an error. Checks: masked (else 1002), reserved bits and
 * opcodes (1002), fragment order (1002), control frames (1002), lengths' form (1002), text
 * UTF-8 as it arrives (1007), size (1009, known at the first payload byte), close bodies:
 * length 1, codes outside 1000-1003, 1007-1014, 3000-4999 (1002), reason UTF-8 (1007).
 * A compressed message is kept as it comes, and inflated when all of it is there. The limit of
 * size is for both of its lengths; what cannot be inflated is 1007. *code is set for WS_CLOSED
 * (the peer's code, or WS_CODE_NO_STATUS for an empty close) and WS_FAILED. Memory running out
 * is WS_FAILED with WS_CODE_INTERNAL. After anything but WS_OK the input is deinited and must
 * not be fed again.
 */
enum ws_result ws_feed(struct ws_input *in, struct ws_pool *pool,
                       const struct ws_handler *handler, void *arg, const char *bytes,
                       size_t len, uint16_t *code);

/* The longest header a server's frame has (unmasked). */
#define WS_HEADER_MAX 10

/* The bit of a header's first byte that says that a message is compressed. */
#define WS_COMPRESSED 0x40U

/* Writes the header of an unfragmented, unmasked frame; returns its length: 2, 4 or 10. */
size_t ws_header(uint8_t out[WS_HEADER_MAX], enum ws_opcode opcode, uint64_t payload_len);

/*
 * Writes a whole close frame (code WS_CODE_NO_STATUS: an empty body) and returns its length.
 * reason: valid UTF-8, at most 123 bytes.
 */
#define WS_CLOSE_MAX 127
size_t ws_close_frame(uint8_t out[WS_CLOSE_MAX], uint16_t code, const char *reason);

/* Sec-WebSocket-Accept for a key (RFC 6455, 4.2.2): 28 characters and a NUL. */
#define WS_ACCEPT_SIZE 29
void ws_accept(char out[WS_ACCEPT_SIZE], struct slice key);
/* True if the key is base64 of 16 bytes. */
bool ws_key_valid(struct slice key);

#endif
