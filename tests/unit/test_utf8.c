#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/utf8.h"

struct vector {
    struct slice bytes;
    /* The byte at which no continuation is valid any more; -1: valid, -2: cut short. */
    int bad_at;
};

#define BYTES(literal)                                                                         \
    { (literal), sizeof(literal) - 1 }
enum { VALID = -1, CUT = -2 };

static const struct vector vectors[] = {
    {BYTES(""), VALID},
    {BYTES("\0"), VALID},
    {BYTES("\x7f"), VALID},
    {BYTES("\xc2\x80"), VALID},
    {BYTES("\xdf\xbf"), VALID},
    {BYTES("\xe0\xa0\x80"), VALID},
    {BYTES("\xe1\x80\x80"), VALID},
    {BYTES("\xec\xbf\xbf"), VALID},
    {BYTES("\xed\x80\x80"), VALID},
    {BYTES("\xed\x9f\xbf"), VALID}, /* U+D7FF */
    {BYTES("\xee\x80\x80"), VALID}, /* U+E000 */
    {BYTES("\xef\xbf\xbf"), VALID},
    {BYTES("\xf0\x90\x80\x80"), VALID},
    {BYTES("\xf1\x80\x80\x80"), VALID},
    {BYTES("\xf3\xbf\xbf\xbf"), VALID},
    {BYTES("\xf4\x80\x80\x80"), VALID},
    {BYTES("\xf4\x8f\xbf\xbf"), VALID}, /* U+10FFFF */
    {BYTES("plain text that is longer than eight"), VALID},
    {BYTES("1234567\xc3\xa9"), VALID},
    {BYTES("12345678\xc3\xa9"
           "12345678"),
     VALID},
    {BYTES("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5 \xf0\x9f\x98\x80 end"), VALID},
    {BYTES("\x80"), 0},
    {BYTES("\xbf"), 0},
    {BYTES("\xc0\x80"), 0}, /* overlong */
    {BYTES("\xc1\xbf"), 0},
    {BYTES("\xc2\x7f"), 1},
    {BYTES("\xc2\xc0"), 1},
    {BYTES("\xe0\x9f\xbf"), 1}, /* overlong */
    {BYTES("\xe1\x7f\x80"), 1},
    {BYTES("\xe1\x80\xc0"), 2},
    {BYTES("\xed\xa0\x80"), 1}, /* surrogates */
    {BYTES("\xed\xbf\xbf"), 1},
    {BYTES("\xf0\x8f\xbf\xbf"), 1}, /* overlong */
    {BYTES("\xf0\x90\x7f\x80"), 2},
    {BYTES("\xf0\x90\x80\x7f"), 3},
    {BYTES("\xf0\x90\x80\xc0"), 3},
    {BYTES("\xf4\x90\x80\x80"), 1}, /* above U+10FFFF */
    {BYTES("\xf5\x80\x80\x80"), 0},
    {BYTES("\xf8\x88\x80\x80\x80"), 0},
    {BYTES("\xff"), 0},
    {BYTES("12345678\xff"
           "2345678"),
     8},
    {BYTES("1234567\xff"), 7},
    {BYTES("12345678\xc3\xa9\x80"
           "12345678"),
     10},
    {BYTES("abc\xc3"), CUT},
    {BYTES("\xe2\x82"), CUT},
    {BYTES("\xf0\x9f\x98"), CUT},
    {BYTES("12345678\xf0"), CUT},
};
enum { VECTORS = sizeof vectors / sizeof vectors[0] };

static void assert_state(const struct vector *v, uint32_t got) {
    if (v->bad_at == VALID)
        assert_int_equal(got, UTF8_ACCEPT);
    else if (v->bad_at >= 0)
        assert_int_equal(got, UTF8_REJECT);
    else
        assert_true(got != UTF8_ACCEPT && got != UTF8_REJECT);
}

/* Feeds a copy of exact size, so that a read past its end is found. */
static uint32_t feed(uint32_t state, const char *bytes, size_t len) {
    char *copy = malloc(len == 0 ? 1 : len);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    state = utf8_feed(state, copy, len);
    free(copy);
    return state;
}

static void judges_each_vector_whole(void **state) {
    (void)state;
    for (size_t i = 0; i < VECTORS; i++) {
        const struct vector *v = &vectors[i];
        assert_state(v, feed(UTF8_ACCEPT, v->bytes.ptr, v->bytes.len));
        assert_int_equal(utf8_valid(v->bytes), v->bad_at == VALID);
    }
    assert_true(utf8_valid((struct slice){NULL, 0}));
}

static void judges_each_vector_split_anywhere(void **state) {
    (void)state;
    for (size_t i = 0; i < VECTORS; i++) {
        const struct vector *v = &vectors[i];
        for (size_t cut = 0; cut <= v->bytes.len; cut++) {
            uint32_t s = feed(UTF8_ACCEPT, v->bytes.ptr, cut);
            assert_state(v, feed(s, v->bytes.ptr + cut, v->bytes.len - cut));
        }
    }
}

static void rejects_at_the_first_bad_byte(void **state) {
    (void)state;
    for (size_t i = 0; i < VECTORS; i++) {
        const struct vector *v = &vectors[i];
        uint32_t s = UTF8_ACCEPT;
        for (size_t at = 0; at < v->bytes.len; at++) {
            s = feed(s, v->bytes.ptr + at, 1);
            assert_int_equal(s == UTF8_REJECT, v->bad_at >= 0 && at >= (size_t)v->bad_at);
        }
    }
}

static void an_empty_piece_changes_nothing(void **state) {
    (void)state;
    uint32_t inside = utf8_feed(UTF8_ACCEPT, "\xe2\x82", 2);
    assert_int_equal(utf8_feed(inside, NULL, 0), inside);
    assert_int_equal(utf8_feed(UTF8_REJECT, "ok", 2), UTF8_REJECT);
    assert_int_equal(utf8_feed(inside, "\xac", 1), UTF8_ACCEPT);
}

static void finds_a_bad_byte_at_any_offset(void **state) {
    (void)state;
    for (size_t len = 1; len < 40; len++) {
        for (size_t at = 0; at < len; at++) {
            char text[40];
            memset(text, 'a', sizeof text);
            text[at] = '\xff';
            assert_int_equal(feed(UTF8_ACCEPT, text, len), UTF8_REJECT);
            text[at] = '\x7f';
            assert_int_equal(feed(UTF8_ACCEPT, text, len), UTF8_ACCEPT);
        }
    }
}

static bool is_surrogate(uint32_t c) {
    return c >= 0xd800 && c <= 0xdfff;
}

static void every_code_point_goes_there_and_back(void **state) {
    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        char text[6] = "<";
        size_t len = utf8_encode(text + 1, c);
        size_t expected = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        if (len != expected)
            fail_msg("U+%04X has length %zu", (unsigned)c, len);
        struct slice s = {text, len + 1};
        if (utf8_valid(s) == is_surrogate(c))
            fail_msg("U+%04X is judged wrongly", (unsigned)c);
        size_t next = 0;
        if (!is_surrogate(c) && (utf8_decode(s, 1, &next) != c || next != len + 1))
            fail_msg("U+%04X is decoded wrongly", (unsigned)c);
    }
}

/* Independent of the state machine: decodes by the bit patterns, then checks the range. */
static bool naive_valid(const unsigned char *p, size_t len) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    for (size_t at = 0; at < len;) {
        unsigned char c = p[at];
        size_t n = c < 0x80             ? 1
                   : (c & 0xe0) == 0xc0 ? 2
                   : (c & 0xf0) == 0xe0 ? 3
                   : (c & 0xf8) == 0xf0 ? 4
                                        : 0;
        if (n == 0 || n > len - at)
            return false;
        uint32_t value = n == 1 ? c : c & (0x7fU >> n);
        for (size_t i = 1; i < n; i++) {
            if ((p[at + i] & 0xc0) != 0x80)
                return false;
            value = value << 6 | (p[at + i] & 0x3f);
        }
        if (value < least[n] || value > 0x10ffff || is_surrogate(value))
            return false;
        at += n;
    }
    return true;
}

static void agrees_with_a_naive_decoder(void **state) {
    (void)state;
    static const unsigned char bytes[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0,
                                          0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec,
                                          0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5};
    enum { N = sizeof bytes };
    for (unsigned i = 0; i < N * N * N * N; i++) {
        unsigned char text[4] = {bytes[i % N], bytes[i / N % N], bytes[i / N / N % N],
                                 bytes[i / N / N / N]};
        for (size_t len = 1; len <= 4; len++) {
            struct slice s = {(const char *)text, len};
            if (utf8_valid(s) != naive_valid(text, len))
                fail_msg("%02x %02x %02x %02x, length %zu", text[0], text[1], text[2], text[3],
                         len);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_each_vector_whole),
        cmocka_unit_test(judges_each_vector_split_anywhere),
        cmocka_unit_test(rejects_at_the_first_bad_byte),
        cmocka_unit_test(an_empty_piece_changes_nothing),
        cmocka_unit_test(finds_a_bad_byte_at_any_offset),
        cmocka_unit_test(every_code_point_goes_there_and_back),
        cmocka_unit_test(agrees_with_a_naive_decoder),
    };
    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
