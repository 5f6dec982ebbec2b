#ifndef SLUICE_UNIT_WS_SESSION_H
#define SLUICE_UNIT_WS_SESSION_H

#include "common/buf.h"
#include "common/ws.h"

/*
 * A peer that sends frames, and the parser that reads them, for the tests of common/ws.c. The
 * parser's callbacks are written down as text: T(text), B(binary), P(ping), Q(pong), then how
 * it ended.
 */

enum { FIN = 0x80, MAX_MESSAGE = 200000, MAX_FRAGMENTS = 8 };

struct ws_session {
    struct ws_pool pool;
    struct ws_input input;
    struct buf trace;
    int stop_at; /* the call of the handler that returns false; -1: none */
    struct ws_deflate deflate;
    bool may_compress; /* the peer has agreed to it */
};

/* ---- The peer's frames, masked, appended to a buffer */

/* The length of a frame in `bytes` bytes (0: in the second byte of the header). */
void ws_put_length(struct buf *b, uint64_t len, unsigned bytes, unsigned mask_bit);
void ws_put_masked(struct buf *b, struct slice payload);

/* first: the first byte of the header, FIN and the opcode. */
void ws_put_frame(struct buf *b, unsigned first, struct slice payload);
void ws_put_text(struct buf *b, unsigned first, const char *payload);
void ws_put_close(struct buf *b, unsigned code, const char *reason);

/* A buffer with one frame; the caller frees it. */
struct buf ws_one_frame(unsigned first, struct slice payload);

/* ---- The results */

extern const struct ws_handler ws_session_handler; /* its argument is a struct ws_session */

/* Appends a payload as the trace shows it: itself, or the length and a sum of a long one. */
void ws_trace_payload(struct buf *b, char kind, struct slice payload);

void ws_session_init(struct ws_session *s);

/* Fails if a parser is left. */
void ws_session_deinit(struct ws_session *s);

/* Feeds from memory of exact size. */
enum ws_result ws_session_feed(struct ws_session *s, const char *bytes, size_t len,
                               uint16_t *code);

/* Feeds a first piece, then pieces of `step` bytes each; the trace gets the end, too. */
void ws_session_feed_pieces(struct ws_session *s, struct slice bytes, size_t first,
                            size_t step);

/* ---- Frames and results. Each function frees the bytes, unless it says otherwise. */

/* Feeds them whole, split at every byte, and byte by byte: each time this trace must come. */
void ws_check(struct buf *b, const char *expected);

/* As ws_check, with sessions that are copies of this one. */
void ws_check_with(const struct ws_session *limits, struct buf *b, const char *expected);

/* As ws_check_with, once: a first piece, then pieces of `step` bytes each. The caller frees. */
void ws_check_pieces(const struct ws_session *limits, struct slice bytes, const char *expected,
                     size_t first, size_t step);

/* Feeds byte by byte: it must fail at this byte, with this close code. */
void ws_check_fails_at(struct buf *b, size_t at, uint16_t expected);

#endif
