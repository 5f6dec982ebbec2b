/* Tests compressed messages: those of RFC 7692, 7.2.3, cut everywhere; limits; and what is not
 * deflated, or not where it may be. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/ws_session.h"

#define RSV1           WS_COMPRESSED
#define BYTES(literal) SLICE(literal)
#define HELLO          BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00")

static struct ws_session limits;

static int set_up(void **state) {
    (void)state;
    ws_session_init(&limits);
    limits.may_compress = true;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    ws_session_deinit(&limits);
    return 0;
}

static void check(struct buf *b, const char *expected) {
    ws_check_with(&limits, b, expected);
}

static void check_one(struct slice payload, const char *expected) {
    struct buf b = ws_one_frame(FIN | RSV1 | WS_TEXT, payload);
    check(&b, expected);
}

/* ---- What is inflated */

static void the_messages_of_the_rfc(void **state) {
    (void)state;
    check_one(HELLO, "7>5:T(Hello) ok");
    check_one(BYTES("\x00\x05\x00\xfa\xffHello\x00"), "11>5:T(Hello) ok");
    check_one(BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), "8>5:T(Hello) ok");
    check_one(BYTES("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"),
              "13>5:T(Hello) ok");
    check_one(BYTES("\x00"), "1>0:T() ok");
}

static void each_message_is_for_itself(void **state) {
    (void)state;
    struct buf b = {0};
    ws_put_frame(&b, FIN | RSV1 | WS_TEXT, HELLO);
    ws_put_frame(&b, FIN | RSV1 | WS_BINARY, HELLO);
    ws_put_text(&b, FIN | WS_TEXT, "plain");
    ws_put_frame(&b, FIN | RSV1 | WS_TEXT, HELLO);
    check(&b, "7>5:T(Hello) 7>5:B(Hello) T(plain) 7>5:T(Hello) ok");
    /* The second one refers back to the first (7.2.3.2), although no context is taken over. */
    ws_put_frame(&b, FIN | RSV1 | WS_TEXT, HELLO);
    ws_put_frame(&b, FIN | RSV1 | WS_TEXT, BYTES("\xf2\x00\x11\x00\x00"));
    check(&b, "7>5:T(Hello) failed 1007");
}

/* Also after one that was corrupt: the inflater is the loop's. */
static void a_corrupt_message_harms_no_other(void **state) {
    (void)state;
    struct ws_session bad = limits, good = limits;
    struct buf corrupt = ws_one_frame(FIN | RSV1 | WS_TEXT, BYTES("\xf2\x00\x11\x00\x00"));
    struct buf hello = ws_one_frame(FIN | RSV1 | WS_TEXT, HELLO);
    ws_session_feed_pieces(&bad, buf_bytes(&corrupt), corrupt.len, 1);
    assert_true(slice_is(buf_bytes(&bad.trace), "failed 1007"));
    good.deflate = bad.deflate;
    bad.deflate = (struct ws_deflate){NULL, NULL, NULL, 0};
    ws_session_feed_pieces(&good, buf_bytes(&hello), hello.len, 1);
    assert_true(slice_is(buf_bytes(&good.trace), "7>5:T(Hello) ok"));
    ws_session_deinit(&bad);
    ws_session_deinit(&good);
    buf_deinit(&corrupt);
    buf_deinit(&hello);
}

/* Split into two frames at each byte, and into as many as there are bytes. */
static void fragments_are_one_stream(void **state) {
    (void)state;
    struct slice all = HELLO;
    for (size_t cut = 0; cut <= all.len; cut++) {
        struct buf b = {0};
        ws_put_frame(&b, RSV1 | WS_TEXT, (struct slice){all.ptr, cut});
        ws_put_text(&b, FIN | WS_PING, "p");
        ws_put_frame(&b, FIN | WS_CONTINUATION, (struct slice){all.ptr + cut, all.len - cut});
        check(&b, "P(p) 7>5:T(Hello) ok");
    }
    struct buf b = {0};
    for (size_t i = 0; i < all.len; i++)
        ws_put_frame(&b, (i == 0 ? RSV1 | WS_BINARY : 0) | (i == all.len - 1 ? FIN : 0),
                     (struct slice){all.ptr + i, 1});
    check(&b, "7>5:B(Hello) ok");
}

/* ---- What is deflated is inflated again */

static uint32_t dice = 1;

static void put_words(struct buf *b, size_t len, unsigned kinds) {
    while (b->len < len) {
        dice = dice * 1664525 + 1013904223;
        buf_printf(b, "%x ", (dice >> 16) % kinds);
    }
    b->len = len;
}

static void every_size_and_every_kind_comes_back(void **state) {
    (void)state;
    static const unsigned kinds[] = {1, 2, 50, 0x7fffffff};
    static const size_t lengths[] = {1,    2,    127,   256,   1000,  4095,  4096,
                                     4097, 9999, 32767, 32768, 32769, 65536, 150000};
    struct ws_deflate d = {NULL, NULL, NULL, 0};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            struct buf plain = {0}, back = {0};
            put_words(&plain, lengths[i], kinds[k]);
            struct slice packed = ws_deflate_pack(&d, buf_bytes(&plain), 2 * plain.len + 20);
            assert_true(packed.len > 0);
            assert_int_equal(ws_deflate_unpack(&d, packed, plain.len, &back), WS_UNPACKED);
            assert_true(slice_eq(buf_bytes(&back), buf_bytes(&plain)));
            buf_deinit(&back);
            assert_int_equal(ws_deflate_unpack(&d, packed, plain.len - 1, &back),
                             WS_UNPACK_TOO_BIG);
            assert_true(back.cap < plain.len);
            buf_deinit(&back);
            buf_deinit(&plain);
        }
    }
    ws_deflate_deinit(&d);
}

/* Exactly as long as it is, and a byte less. */
static void what_is_no_shorter_is_not_packed(void **state) {
    (void)state;
    struct ws_deflate d = {NULL, NULL, NULL, 0};
    struct buf plain = {0};
    put_words(&plain, 3000, 300);
    size_t len = ws_deflate_pack(&d, buf_bytes(&plain), 3000).len;
    assert_in_range(len, 500, 2500);
    assert_int_equal(ws_deflate_pack(&d, buf_bytes(&plain), len).len, len);
    assert_int_equal(ws_deflate_pack(&d, buf_bytes(&plain), len - 1).len, 0);
    assert_int_equal(ws_deflate_pack(&d, buf_bytes(&plain), 0).len, 0);
    assert_int_equal(ws_deflate_pack(&d, buf_bytes(&plain), len).len, len);
    buf_deinit(&plain);
    for (int i = 0; i < 1000; i++) {
        dice = dice * 1664525 + 1013904223;
        buf_char(&plain, (char)(dice >> 24));
    }
    assert_int_equal(ws_deflate_pack(&d, buf_bytes(&plain), 999).len, 0);
    buf_deinit(&plain);
    ws_deflate_deinit(&d);
}

/* Room for a long message is not kept. */
static void a_long_message_leaves_no_memory_behind(void **state) {
    (void)state;
    struct ws_deflate d = {NULL, NULL, NULL, 0};
    struct buf plain = {0};
    put_words(&plain, 1000000, 20);
    assert_in_range(ws_deflate_pack(&d, buf_bytes(&plain), 999999).len, 1000, 999999);
    assert_true(d.packed_cap >= 999999);
    assert_true(ws_deflate_pack(&d, (struct slice){plain.data, 1000}, 999).len > 0);
    assert_true(d.packed_cap <= 65536);
    buf_deinit(&plain);
    ws_deflate_deinit(&d);
}

/* ---- Limits */

static struct buf packed_zeros(size_t len) {
    struct ws_deflate d = {NULL, NULL, NULL, 0};
    struct buf packed = {0};
    char *zeros = calloc(1, len);
    assert_non_null(zeros);
    struct slice payload = ws_deflate_pack(&d, (struct slice){zeros, len}, len);
    ws_put_frame(&packed, FIN | RSV1 | WS_BINARY, payload);
    free(zeros);
    ws_deflate_deinit(&d);
    return packed;
}

static void the_limit_is_for_what_comes_out(void **state) {
    (void)state;
    struct buf fits = packed_zeros(MAX_MESSAGE), bomb = packed_zeros(MAX_MESSAGE + 1);
    assert_true(fits.len < 2000);
    struct ws_session s = limits;
    ws_session_feed_pieces(&s, buf_bytes(&fits), fits.len, 1);
    assert_true(s.trace.len > 2 && memcmp(s.trace.data + s.trace.len - 2, "ok", 2) == 0);
    ws_session_deinit(&s);
    check(&bomb, "failed 1009");
    bomb = packed_zeros(100 * MAX_MESSAGE);
    check(&bomb, "failed 1009");
    buf_deinit(&fits);
}

/* ... and for what comes: known when a frame begins, as ever. */
static void the_limit_is_for_what_comes(void **state) {
    (void)state;
    struct buf b = {0};
    buf_char(&b, (char)(RSV1 | WS_TEXT));
    ws_put_length(&b, MAX_MESSAGE + 1, 8, 0x80);
    ws_put_masked(&b, SLICE("x"));
    check(&b, "failed 1009");
}

static void the_limit_of_fragments_stays(void **state) {
    (void)state;
    struct buf b = {0};
    ws_put_frame(&b, RSV1 | WS_TEXT, SLICE(""));
    for (int i = 1; i < MAX_FRAGMENTS; i++)
        ws_put_frame(&b, WS_CONTINUATION, SLICE(""));
    ws_put_frame(&b, FIN | WS_CONTINUATION, HELLO);
    check(&b, "failed 1008");
}

/* ---- What is not deflated */

static void corrupt_data_is_1007(void **state) {
    (void)state;
    check_one(BYTES(""), "failed 1007");     /* not even a block */
    check_one(BYTES("\x07"), "failed 1007"); /* a kind of block that is none */
    check_one(BYTES("\x00\x05\x00\xfb\xffHello\x00"), "failed 1007"); /* lengths that differ */
    check_one(BYTES("Hello"), "failed 1007");
    check_one(BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00garbage"), "failed 1007"); /* after its end */
    check_one(BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00"),
              "failed 1007"); /* no block after the last */
    check_one(BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00\xff"), "failed 1007");
    check_one(BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff"),
              "failed 1007"); /* its tail */
}

/* Each byte of a message in turn left out from the end, or changed: no crash, and never text of
 * which the end is missing. */
static void a_truncated_message_is_no_message(void **state) {
    (void)state;
    struct ws_deflate d = {NULL, NULL, NULL, 0};
    struct buf plain = {0}, back = {0};
    put_words(&plain, 2000, 40);
    struct slice packed = ws_deflate_pack(&d, buf_bytes(&plain), 2000);
    char *copy = malloc(packed.len);
    assert_non_null(copy);
    memcpy(copy, packed.ptr, packed.len);
    packed.ptr = copy;
    for (size_t len = 0; len < packed.len; len++) {
        enum ws_unpacked result =
            ws_deflate_unpack(&d, (struct slice){copy, len}, 100000, &back);
        assert_true(result == WS_UNPACK_CORRUPT);
        buf_deinit(&back);
    }
    for (size_t i = 0; i < packed.len; i++) {
        copy[i] = (char)(copy[i] ^ (1 << i % 8));
        enum ws_unpacked result = ws_deflate_unpack(&d, packed, 4000, &back);
        assert_true(result != WS_UNPACK_NO_MEMORY && back.cap <= 4000);
        copy[i] = (char)(copy[i] ^ (1 << i % 8));
        buf_deinit(&back);
    }
    free(copy);
    buf_deinit(&plain);
    ws_deflate_deinit(&d);
}

static void utf8_is_that_of_what_comes_out(void **state) {
    (void)state;
    struct slice bad = BYTES("\x00\x02\x00\xfd\xff\xc3\x28\x00");
    struct slice cut = BYTES("\x00\x01\x00\xfe\xff\xc3\x00");
    check_one(bad, "failed 1007");
    check_one(cut, "failed 1007");
    struct buf b = ws_one_frame(FIN | RSV1 | WS_BINARY, bad);
    check(&b, "8>2:B(\xc3\x28) ok");
    /* The compressed bytes themselves need not be text. */
    check_one(BYTES("\x00\x02\x00\xfd\xff\xc3\xa9\x00"), "8>2:T(\xc3\xa9) ok");
}

/* ---- RSV1 where it may not be */

static void rsv1_is_for_first_frames_of_messages(void **state) {
    (void)state;
    static const unsigned controls[] = {WS_PING, WS_PONG, WS_CLOSE};
    for (size_t i = 0; i < 3; i++) {
        struct buf b = ws_one_frame(FIN | RSV1 | controls[i], SLICE(""));
        check(&b, "failed 1002");
    }
    struct buf b = {0};
    ws_put_frame(&b, RSV1 | WS_TEXT, SLICE("\xf2\x48"));
    ws_put_frame(&b, FIN | RSV1 | WS_CONTINUATION, SLICE("\xcd\xc9\xc9\x07\x00"));
    check(&b, "failed 1002");
    ws_put_frame(&b, WS_TEXT, SLICE("a"));
    ws_put_frame(&b, FIN | RSV1 | WS_CONTINUATION, HELLO);
    check(&b, "failed 1002");
    for (unsigned rsv = 1; rsv < 8; rsv++) {
        if (rsv == 4)
            continue;
        b = ws_one_frame(FIN | rsv << 4 | WS_TEXT, HELLO);
        check(&b, "failed 1002");
    }
}

static void rsv1_needs_the_agreement(void **state) {
    (void)state;
    limits.may_compress = false;
    check_one(HELLO, "failed 1002");
}

static void a_handler_may_stop_at_a_compressed_message(void **state) {
    (void)state;
    limits.stop_at = 0;
    struct buf b = ws_one_frame(FIN | RSV1 | WS_TEXT, HELLO);
    ws_put_frame(&b, FIN | RSV1 | WS_TEXT, HELLO);
    check(&b, "7>5:T(Hello) stopped");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_messages_of_the_rfc),
        TEST(each_message_is_for_itself),
        TEST(a_corrupt_message_harms_no_other),
        TEST(fragments_are_one_stream),
        TEST(every_size_and_every_kind_comes_back),
        TEST(what_is_no_shorter_is_not_packed),
        TEST(a_long_message_leaves_no_memory_behind),
        TEST(the_limit_is_for_what_comes_out),
        TEST(the_limit_is_for_what_comes),
        TEST(the_limit_of_fragments_stays),
        TEST(corrupt_data_is_1007),
        TEST(a_truncated_message_is_no_message),
        TEST(utf8_is_that_of_what_comes_out),
        TEST(rsv1_is_for_first_frames_of_messages),
        TEST(rsv1_needs_the_agreement),
        TEST(a_handler_may_stop_at_a_compressed_message),
    };
    return cmocka_run_group_tests_name("ws_deflate", tests, NULL, NULL);
}
