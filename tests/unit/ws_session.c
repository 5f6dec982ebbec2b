#include "tests/unit/ws_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

void ws_put_length(struct buf *b, uint64_t len, unsigned bytes, unsigned mask_bit) {
    if (bytes == 0)
        buf_char(b, (char)(mask_bit | len));
    else
        buf_char(b, (char)(mask_bit | (bytes == 2 ? 126U : 127U)));
    for (unsigned i = bytes; i > 0; i--)
        buf_char(b, (char)(len >> (8 * (i - 1)) & 0xff));
}

static unsigned length_bytes(size_t len) {
    return len <= 125 ? 0 : len <= 65535 ? 2 : 8;
}

void ws_put_masked(struct buf *b, struct slice payload) {
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    buf_append(b, mask, 4);
    for (size_t i = 0; i < payload.len; i++)
        buf_char(b, (char)((unsigned char)payload.ptr[i] ^ mask[i % 4]));
}

void ws_put_frame(struct buf *b, unsigned first, struct slice payload) {
    buf_char(b, (char)first);
    ws_put_length(b, payload.len, length_bytes(payload.len), 0x80);
    ws_put_masked(b, payload);
}

void ws_put_text(struct buf *b, unsigned first, const char *payload) {
    ws_put_frame(b, first, slice_of(payload));
}

void ws_put_close(struct buf *b, unsigned code, const char *reason) {
    struct buf body = {0};
    buf_char(&body, (char)(code >> 8));
    buf_char(&body, (char)(code & 0xff));
    buf_str(&body, reason);
    ws_put_frame(b, FIN | WS_CLOSE, buf_bytes(&body));
    buf_deinit(&body);
}

void ws_trace_payload(struct buf *b, char kind, struct slice payload) {
    buf_char(b, kind);
    if (payload.len <= 64) {
        buf_char(b, '(');
        buf_slice(b, payload);
        buf_str(b, ") ");
        return;
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < payload.len; i++)
        sum = sum * 31 + (unsigned char)payload.ptr[i];
    buf_printf(b, "#%zu:%llx ", payload.len, (unsigned long long)sum);
}

static bool on_message(void *arg, enum ws_opcode opcode, struct slice payload) {
    struct ws_session *s = arg;
    assert_true(opcode == WS_TEXT || opcode == WS_BINARY);
    ws_trace_payload(&s->trace, opcode == WS_TEXT ? 'T' : 'B', payload);
    return s->stop_at-- != 0;
}

static bool on_control(void *arg, enum ws_opcode opcode, struct slice payload) {
    struct ws_session *s = arg;
    assert_true(opcode == WS_PING || opcode == WS_PONG);
    ws_trace_payload(&s->trace, opcode == WS_PING ? 'P' : 'Q', payload);
    return s->stop_at-- != 0;
}

const struct ws_handler ws_session_handler = {on_message, on_control, NULL, NULL};

static void on_inflated(void *arg, size_t packed, size_t plain) {
    struct ws_session *s = arg;
    buf_printf(&s->trace, "%zu>%zu:", packed, plain);
}

static const struct ws_handler packed_handler = {on_message, on_control, NULL, on_inflated};

void ws_session_init(struct ws_session *s) {
    *s = (struct ws_session){.stop_at = -1};
    ws_pool_init(&s->pool, MAX_MESSAGE, MAX_FRAGMENTS);
}

void ws_session_deinit(struct ws_session *s) {
    ws_input_deinit(&s->input, &s->pool);
    assert_null(s->input.parser);
    ws_pool_deinit(&s->pool);
    ws_deflate_deinit(&s->deflate);
    buf_deinit(&s->trace);
}

/* Feeds from memory of exact size. */
enum ws_result ws_session_feed(struct ws_session *s, const char *bytes, size_t len,
                               uint16_t *code) {
    char *copy = malloc(len == 0 ? 1 : len);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    const struct ws_handler *handler = s->may_compress ? &packed_handler : &ws_session_handler;
    s->pool.deflate = &s->deflate; /* s may be a copy */
    enum ws_result result = ws_feed(&s->input, &s->pool, handler, s, copy, len, code);
    free(copy);
    if (result != WS_OK)
        assert_null(s->input.parser);
    return result;
}

static void trace_result(struct ws_session *s, enum ws_result result, uint16_t code) {
    static const char *const names[] = {"ok", "closed", "failed", "stopped"};
    buf_str(&s->trace, names[result]);
    if (result == WS_CLOSED || result == WS_FAILED)
        buf_printf(&s->trace, " %u", code);
    else
        assert_int_equal(code, 4242);
    if (s->input.parser != NULL)
        buf_str(&s->trace, " partial");
}

/* A first piece, then pieces of `step` bytes each. */
void ws_session_feed_pieces(struct ws_session *s, struct slice bytes, size_t first,
                            size_t step) {
    enum ws_result result = WS_OK;
    uint16_t code = 4242;
    size_t n = first;
    for (size_t at = 0; at < bytes.len && result == WS_OK; at += n, n = step) {
        if (n > bytes.len - at)
            n = bytes.len - at;
        result = ws_session_feed(s, bytes.ptr + at, n, &code);
    }
    trace_result(s, result, code);
}

void ws_check_pieces(const struct ws_session *limits, struct slice bytes, const char *expected,
                     size_t first, size_t step) {
    struct ws_session s = *limits;
    ws_session_feed_pieces(&s, bytes, first, step);
    if (!slice_is(buf_bytes(&s.trace), expected))
        fail_msg("pieces %zu, %zu: %.*s is not %s", first, step, (int)s.trace.len, s.trace.data,
                 expected);
    ws_session_deinit(&s);
}

/* Whole, split at every byte, byte by byte. Frees the bytes. */
void ws_check_with(const struct ws_session *limits, struct buf *b, const char *expected) {
    struct slice bytes = buf_bytes(b);
    assert_false(b->failed);
    ws_check_pieces(limits, bytes, expected, bytes.len, bytes.len);
    ws_check_pieces(limits, bytes, expected, 1, 1);
    ws_check_pieces(limits, bytes, expected, 3, 7);
    size_t stride = bytes.len < 3000 ? 1 : bytes.len / 211;
    for (size_t cut = 1; cut < bytes.len; cut += cut < 32 ? 1 : stride)
        ws_check_pieces(limits, bytes, expected, cut, bytes.len);
    buf_deinit(b);
}

void ws_check(struct buf *b, const char *expected) {
    struct ws_session limits;
    ws_session_init(&limits);
    ws_check_with(&limits, b, expected);
}

/* Feeds byte by byte and expects the failure at one byte exactly. Frees the bytes. */
void ws_check_fails_at(struct buf *b, size_t at, uint16_t expected) {
    struct ws_session s;
    ws_session_init(&s);
    for (size_t i = 0; i <= at; i++) {
        uint16_t code = 0;
        enum ws_result result = ws_session_feed(&s, b->data + i, 1, &code);
        if (result != (i < at ? WS_OK : WS_FAILED))
            fail_msg("result %d at byte %zu, not at %zu", (int)result, i, at);
        assert_int_equal(code, i < at ? 0 : expected);
    }
    ws_session_deinit(&s);
    buf_deinit(b);
}

struct buf ws_one_frame(unsigned first, struct slice payload) {
    struct buf b;
    buf_init(&b);
    ws_put_frame(&b, first, payload);
    return b;
}
