/* Tests WebSocket frames that fail, and closes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/ws_session.h"

static void unmasked_frames_fail(void **state) {
    (void)state;
    static const unsigned opcodes[] = {WS_TEXT, WS_BINARY, WS_PING, WS_PONG, WS_CLOSE};
    for (size_t i = 0; i < sizeof opcodes / sizeof opcodes[0]; i++) {
        struct buf b = {0};
        ws_put_text(&b, FIN | WS_TEXT, "ok");
        buf_char(&b, (char)(FIN | opcodes[i]));
        buf_char(&b, i % 2 == 0 ? 2 : 0);
        if (i % 2 == 0)
            buf_str(&b, "hi");
        ws_check(&b, "T(ok) failed 1002");
    }
}

static void reserved_bits_fail(void **state) {
    (void)state;
    for (unsigned rsv = 1; rsv < 8; rsv++) {
        struct buf b = ws_one_frame(FIN | rsv << 4 | WS_TEXT, SLICE("x"));
        ws_check(&b, "failed 1002");
        b = ws_one_frame(FIN | rsv << 4 | WS_PING, SLICE(""));
        ws_check(&b, "failed 1002");
    }
}

static void reserved_opcodes_fail(void **state) {
    (void)state;
    for (unsigned opcode = 0; opcode < 16; opcode++) {
        bool known = opcode <= WS_BINARY || (opcode >= WS_CLOSE && opcode <= WS_PONG);
        if (known)
            continue;
        struct buf b = ws_one_frame(FIN | opcode, SLICE(""));
        ws_check(&b, "failed 1002");
        b = ws_one_frame(FIN | opcode, SLICE("abc"));
        ws_check(&b, "failed 1002");
        b = ws_one_frame(opcode, SLICE("abc"));
        ws_check(&b, "failed 1002");
    }
}

static void fragments_out_of_order_fail(void **state) {
    (void)state;
    struct buf b = {0};
    ws_put_text(&b, FIN | WS_CONTINUATION, "x");
    ws_check(&b, "failed 1002");
    ws_put_text(&b, WS_CONTINUATION, "");
    ws_check(&b, "failed 1002");
    ws_put_text(&b, WS_TEXT, "a");
    ws_put_text(&b, FIN | WS_TEXT, "b");
    ws_check(&b, "failed 1002");
    ws_put_text(&b, WS_TEXT, "");
    ws_put_text(&b, WS_BINARY, "");
    ws_check(&b, "failed 1002");
    ws_put_text(&b, WS_TEXT, "a");
    ws_put_text(&b, FIN | WS_CONTINUATION, "b");
    ws_put_text(&b, FIN | WS_CONTINUATION, "c");
    ws_check(&b, "T(ab) failed 1002");
}

static void bad_control_frames_fail(void **state) {
    (void)state;
    static const unsigned opcodes[] = {WS_PING, WS_PONG, WS_CLOSE};
    char payload[126];
    memset(payload, 'x', sizeof payload);
    for (size_t i = 0; i < 3; i++) {
        struct buf b = ws_one_frame(opcodes[i], SLICE("")); /* fragmented */
        ws_check(&b, "failed 1002");
        b = ws_one_frame(opcodes[i], SLICE("\x03\xe8"));
        ws_check(&b, "failed 1002");
        b = ws_one_frame(FIN | opcodes[i], (struct slice){payload, 126});
        ws_check(&b, "failed 1002");
    }
}

static void put_odd_length(struct buf *b, uint64_t len, unsigned bytes) {
    buf_char(b, (char)(FIN | WS_BINARY));
    ws_put_length(b, len, bytes, 0x80);
    ws_put_masked(b, SLICE("some payload"));
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
        ws_check(&b, "failed 1002");
    }
}

static void huge_lengths_are_too_big(void **state) {
    (void)state;
    struct buf b = {0};
    put_odd_length(&b, INT64_MAX, 8);
    ws_check(&b, "failed 1009");
    ws_put_text(&b, WS_TEXT, "1");
    buf_append(&b, "\x80\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 10);
    ws_put_masked(&b, SLICE("x"));
    ws_check(&b, "failed 1009");
}

static void invalid_text_fails(void **state) {
    (void)state;
    static const char *const bad[] = {"\x80",         "ab\xff",           "\xc0\x80",
                                      "\xed\xa0\x80", "\xf4\x90\x80\x80", "12345678\xc3(",
                                      "abc\xc3",      "\xf0\x9f\x98"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf b = {0};
        ws_put_text(&b, FIN | WS_TEXT, bad[i]);
        ws_check(&b, "failed 1007");
        ws_put_text(&b, WS_TEXT, bad[i]);
        ws_put_text(&b, FIN | WS_CONTINUATION, "");
        ws_check(&b, "failed 1007");
        ws_put_text(&b, WS_TEXT, "good");
        ws_put_text(&b, FIN | WS_CONTINUATION, bad[i]);
        ws_check(&b, "failed 1007");
        ws_put_text(&b, FIN | WS_BINARY, "x");
        ws_put_text(&b, FIN | WS_BINARY, bad[i]);
        buf_char(&b, (char)(FIN | WS_TEXT));
        struct buf expected = {0};
        buf_printf(&expected, "B(x) B(%s) ok partial", bad[i]);
        buf_char(&expected, '\0');
        ws_check(&b, expected.data);
        buf_deinit(&expected);
    }
}

static void invalid_text_fails_at_once(void **state) {
    (void)state;
    struct buf b = ws_one_frame(FIN | WS_TEXT, SLICE("ok\xff and much more to come"));
    ws_check_fails_at(&b, 6 + 2, WS_CODE_INVALID_UTF8);
    b = ws_one_frame(WS_TEXT, SLICE("ok\xed\xa0\x80"));
    ws_check_fails_at(&b, 6 + 3, WS_CODE_INVALID_UTF8);
    b = ws_one_frame(WS_TEXT, SLICE("\xf4"));
    ws_put_text(&b, WS_CONTINUATION, "\x90 more");
    ws_check_fails_at(&b, 7 + 6, WS_CODE_INVALID_UTF8);
    b = ws_one_frame(FIN | WS_TEXT, SLICE("a\xc3"));
    ws_check_fails_at(&b, 6 + 1, WS_CODE_INVALID_UTF8);
}

static void closes(void **state) {
    (void)state;
    struct buf b = {0};
    ws_put_text(&b, FIN | WS_TEXT, "last");
    ws_put_text(&b, FIN | WS_CLOSE, "");
    ws_put_text(&b, FIN | WS_TEXT, "not seen");
    ws_check(&b, "T(last) closed 1005");
    ws_put_text(&b, WS_TEXT, "half");
    ws_put_close(&b, 1001, "going \xc3\xa9");
    buf_str(&b, "rubbish");
    ws_check(&b, "closed 1001");
    struct buf reason = {0};
    buf_printf(&reason, "%0123d", 0);
    buf_char(&reason, '\0');
    ws_put_close(&b, 4999, reason.data);
    ws_check(&b, "closed 4999");
    buf_deinit(&reason);
}

static bool may_be_sent(unsigned code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static void judges_each_close_code(void **state) {
    (void)state;
    for (unsigned code = 0; code <= 0xffff; code += code < 5100 ? 1 : 997) {
        struct ws_session s;
        ws_session_init(&s);
        struct buf b = {0};
        ws_put_close(&b, code, "");
        uint16_t got = 0;
        enum ws_result result = ws_session_feed(&s, b.data, b.len, &got);
        assert_int_equal(result, may_be_sent(code) ? WS_CLOSED : WS_FAILED);
        assert_int_equal(got, may_be_sent(code) ? code : WS_CODE_PROTOCOL);
        buf_deinit(&b);
        ws_session_deinit(&s);
    }
}

static void bad_close_bodies_fail(void **state) {
    (void)state;
    struct buf b = ws_one_frame(FIN | WS_CLOSE, SLICE("\x03"));
    ws_check(&b, "failed 1002");
    ws_put_text(&b, FIN | WS_PING, "\x03\xe8"); /* must not complete the code */
    ws_put_text(&b, FIN | WS_CLOSE, "\x03");
    ws_check(&b, "P(\x03\xe8) failed 1002");
    ws_put_close(&b, 1000, "\xff");
    ws_check(&b, "failed 1007");
    ws_put_close(&b, 1000, "cut \xe2\x82");
    ws_check(&b, "failed 1007");
    ws_put_close(&b, 1005, "");
    ws_check(&b, "failed 1002");
    ws_put_close(&b, 1006, "\xff");
    ws_check(&b, "failed 1002");
    ws_put_text(&b, FIN | WS_TEXT, "before");
    ws_put_close(&b, 999, "");
    ws_check(&b, "T(before) failed 1002");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unmasked_frames_fail),
        cmocka_unit_test(reserved_bits_fail),
        cmocka_unit_test(reserved_opcodes_fail),
        cmocka_unit_test(fragments_out_of_order_fail),
        cmocka_unit_test(bad_control_frames_fail),
        cmocka_unit_test(lengths_in_a_longer_form_than_needed_fail),
        cmocka_unit_test(huge_lengths_are_too_big),
        cmocka_unit_test(invalid_text_fails),
        cmocka_unit_test(invalid_text_fails_at_once),
        cmocka_unit_test(closes),
        cmocka_unit_test(judges_each_close_code),
        cmocka_unit_test(bad_close_bodies_fail),
    };
    return cmocka_run_group_tests_name("ws_fails", tests, NULL, NULL);
}
