/* Headers, close frames and keys of WebSocket. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/ws.h"

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
        cmocka_unit_test(writes_headers),
        cmocka_unit_test(writes_close_frames),
        cmocka_unit_test(answers_keys),
        cmocka_unit_test(judges_keys),
    };
    return cmocka_run_group_tests_name("ws_write", tests, NULL, NULL);
}
