#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/ws.h"

enum { FIN = 0x80, MAX_MESSAGE = 200000, MAX_FRAGMENTS = 8 };

/* What a peer sends. */

static void put_length(struct buf *b, uint64_t len, unsigned bytes, unsigned mask_bit) {
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

static void put_masked(struct buf *b, struct slice payload) {
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    buf_append(b, mask, 4);
    for (size_t i = 0; i < payload.len; i++)
        buf_char(b, (char)((unsigned char)payload.ptr[i] ^ mask[i % 4]));
}

static void put_frame(struct buf *b, unsigned first, struct slice payload) {
    buf_char(b, (char)first);
    put_length(b, payload.len, length_bytes(payload.len), 0x80);
    put_masked(b, payload);
}

static void put_text(struct buf *b, unsigned first, const char *payload) {
    put_frame(b, first, slice_of(payload));
}

/* What comes out, as text. */

struct session {
    struct ws_pool pool;
    struct ws_input input;
    struct buf trace;
    int stop_at; /* the handler's call that stops; -1: none */
};

static void trace_payload(struct buf *b, char kind, struct slice payload) {
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
    struct session *s = arg;
    assert_true(opcode == WS_TEXT || opcode == WS_BINARY);
    trace_payload(&s->trace, opcode == WS_TEXT ? 'T' : 'B', payload);
    return s->stop_at-- != 0;
}

static bool on_control(void *arg, enum ws_opcode opcode, struct slice payload) {
    struct session *s = arg;
    assert_true(opcode == WS_PING || opcode == WS_PONG);
    trace_payload(&s->trace, opcode == WS_PING ? 'P' : 'Q', payload);
    return s->stop_at-- != 0;
}

static const struct ws_handler handler = {on_message, on_control, NULL};

static void session_init(struct session *s) {
    *s = (struct session){.stop_at = -1};
    ws_pool_init(&s->pool, MAX_MESSAGE, MAX_FRAGMENTS);
}

static void session_deinit(struct session *s) {
    ws_input_deinit(&s->input, &s->pool);
    assert_null(s->input.parser);
    ws_pool_deinit(&s->pool);
    buf_deinit(&s->trace);
}

/* Feeds from memory of exact size. */
static enum ws_result feed(struct session *s, const char *bytes, size_t len, uint16_t *code) {
    char *copy = malloc(len == 0 ? 1 : len);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    enum ws_result result = ws_feed(&s->input, &s->pool, &handler, s, copy, len, code);
    free(copy);
    if (result != WS_OK)
        assert_null(s->input.parser);
    return result;
}

static void trace_result(struct session *s, enum ws_result result, uint16_t code) {
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
static void feed_pieces(struct session *s, struct slice bytes, size_t first, size_t step) {
    enum ws_result result = WS_OK;
    uint16_t code = 4242;
    size_t n = first;
    for (size_t at = 0; at < bytes.len && result == WS_OK; at += n, n = step) {
        if (n > bytes.len - at)
            n = bytes.len - at;
        result = feed(s, bytes.ptr + at, n, &code);
    }
    trace_result(s, result, code);
}

static void check_pieces(const struct session *limits, struct slice bytes, const char *expected,
                         size_t first, size_t step) {
    struct session s = *limits;
    feed_pieces(&s, bytes, first, step);
    if (!slice_is(buf_bytes(&s.trace), expected))
        fail_msg("pieces %zu, %zu: %.*s is not %s", first, step, (int)s.trace.len, s.trace.data,
                 expected);
    session_deinit(&s);
}

/* Whole, split at every byte, byte by byte. Frees the bytes. */
static void check_with(const struct session *limits, struct buf *b, const char *expected) {
    struct slice bytes = buf_bytes(b);
    assert_false(b->failed);
    check_pieces(limits, bytes, expected, bytes.len, bytes.len);
    check_pieces(limits, bytes, expected, 1, 1);
    check_pieces(limits, bytes, expected, 3, 7);
    size_t stride = bytes.len < 3000 ? 1 : bytes.len / 211;
    for (size_t cut = 1; cut < bytes.len; cut += cut < 32 ? 1 : stride)
        check_pieces(limits, bytes, expected, cut, bytes.len);
    buf_deinit(b);
}

static void check(struct buf *b, const char *expected) {
    struct session limits;
    session_init(&limits);
    check_with(&limits, b, expected);
}

/* Feeds byte by byte and expects the failure at one byte exactly. Frees the bytes. */
static void check_fails_at(struct buf *b, size_t at, uint16_t expected) {
    struct session s;
    session_init(&s);
    for (size_t i = 0; i <= at; i++) {
        uint16_t code = 0;
        enum ws_result result = feed(&s, b->data + i, 1, &code);
        if (result != (i < at ? WS_OK : WS_FAILED))
            fail_msg("result %d at byte %zu, not at %zu", (int)result, i, at);
        assert_int_equal(code, i < at ? 0 : expected);
    }
    session_deinit(&s);
    buf_deinit(b);
}

static struct buf one(unsigned first, struct slice payload) {
    struct buf b;
    buf_init(&b);
    put_frame(&b, first, payload);
    return b;
}

static void reads_messages(void **state) {
    (void)state;
    struct buf b = {0};
    put_text(&b, FIN | WS_TEXT, "hello");
    put_text(&b, FIN | WS_TEXT, "");
    put_text(&b, FIN | WS_BINARY, "raw");
    put_text(&b, FIN | WS_BINARY, "");
    put_text(&b, FIN | WS_TEXT, "\xc3\xa9\xf0\x9f\x98\x80");
    check(&b, "T(hello) T() B(raw) B() T(\xc3\xa9\xf0\x9f\x98\x80) ok");
}

static void nothing_is_no_message(void **state) {
    (void)state;
    struct session s;
    session_init(&s);
    uint16_t code = 4242;
    assert_int_equal(ws_feed(&s.input, &s.pool, &handler, &s, NULL, 0, &code), WS_OK);
    assert_null(s.input.parser);
    session_deinit(&s);
}

/* Around each length form, and around the size of a chunk. */
static void reads_each_length(void **state) {
    (void)state;
    static const size_t lengths[] = {1,    124,  125,  126,  127,   4087,  4088,  4089,  4090,
                                     4095, 4096, 4097, 8192, 65535, 65536, 65537, 100000};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct buf payload = {0};
        struct buf expected = {0};
        for (size_t k = 0; k < lengths[i]; k++)
            buf_char(&payload, (char)('a' + k % 23));
        struct buf b = one(FIN | WS_TEXT, buf_bytes(&payload));
        put_frame(&b, FIN | WS_BINARY, buf_bytes(&payload));
        trace_payload(&expected, 'T', buf_bytes(&payload));
        trace_payload(&expected, 'B', buf_bytes(&payload));
        buf_append(&expected, "ok", 3);
        check(&b, expected.data);
        buf_deinit(&payload);
        buf_deinit(&expected);
    }
}

static void joins_fragments(void **state) {
    (void)state;
    struct buf b = {0};
    put_text(&b, WS_TEXT, "one ");
    put_text(&b, WS_CONTINUATION, "two ");
    put_text(&b, FIN | WS_CONTINUATION, "three");
    put_text(&b, WS_BINARY, "");
    put_text(&b, FIN | WS_CONTINUATION, "");
    put_text(&b, WS_BINARY, "");
    put_text(&b, FIN | WS_CONTINUATION, "late");
    put_text(&b, WS_TEXT, "early");
    put_text(&b, FIN | WS_CONTINUATION, "");
    check(&b, "T(one two three) B() B(late) T(early) ok");
}

static void joins_characters_cut_by_fragments(void **state) {
    (void)state;
    struct buf b = {0};
    put_text(&b, WS_TEXT, "\xf0\x9f");
    put_text(&b, WS_CONTINUATION, "");
    put_text(&b, WS_CONTINUATION, "\x98");
    put_text(&b, FIN | WS_CONTINUATION, "\x80");
    check(&b, "T(\xf0\x9f\x98\x80) ok");
}

static void control_frames_come_between_fragments(void **state) {
    (void)state;
    struct buf b = {0};
    put_text(&b, FIN | WS_PING, "1");
    put_text(&b, WS_TEXT, "a\xc3");
    put_text(&b, FIN | WS_PING, "2\xff");
    put_text(&b, WS_CONTINUATION, "\xa9");
    put_text(&b, FIN | WS_PONG, "");
    put_text(&b, FIN | WS_PING, "");
    put_text(&b, FIN | WS_CONTINUATION, "b");
    put_text(&b, FIN | WS_PONG, "3");
    check(&b, "P(1) P(2\xff) Q() P() T(a\xc3\xa9"
              "b) Q(3) ok");
}

static void reads_the_longest_control_frame(void **state) {
    (void)state;
    char payload[125];
    memset(payload, 'p', sizeof payload);
    struct buf expected = {0};
    trace_payload(&expected, 'P', (struct slice){payload, 125});
    buf_append(&expected, "ok", 3);
    struct buf b = one(FIN | WS_PING, (struct slice){payload, 125});
    check(&b, expected.data);
    buf_deinit(&expected);
}

static void is_partial_until_the_last_byte(void **state) {
    (void)state;
    struct buf b = {0};
    put_text(&b, FIN | WS_TEXT, "abc");
    put_text(&b, FIN | WS_PING, "");
    put_text(&b, WS_BINARY, "x");
    put_text(&b, FIN | WS_CONTINUATION, "");
    static const size_t ends[] = {9, 15, 28};
    for (size_t len = 1; len <= b.len; len++) {
        struct session s;
        session_init(&s);
        uint16_t code = 0;
        assert_int_equal(feed(&s, b.data, len, &code), WS_OK);
        bool at_end = len == ends[0] || len == ends[1] || len == ends[2];
        assert_int_equal(s.input.parser == NULL, at_end);
        assert_int_equal(s.pool.free_count, at_end ? 1 : 0);
        session_deinit(&s);
    }
    buf_deinit(&b);
}

static void unmasked_frames_fail(void **state) {
    (void)state;
    static const unsigned opcodes[] = {WS_TEXT, WS_BINARY, WS_PING, WS_PONG, WS_CLOSE};
    for (size_t i = 0; i < sizeof opcodes / sizeof opcodes[0]; i++) {
        struct buf b = {0};
        put_text(&b, FIN | WS_TEXT, "ok");
        buf_char(&b, (char)(FIN | opcodes[i]));
        buf_char(&b, i % 2 == 0 ? 2 : 0);
        if (i % 2 == 0)
            buf_str(&b, "hi");
        check(&b, "T(ok) failed 1002");
    }
}

static void reserved_bits_fail(void **state) {
    (void)state;
    for (unsigned rsv = 1; rsv < 8; rsv++) {
        struct buf b = one(FIN | rsv << 4 | WS_TEXT, SLICE("x"));
        check(&b, "failed 1002");
        b = one(FIN | rsv << 4 | WS_PING, SLICE(""));
        check(&b, "failed 1002");
    }
}

static void reserved_opcodes_fail(void **state) {
    (void)state;
    for (unsigned opcode = 0; opcode < 16; opcode++) {
        bool known = opcode <= WS_BINARY || (opcode >= WS_CLOSE && opcode <= WS_PONG);
        if (known)
            continue;
        struct buf b = one(FIN | opcode, SLICE(""));
        check(&b, "failed 1002");
        b = one(FIN | opcode, SLICE("abc"));
        check(&b, "failed 1002");
        b = one(opcode, SLICE("abc"));
        check(&b, "failed 1002");
    }
}

static void fragments_out_of_order_fail(void **state) {
    (void)state;
    struct buf b = {0};
    put_text(&b, FIN | WS_CONTINUATION, "x");
    check(&b, "failed 1002");
    put_text(&b, WS_CONTINUATION, "");
    check(&b, "failed 1002");
    put_text(&b, WS_TEXT, "a");
    put_text(&b, FIN | WS_TEXT, "b");
    check(&b, "failed 1002");
    put_text(&b, WS_TEXT, "");
    put_text(&b, WS_BINARY, "");
    check(&b, "failed 1002");
    put_text(&b, WS_TEXT, "a");
    put_text(&b, FIN | WS_CONTINUATION, "b");
    put_text(&b, FIN | WS_CONTINUATION, "c");
    check(&b, "T(ab) failed 1002");
}

static void bad_control_frames_fail(void **state) {
    (void)state;
    static const unsigned opcodes[] = {WS_PING, WS_PONG, WS_CLOSE};
    char payload[126];
    memset(payload, 'x', sizeof payload);
    for (size_t i = 0; i < 3; i++) {
        struct buf b = one(opcodes[i], SLICE("")); /* fragmented */
        check(&b, "failed 1002");
        b = one(opcodes[i], SLICE("\x03\xe8"));
        check(&b, "failed 1002");
        b = one(FIN | opcodes[i], (struct slice){payload, 126});
        check(&b, "failed 1002");
    }
}

static void put_odd_length(struct buf *b, uint64_t len, unsigned bytes) {
    buf_char(b, (char)(FIN | WS_BINARY));
    put_length(b, len, bytes, 0x80);
    put_masked(b, SLICE("some payload"));
}

static void lengths_in_a_longer_form_than_needed_fail(void **state) {
    (void)state;
    static const struct {
        uint64_t len;
        unsigned bytes;
    } odd[] = {{0, 2},         {12, 2},    {125, 2},
               {0, 8},         {12, 8},    {125, 8},
               {126, 8},       {65535, 8}, {UINT64_C(1) << 63, 8},
               {UINT64_MAX, 8}};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct buf b = {0};
        put_odd_length(&b, odd[i].len, odd[i].bytes);
        check(&b, "failed 1002");
    }
}

static void huge_lengths_are_too_big(void **state) {
    (void)state;
    struct buf b = {0};
    put_odd_length(&b, INT64_MAX, 8);
    check(&b, "failed 1009");
    put_text(&b, WS_TEXT, "1");
    buf_append(&b, "\x80\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 10);
    put_masked(&b, SLICE("x"));
    check(&b, "failed 1009");
}

static void invalid_text_fails(void **state) {
    (void)state;
    static const char *const bad[] = {"\x80",         "ab\xff",           "\xc0\x80",
                                      "\xed\xa0\x80", "\xf4\x90\x80\x80", "12345678\xc3(",
                                      "abc\xc3",      "\xf0\x9f\x98"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf b = {0};
        put_text(&b, FIN | WS_TEXT, bad[i]);
        check(&b, "failed 1007");
        put_text(&b, WS_TEXT, bad[i]);
        put_text(&b, FIN | WS_CONTINUATION, "");
        check(&b, "failed 1007");
        put_text(&b, WS_TEXT, "good");
        put_text(&b, FIN | WS_CONTINUATION, bad[i]);
        check(&b, "failed 1007");
        put_text(&b, FIN | WS_BINARY, "x");
        put_text(&b, FIN | WS_BINARY, bad[i]);
        buf_char(&b, (char)(FIN | WS_TEXT));
        struct buf expected = {0};
        buf_printf(&expected, "B(x) B(%s) ok partial", bad[i]);
        buf_char(&expected, '\0');
        check(&b, expected.data);
        buf_deinit(&expected);
    }
}

static void invalid_text_fails_at_once(void **state) {
    (void)state;
    struct buf b = one(FIN | WS_TEXT, SLICE("ok\xff and much more to come"));
    check_fails_at(&b, 6 + 2, WS_CODE_INVALID_UTF8);
    b = one(WS_TEXT, SLICE("ok\xed\xa0\x80"));
    check_fails_at(&b, 6 + 3, WS_CODE_INVALID_UTF8);
    b = one(WS_TEXT, SLICE("\xf4"));
    put_text(&b, WS_CONTINUATION, "\x90 more");
    check_fails_at(&b, 7 + 6, WS_CODE_INVALID_UTF8);
    b = one(FIN | WS_TEXT, SLICE("a\xc3"));
    check_fails_at(&b, 6 + 1, WS_CODE_INVALID_UTF8);
}

static void size_is_inclusive(void **state) {
    (void)state;
    struct session limits;
    session_init(&limits);
    limits.pool.max_message = 10;
    struct buf b = one(FIN | WS_TEXT, SLICE("0123456789"));
    check_with(&limits, &b, "T(0123456789) ok");
    b = one(FIN | WS_TEXT, SLICE("0123456789a"));
    check_with(&limits, &b, "failed 1009");
    put_text(&b, WS_TEXT, "01234");
    put_text(&b, WS_CONTINUATION, "56789");
    put_text(&b, FIN | WS_CONTINUATION, "");
    put_text(&b, FIN | WS_BINARY, "0123456789");
    check_with(&limits, &b, "T(0123456789) B(0123456789) ok");
    put_text(&b, WS_TEXT, "01234");
    put_text(&b, FIN | WS_PING, "a ping does not count");
    put_text(&b, FIN | WS_CONTINUATION, "56789a");
    check_with(&limits, &b, "P(a ping does not count) failed 1009");
    limits.pool.max_message = 0;
    b = one(FIN | WS_BINARY, SLICE(""));
    check_with(&limits, &b, "B() ok");
    b = one(FIN | WS_BINARY, SLICE("x"));
    check_with(&limits, &b, "failed 1009");
}

static void a_large_message_is_inclusive_too(void **state) {
    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        struct session limits;
        session_init(&limits);
        struct buf payload = {0};
        struct buf expected = {0};
        for (size_t i = 0; i < MAX_MESSAGE; i++)
            buf_char(&payload, (char)('a' + i % 19));
        trace_payload(&expected, 'T', buf_bytes(&payload));
        buf_append(&expected, "ok", 3);
        struct buf b = one(WS_TEXT, (struct slice){payload.data, 70001});
        put_frame(&b, WS_CONTINUATION, (struct slice){payload.data + 70001, 99999});
        put_frame(&b, FIN | WS_CONTINUATION, (struct slice){payload.data + 170000, 30000});
        if (extra == 1) {
            buf_clear(&b);
            buf_char(&payload, 'x');
            put_frame(&b, WS_TEXT, (struct slice){payload.data, 170000});
            put_frame(&b, FIN | WS_CONTINUATION, (struct slice){payload.data + 170000, 30001});
        }
        check_pieces(&limits, buf_bytes(&b), extra == 0 ? expected.data : "failed 1009", 5000,
                     16384);
        check(&b, extra == 0 ? expected.data : "failed 1009");
        buf_deinit(&payload);
        buf_deinit(&expected);
    }
}

static void size_fails_at_the_first_payload_byte(void **state) {
    (void)state;
    struct buf payload = {0};
    assert_true(buf_reserve(&payload, MAX_MESSAGE + 1));
    memset(payload.data, 'x', MAX_MESSAGE + 1);
    struct buf b = one(FIN | WS_TEXT, (struct slice){payload.data, MAX_MESSAGE + 1});
    check_fails_at(&b, 14, WS_CODE_TOO_BIG);
    b = one(WS_TEXT, SLICE("x"));
    put_frame(&b, FIN | WS_CONTINUATION, (struct slice){payload.data, MAX_MESSAGE});
    check_fails_at(&b, 7 + 14, WS_CODE_TOO_BIG);
    buf_deinit(&payload);
}

static void fragments_are_counted(void **state) {
    (void)state;
    for (size_t len = 0; len < 2; len++) {
        struct slice piece = {"x", len};
        struct buf b = {0};
        for (int round = 0; round < 2; round++) {
            put_frame(&b, WS_TEXT, piece);
            for (int i = 2; i < MAX_FRAGMENTS; i++) {
                put_frame(&b, WS_CONTINUATION, piece);
                put_text(&b, FIN | WS_PONG, "");
            }
            put_frame(&b, FIN | WS_CONTINUATION, piece);
        }
        check(&b, len == 0 ? "Q() Q() Q() Q() Q() Q() T() Q() Q() Q() Q() Q() Q() T() ok"
                           : "Q() Q() Q() Q() Q() Q() T(xxxxxxxx) "
                             "Q() Q() Q() Q() Q() Q() T(xxxxxxxx) ok");
        put_frame(&b, WS_BINARY, piece);
        for (int i = 1; i < MAX_FRAGMENTS; i++)
            put_frame(&b, WS_CONTINUATION, piece);
        put_frame(&b, FIN | WS_CONTINUATION, piece);
        check(&b, "failed 1008");
    }
}

static void put_close(struct buf *b, unsigned code, const char *reason) {
    struct buf body = {0};
    buf_char(&body, (char)(code >> 8));
    buf_char(&body, (char)(code & 0xff));
    buf_str(&body, reason);
    put_frame(b, FIN | WS_CLOSE, buf_bytes(&body));
    buf_deinit(&body);
}

static void closes(void **state) {
    (void)state;
    struct buf b = {0};
    put_text(&b, FIN | WS_TEXT, "last");
    put_text(&b, FIN | WS_CLOSE, "");
    put_text(&b, FIN | WS_TEXT, "not seen");
    check(&b, "T(last) closed 1005");
    put_text(&b, WS_TEXT, "half");
    put_close(&b, 1001, "going \xc3\xa9");
    buf_str(&b, "rubbish");
    check(&b, "closed 1001");
    struct buf reason = {0};
    buf_printf(&reason, "%0123d", 0);
    buf_char(&reason, '\0');
    put_close(&b, 4999, reason.data);
    check(&b, "closed 4999");
    buf_deinit(&reason);
}

static bool may_be_sent(unsigned code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static void judges_each_close_code(void **state) {
    (void)state;
    for (unsigned code = 0; code <= 0xffff; code += code < 5100 ? 1 : 997) {
        struct session s;
        session_init(&s);
        struct buf b = {0};
        put_close(&b, code, "");
        uint16_t got = 0;
        enum ws_result result = feed(&s, b.data, b.len, &got);
        assert_int_equal(result, may_be_sent(code) ? WS_CLOSED : WS_FAILED);
        assert_int_equal(got, may_be_sent(code) ? code : WS_CODE_PROTOCOL);
        buf_deinit(&b);
        session_deinit(&s);
    }
}

static void bad_close_bodies_fail(void **state) {
    (void)state;
    struct buf b = one(FIN | WS_CLOSE, SLICE("\x03"));
    check(&b, "failed 1002");
    put_text(&b, FIN | WS_PING, "\x03\xe8"); /* must not complete the code */
    put_text(&b, FIN | WS_CLOSE, "\x03");
    check(&b, "P(\x03\xe8) failed 1002");
    put_close(&b, 1000, "\xff");
    check(&b, "failed 1007");
    put_close(&b, 1000, "cut \xe2\x82");
    check(&b, "failed 1007");
    put_close(&b, 1005, "");
    check(&b, "failed 1002");
    put_close(&b, 1006, "\xff");
    check(&b, "failed 1002");
    put_text(&b, FIN | WS_TEXT, "before");
    put_close(&b, 999, "");
    check(&b, "T(before) failed 1002");
}

static void a_handler_stops(void **state) {
    (void)state;
    static const char *const expected[] = {"T(a) stopped", "T(a) P(b) stopped",
                                           "T(a) P(b) T(cd) stopped",
                                           "T(a) P(b) T(cd) B(e) ok"};
    for (int i = 0; i < 4; i++) {
        struct session limits;
        session_init(&limits);
        limits.stop_at = i;
        struct buf b = {0};
        put_text(&b, FIN | WS_TEXT, "a");
        put_text(&b, FIN | WS_PING, "b");
        put_text(&b, WS_TEXT, "c");
        put_text(&b, FIN | WS_CONTINUATION, "d");
        put_text(&b, FIN | WS_BINARY, "e");
        limits.stop_at = i == 3 ? -1 : i;
        check_with(&limits, &b, expected[i]);
    }
}

/* After an error in the middle of a frame the parser cannot be used again; after one at the
 * end of a frame it can. Both times the next connection reads as if nothing had been. */
static void parsers_do_not_remember(void **state) {
    (void)state;
    struct session s;
    session_init(&s);
    struct buf bad = {0};
    put_text(&bad, WS_TEXT, "left over \xc3");
    put_text(&bad, FIN | WS_PING, "left over");
    put_close(&bad, 999, "");
    struct buf good = {0};
    put_text(&good, FIN | WS_TEXT, "clean");
    for (size_t len = 1; len <= bad.len; len++) {
        uint16_t code = 4242;
        enum ws_result result = feed(&s, bad.data, len, &code);
        assert_int_equal(result, len == bad.len ? WS_FAILED : WS_OK);
        ws_input_deinit(&s.input, &s.pool);
        assert_true(s.pool.free_count <= 1);
        buf_clear(&s.trace);
        feed_pieces(&s, buf_bytes(&good), good.len, 0);
        assert_true(slice_is(buf_bytes(&s.trace), "T(clean) ok"));
        assert_int_equal(s.pool.free_count, 1);
    }
    buf_deinit(&bad);
    buf_deinit(&good);
    session_deinit(&s);
}

static void the_pool_keeps_a_limited_number(void **state) {
    (void)state;
    enum { N = WS_POOL_KEEP + 6 };
    struct session s;
    session_init(&s);
    struct ws_input inputs[N] = {{0}};
    struct buf b = one(FIN | WS_TEXT, SLICE("x"));
    uint16_t code = 0;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < N; i++)
            assert_int_equal(ws_feed(&inputs[i], &s.pool, &handler, &s, b.data, 3, &code),
                             WS_OK);
        assert_int_equal(s.pool.free_count, 0);
        for (size_t i = 0; i < N; i++) {
            assert_non_null(inputs[i].parser);
            assert_int_equal(
                ws_feed(&inputs[i], &s.pool, &handler, &s, b.data + 3, b.len - 3, &code),
                WS_OK);
            assert_null(inputs[i].parser);
        }
        assert_int_equal(s.pool.free_count, WS_POOL_KEEP);
    }
    buf_deinit(&b);
    session_deinit(&s);
    assert_int_equal(s.pool.free_count, 0);
}

/* Sessions made up by chance, with what must come of them. */

static uint64_t random_state;

static unsigned random_below(unsigned n) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)((random_state >> 11) % n);
}

static size_t random_length(void) {
    static const unsigned limits[] = {1, 10, 130, 5000, 70000};
    return random_below(limits[random_below(5)]);
}

static void make_message(struct buf *b, struct buf *expected) {
    struct buf payload = {0};
    unsigned fragments = 1 + random_below(3) * random_below(3);
    unsigned opcode = random_below(2) == 0 ? WS_TEXT : WS_BINARY;
    for (unsigned i = 0; i < fragments; i++) {
        size_t start = payload.len;
        size_t len = random_length() / 3;
        for (size_t k = 0; k < len; k++)
            buf_str(&payload, random_below(9) == 0 ? "\xe2\x82\xac" : "z");
        unsigned fin = i + 1 == fragments ? FIN : 0;
        put_frame(
            b, fin | (i == 0 ? opcode : WS_CONTINUATION),
            (struct slice){payload.len == 0 ? "" : payload.data + start, payload.len - start});
        if (fin == 0 && random_below(2) == 0) {
            put_text(b, FIN | WS_PING, "ping");
            buf_str(expected, "P(ping) ");
        }
    }
    trace_payload(expected, opcode == WS_TEXT ? 'T' : 'B', buf_bytes(&payload));
    buf_deinit(&payload);
}

static void reads_what_was_sent_in_any_pieces(void **state) {
    (void)state;
    random_state = 88172645463325252U;
    struct session s;
    session_init(&s);
    for (int round = 0; round < 300; round++) {
        struct buf b = {0};
        struct buf expected = {0};
        for (unsigned i = 1 + random_below(6); i > 0; i--)
            make_message(&b, &expected);
        uint16_t code = 0;
        buf_clear(&s.trace);
        for (size_t at = 0; at < b.len;) {
            size_t n = 1 + random_length();
            n = n > b.len - at ? b.len - at : n;
            assert_int_equal(feed(&s, b.data + at, n, &code), WS_OK);
            at += n;
        }
        assert_null(s.input.parser);
        assert_true(slice_eq(buf_bytes(&s.trace), buf_bytes(&expected)));
        buf_deinit(&b);
        buf_deinit(&expected);
    }
    assert_int_equal(s.pool.free_count, 1);
    session_deinit(&s);
}

static void writes_headers(void **state) {
    (void)state;
    static const struct {
        uint64_t len;
        struct slice bytes;
    } headers[] = {
        {0, {"\x81\x00", 2}},
        {125, {"\x81\x7d", 2}},
        {126, {"\x81\x7e\x00\x7e", 4}},
        {65535, {"\x81\x7e\xff\xff", 4}},
        {65536, {"\x81\x7f\0\0\0\0\0\x01\0\0", 10}},
        {UINT64_C(0x0102030405060708), {"\x81\x7f\x01\x02\x03\x04\x05\x06\x07\x08", 10}},
    };
    uint8_t out[WS_HEADER_MAX];
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        assert_int_equal(ws_header(out, WS_TEXT, headers[i].len), headers[i].bytes.len);
        assert_memory_equal(out, headers[i].bytes.ptr, headers[i].bytes.len);
    }
    assert_int_equal(ws_header(out, WS_PONG, 3), 2);
    assert_memory_equal(out, "\x8a\x03", 2);
    assert_int_equal(ws_header(out, WS_BINARY, 3), 2);
    assert_memory_equal(out, "\x82\x03", 2);
}

static void writes_close_frames(void **state) {
    (void)state;
    uint8_t out[WS_CLOSE_MAX];
    assert_int_equal(ws_close_frame(out, 1000, ""), 4);
    assert_memory_equal(out, "\x88\x02\x03\xe8", 4);
    assert_int_equal(ws_close_frame(out, 4001, "slow"), 8);
    assert_memory_equal(out, "\x88\x06\x0f\xa1slow", 8);
    assert_int_equal(ws_close_frame(out, WS_CODE_NO_STATUS, "unused"), 2);
    assert_memory_equal(out, "\x88\x00", 2);
    char reason[124];
    memset(reason, 'r', 123);
    reason[123] = '\0';
    assert_int_equal(ws_close_frame(out, 1012, reason), WS_CLOSE_MAX);
    assert_memory_equal(out, "\x88\x7d\x03\xf4rrr", 7);
    assert_int_equal(out[126], 'r');
}

static void answers_keys(void **state) {
    (void)state;
    char out[WS_ACCEPT_SIZE];
    ws_accept(out, SLICE("dGhlIHNhbXBsZSBub25jZQ=="));
    assert_string_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    ws_accept(out, SLICE("x3JJHMbDL1EzLkh9GBhXDw=="));
    assert_string_equal(out, "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
    ws_accept(out, (struct slice){NULL, 0});
    assert_string_equal(out, "Kfh9QIsMVZcl6xEPYxPHzW8SZ8w=");
}

static void judges_keys(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "dGhlIHNhbXBsZSBub25jZQ=",
                                      "dGhlIHNhbXBsZSBub25jZQ===",
                                      "dGhlIHNhbXBsZSBub25jZQAA",
                                      "dGhlIHNhbXBsZSBub25jZQA=",
                                      "dGhlIHNhbXBsZSBub25jZ===",
                                      "dGhlIHNhbXBsZSBub25j=Q==",
                                      "dGhlIHNhbXBsZSBub25jZQ=A",
                                      "dGhlIHNhbXBsZSBub25jZ-==",
                                      "dGhlIHNhbXBsZSBub25jZ_==",
                                      " GhlIHNhbXBsZSBub25jZQ==",
                                      "dGhlIHNhbXBsZQ=="};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(ws_key_valid(slice_of(bad[i])));
    assert_true(ws_key_valid(SLICE("dGhlIHNhbXBsZSBub25jZQ==")));
    assert_true(ws_key_valid(SLICE("+/09azAZ+/+/+/+/+/+/+A==")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_messages),
        cmocka_unit_test(nothing_is_no_message),
        cmocka_unit_test(reads_each_length),
        cmocka_unit_test(joins_fragments),
        cmocka_unit_test(joins_characters_cut_by_fragments),
        cmocka_unit_test(control_frames_come_between_fragments),
        cmocka_unit_test(reads_the_longest_control_frame),
        cmocka_unit_test(is_partial_until_the_last_byte),
        cmocka_unit_test(unmasked_frames_fail),
        cmocka_unit_test(reserved_bits_fail),
        cmocka_unit_test(reserved_opcodes_fail),
        cmocka_unit_test(fragments_out_of_order_fail),
        cmocka_unit_test(bad_control_frames_fail),
        cmocka_unit_test(lengths_in_a_longer_form_than_needed_fail),
        cmocka_unit_test(huge_lengths_are_too_big),
        cmocka_unit_test(invalid_text_fails),
        cmocka_unit_test(invalid_text_fails_at_once),
        cmocka_unit_test(size_is_inclusive),
        cmocka_unit_test(a_large_message_is_inclusive_too),
        cmocka_unit_test(size_fails_at_the_first_payload_byte),
        cmocka_unit_test(fragments_are_counted),
        cmocka_unit_test(closes),
        cmocka_unit_test(judges_each_close_code),
        cmocka_unit_test(bad_close_bodies_fail),
        cmocka_unit_test(a_handler_stops),
        cmocka_unit_test(parsers_do_not_remember),
        cmocka_unit_test(the_pool_keeps_a_limited_number),
        cmocka_unit_test(reads_what_was_sent_in_any_pieces),
        cmocka_unit_test(writes_headers),
        cmocka_unit_test(writes_close_frames),
        cmocka_unit_test(answers_keys),
        cmocka_unit_test(judges_keys),
    };
    return cmocka_run_group_tests_name("ws", tests, NULL, NULL);
}
