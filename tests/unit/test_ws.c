/* Tests what the parser of WebSocket frames reads, within its limits. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/ws_session.h"

static void reads_messages(void **state) {
    (void)state;
    struct buf b = {0};
    ws_put_text(&b, FIN | WS_TEXT, "hello");
    ws_put_text(&b, FIN | WS_TEXT, "");
    ws_put_text(&b, FIN | WS_BINARY, "raw");
    ws_put_text(&b, FIN | WS_BINARY, "");
    ws_put_text(&b, FIN | WS_TEXT, "\xc3\xa9\xf0\x9f\x98\x80");
    ws_check(&b, "T(hello) T() B(raw) B() T(\xc3\xa9\xf0\x9f\x98\x80) ok");
}

static void nothing_is_no_message(void **state) {
    (void)state;
    struct ws_session s;
    ws_session_init(&s);
    uint16_t code = 4242;
    assert_int_equal(ws_feed(&s.input, &s.pool, &ws_session_handler, &s, NULL, 0, &code),
                     WS_OK);
    assert_null(s.input.parser);
    ws_session_deinit(&s);
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
        struct buf b = ws_one_frame(FIN | WS_TEXT, buf_bytes(&payload));
        ws_put_frame(&b, FIN | WS_BINARY, buf_bytes(&payload));
        ws_trace_payload(&expected, 'T', buf_bytes(&payload));
        ws_trace_payload(&expected, 'B', buf_bytes(&payload));
        buf_append(&expected, "ok", 3);
        ws_check(&b, expected.data);
        buf_deinit(&payload);
        buf_deinit(&expected);
    }
}

static void joins_fragments(void **state) {
    (void)state;
    struct buf b = {0};
    ws_put_text(&b, WS_TEXT, "one ");
    ws_put_text(&b, WS_CONTINUATION, "two ");
    ws_put_text(&b, FIN | WS_CONTINUATION, "three");
    ws_put_text(&b, WS_BINARY, "");
    ws_put_text(&b, FIN | WS_CONTINUATION, "");
    ws_put_text(&b, WS_BINARY, "");
    ws_put_text(&b, FIN | WS_CONTINUATION, "late");
    ws_put_text(&b, WS_TEXT, "early");
    ws_put_text(&b, FIN | WS_CONTINUATION, "");
    ws_check(&b, "T(one two three) B() B(late) T(early) ok");
}

static void joins_characters_cut_by_fragments(void **state) {
    (void)state;
    struct buf b = {0};
    ws_put_text(&b, WS_TEXT, "\xf0\x9f");
    ws_put_text(&b, WS_CONTINUATION, "");
    ws_put_text(&b, WS_CONTINUATION, "\x98");
    ws_put_text(&b, FIN | WS_CONTINUATION, "\x80");
    ws_check(&b, "T(\xf0\x9f\x98\x80) ok");
}

static void control_frames_come_between_fragments(void **state) {
    (void)state;
    struct buf b = {0};
    ws_put_text(&b, FIN | WS_PING, "1");
    ws_put_text(&b, WS_TEXT, "a\xc3");
    ws_put_text(&b, FIN | WS_PING, "2\xff");
    ws_put_text(&b, WS_CONTINUATION, "\xa9");
    ws_put_text(&b, FIN | WS_PONG, "");
    ws_put_text(&b, FIN | WS_PING, "");
    ws_put_text(&b, FIN | WS_CONTINUATION, "b");
    ws_put_text(&b, FIN | WS_PONG, "3");
    ws_check(&b, "P(1) P(2\xff) Q() P() T(a\xc3\xa9"
                 "b) Q(3) ok");
}

static void reads_the_longest_control_frame(void **state) {
    (void)state;
    char payload[125];
    memset(payload, 'p', sizeof payload);
    struct buf expected = {0};
    ws_trace_payload(&expected, 'P', (struct slice){payload, 125});
    buf_append(&expected, "ok", 3);
    struct buf b = ws_one_frame(FIN | WS_PING, (struct slice){payload, 125});
    ws_check(&b, expected.data);
    buf_deinit(&expected);
}

static void is_partial_until_the_last_byte(void **state) {
    (void)state;
    struct buf b = {0};
    ws_put_text(&b, FIN | WS_TEXT, "abc");
    ws_put_text(&b, FIN | WS_PING, "");
    ws_put_text(&b, WS_BINARY, "x");
    ws_put_text(&b, FIN | WS_CONTINUATION, "");
    static const size_t ends[] = {9, 15, 28};
    for (size_t len = 1; len <= b.len; len++) {
        struct ws_session s;
        ws_session_init(&s);
        uint16_t code = 0;
        assert_int_equal(ws_session_feed(&s, b.data, len, &code), WS_OK);
        bool at_end = len == ends[0] || len == ends[1] || len == ends[2];
        assert_int_equal(s.input.parser == NULL, at_end);
        assert_int_equal(s.pool.free_count, at_end ? 1 : 0);
        ws_session_deinit(&s);
    }
    buf_deinit(&b);
}

static void size_is_inclusive(void **state) {
    (void)state;
    struct ws_session limits;
    ws_session_init(&limits);
    limits.pool.max_message = 10;
    struct buf b = ws_one_frame(FIN | WS_TEXT, SLICE("0123456789"));
    ws_check_with(&limits, &b, "T(0123456789) ok");
    b = ws_one_frame(FIN | WS_TEXT, SLICE("0123456789a"));
    ws_check_with(&limits, &b, "failed 1009");
    ws_put_text(&b, WS_TEXT, "01234");
    ws_put_text(&b, WS_CONTINUATION, "56789");
    ws_put_text(&b, FIN | WS_CONTINUATION, "");
    ws_put_text(&b, FIN | WS_BINARY, "0123456789");
    ws_check_with(&limits, &b, "T(0123456789) B(0123456789) ok");
    ws_put_text(&b, WS_TEXT, "01234");
    ws_put_text(&b, FIN | WS_PING, "a ping does not count");
    ws_put_text(&b, FIN | WS_CONTINUATION, "56789a");
    ws_check_with(&limits, &b, "P(a ping does not count) failed 1009");
    limits.pool.max_message = 0;
    b = ws_one_frame(FIN | WS_BINARY, SLICE(""));
    ws_check_with(&limits, &b, "B() ok");
    b = ws_one_frame(FIN | WS_BINARY, SLICE("x"));
    ws_check_with(&limits, &b, "failed 1009");
}

static void a_large_message_is_inclusive_too(void **state) {
    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        struct ws_session limits;
        ws_session_init(&limits);
        struct buf payload = {0};
        struct buf expected = {0};
        for (size_t i = 0; i < MAX_MESSAGE; i++)
            buf_char(&payload, (char)('a' + i % 19));
        ws_trace_payload(&expected, 'T', buf_bytes(&payload));
        buf_append(&expected, "ok", 3);
        struct buf b = ws_one_frame(WS_TEXT, (struct slice){payload.data, 70001});
        ws_put_frame(&b, WS_CONTINUATION, (struct slice){payload.data + 70001, 99999});
        ws_put_frame(&b, FIN | WS_CONTINUATION, (struct slice){payload.data + 170000, 30000});
        if (extra == 1) {
            buf_clear(&b);
            buf_char(&payload, 'x');
            ws_put_frame(&b, WS_TEXT, (struct slice){payload.data, 170000});
            ws_put_frame(&b, FIN | WS_CONTINUATION,
                         (struct slice){payload.data + 170000, 30001});
        }
        ws_check_pieces(&limits, buf_bytes(&b), extra == 0 ? expected.data : "failed 1009",
                        5000, 16384);
        ws_check(&b, extra == 0 ? expected.data : "failed 1009");
        buf_deinit(&payload);
        buf_deinit(&expected);
    }
}

static void size_fails_at_the_first_payload_byte(void **state) {
    (void)state;
    struct buf payload = {0};
    assert_true(buf_reserve(&payload, MAX_MESSAGE + 1));
    memset(payload.data, 'x', MAX_MESSAGE + 1);
    struct buf b = ws_one_frame(FIN | WS_TEXT, (struct slice){payload.data, MAX_MESSAGE + 1});
    ws_check_fails_at(&b, 14, WS_CODE_TOO_BIG);
    b = ws_one_frame(WS_TEXT, SLICE("x"));
    ws_put_frame(&b, FIN | WS_CONTINUATION, (struct slice){payload.data, MAX_MESSAGE});
    ws_check_fails_at(&b, 7 + 14, WS_CODE_TOO_BIG);
    buf_deinit(&payload);
}

static void fragments_are_counted(void **state) {
    (void)state;
    for (size_t len = 0; len < 2; len++) {
        struct slice piece = {"x", len};
        struct buf b = {0};
        for (int round = 0; round < 2; round++) {
            ws_put_frame(&b, WS_TEXT, piece);
            for (int i = 2; i < MAX_FRAGMENTS; i++) {
                ws_put_frame(&b, WS_CONTINUATION, piece);
                ws_put_text(&b, FIN | WS_PONG, "");
            }
            ws_put_frame(&b, FIN | WS_CONTINUATION, piece);
        }
        ws_check(&b, len == 0 ? "Q() Q() Q() Q() Q() Q() T() Q() Q() Q() Q() Q() Q() T() ok"
                              : "Q() Q() Q() Q() Q() Q() T(xxxxxxxx) "
                                "Q() Q() Q() Q() Q() Q() T(xxxxxxxx) ok");
        ws_put_frame(&b, WS_BINARY, piece);
        for (int i = 1; i < MAX_FRAGMENTS; i++)
            ws_put_frame(&b, WS_CONTINUATION, piece);
        ws_put_frame(&b, FIN | WS_CONTINUATION, piece);
        ws_check(&b, "failed 1008");
    }
}

static void a_handler_stops(void **state) {
    (void)state;
    static const char *const expected[] = {"T(a) stopped", "T(a) P(b) stopped",
                                           "T(a) P(b) T(cd) stopped",
                                           "T(a) P(b) T(cd) B(e) ok"};
    for (int i = 0; i < 4; i++) {
        struct ws_session limits;
        ws_session_init(&limits);
        limits.stop_at = i;
        struct buf b = {0};
        ws_put_text(&b, FIN | WS_TEXT, "a");
        ws_put_text(&b, FIN | WS_PING, "b");
        ws_put_text(&b, WS_TEXT, "c");
        ws_put_text(&b, FIN | WS_CONTINUATION, "d");
        ws_put_text(&b, FIN | WS_BINARY, "e");
        limits.stop_at = i == 3 ? -1 : i;
        ws_check_with(&limits, &b, expected[i]);
    }
}

/* After an error in the middle of a frame the parser cannot be used again; after one at the
 * end of a frame it can. Both times the next connection reads as if nothing had been. */
static void parsers_do_not_remember(void **state) {
    (void)state;
    struct ws_session s;
    ws_session_init(&s);
    struct buf bad = {0};
    ws_put_text(&bad, WS_TEXT, "left over \xc3");
    ws_put_text(&bad, FIN | WS_PING, "left over");
    ws_put_close(&bad, 999, "");
    struct buf good = {0};
    ws_put_text(&good, FIN | WS_TEXT, "clean");
    for (size_t len = 1; len <= bad.len; len++) {
        uint16_t code = 4242;
        enum ws_result result = ws_session_feed(&s, bad.data, len, &code);
        assert_int_equal(result, len == bad.len ? WS_FAILED : WS_OK);
        ws_input_deinit(&s.input, &s.pool);
        assert_true(s.pool.free_count <= 1);
        buf_clear(&s.trace);
        ws_session_feed_pieces(&s, buf_bytes(&good), good.len, 0);
        assert_true(slice_is(buf_bytes(&s.trace), "T(clean) ok"));
        assert_int_equal(s.pool.free_count, 1);
    }
    buf_deinit(&bad);
    buf_deinit(&good);
    ws_session_deinit(&s);
}

static void the_pool_keeps_a_limited_number(void **state) {
    (void)state;
    enum { N = WS_POOL_KEEP + 6 };
    struct ws_session s;
    ws_session_init(&s);
    struct ws_input inputs[N] = {{0}};
    struct buf b = ws_one_frame(FIN | WS_TEXT, SLICE("x"));
    uint16_t code = 0;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < N; i++)
            assert_int_equal(
                ws_feed(&inputs[i], &s.pool, &ws_session_handler, &s, b.data, 3, &code), WS_OK);
        assert_int_equal(s.pool.free_count, 0);
        for (size_t i = 0; i < N; i++) {
            assert_non_null(inputs[i].parser);
            assert_int_equal(ws_feed(&inputs[i], &s.pool, &ws_session_handler, &s, b.data + 3,
                                     b.len - 3, &code),
                             WS_OK);
            assert_null(inputs[i].parser);
        }
        assert_int_equal(s.pool.free_count, WS_POOL_KEEP);
    }
    buf_deinit(&b);
    ws_session_deinit(&s);
    assert_int_equal(s.pool.free_count, 0);
}

/* Random sessions, and the results that they must have. */

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
        ws_put_frame(
            b, fin | (i == 0 ? opcode : WS_CONTINUATION),
            (struct slice){payload.len == 0 ? "" : payload.data + start, payload.len - start});
        if (fin == 0 && random_below(2) == 0) {
            ws_put_text(b, FIN | WS_PING, "ping");
            buf_str(expected, "P(ping) ");
        }
    }
    ws_trace_payload(expected, opcode == WS_TEXT ? 'T' : 'B', buf_bytes(&payload));
    buf_deinit(&payload);
}

static void reads_what_was_sent_in_any_pieces(void **state) {
    (void)state;
    random_state = 88172645463325252U;
    struct ws_session s;
    ws_session_init(&s);
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
            assert_int_equal(ws_session_feed(&s, b.data + at, n, &code), WS_OK);
            at += n;
        }
        assert_null(s.input.parser);
        assert_true(slice_eq(buf_bytes(&s.trace), buf_bytes(&expected)));
        buf_deinit(&b);
        buf_deinit(&expected);
    }
    assert_int_equal(s.pool.free_count, 1);
    ws_session_deinit(&s);
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
        cmocka_unit_test(size_is_inclusive),
        cmocka_unit_test(a_large_message_is_inclusive_too),
        cmocka_unit_test(size_fails_at_the_first_payload_byte),
        cmocka_unit_test(fragments_are_counted),
        cmocka_unit_test(a_handler_stops),
        cmocka_unit_test(parsers_do_not_remember),
        cmocka_unit_test(the_pool_keeps_a_limited_number),
        cmocka_unit_test(reads_what_was_sent_in_any_pieces),
    };
    return cmocka_run_group_tests_name("ws", tests, NULL, NULL);
}
