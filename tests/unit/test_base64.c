#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base64.h"

static void encodes_and_decodes(void **state) {
    (void)state;
    static const char *const pairs[][2] = {/* RFC 4648, section 10 */
                                           {"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xff\xfe\xfb", "//77"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct buf b;
        buf_init(&b);
        base64_encode(slice_of(pairs[i][0]), &b);
        assert_true(slice_is(buf_bytes(&b), pairs[i][1]));
        buf_clear(&b);
        assert_true(base64_decode(slice_of(pairs[i][1]), &b));
        assert_true(slice_is(buf_bytes(&b), pairs[i][0]));
        buf_deinit(&b);
    }
}

static void refuses(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "Z",     "Zg",      "Zg=",  "Zm9vY",    "====",     "Z===",     "=Zg=",    "Zg=a",
        "Zh==",  "Zm9=",    "Zm 9", "Zm9v\nZm", "Zm-_",     "Zg==Zg==", "\x1e===", "Zm9v====",
        "Z\0==", "Zm9\xc3", "A===", "Zg==Zm9v", "Zm9v=AAA", "A=A="};
    struct buf b;
    buf_init(&b);
    buf_str(&b, "before");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(base64_decode(slice_of(wrong[i]), &b));
        assert_true(slice_is(buf_bytes(&b), "before"));
    }
    assert_false(base64_decode((struct slice){"Z\0==", 4}, &b));
    buf_deinit(&b);
}

static void reads_as_clients_write_it(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"Z", ""},
                                           {"Zg", "f"},
                                           {"Zg==", "f"},
                                           {"Zm8", "fo"},
                                           {"Zm9v\n", "foo"},
                                           {"Zm9v\r\nYg=", "foob"},
                                           {" Z m 9 v ", "foo"},
                                           {"Zg==Zg==", "f"},
                                           {"!Zm*9v", "foo"},
                                           {"Zh==", "f"},
                                           {"=", ""},
                                           {"-_-_", "\xfb\xff\xbf"},
                                           {"+/+/", "\xfb\xff\xbf"},
                                           {"Zm9vY", "foo"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct buf b;
        buf_init(&b);
        base64_read(slice_of(pairs[i][0]), &b);
        assert_true(slice_is(buf_bytes(&b), pairs[i][1]));
        buf_deinit(&b);
    }
}

static void every_length(void **state) {
    (void)state;
    char bytes[300];
    struct buf text, back;
    buf_init(&text);
    buf_init(&back);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)(i * 37 + len);
        buf_clear(&text);
        buf_clear(&back);
        base64_encode((struct slice){bytes, len}, &text);
        assert_int_equal(text.len, (len + 2) / 3 * 4);
        assert_true(base64_decode(buf_bytes(&text), &back));
        assert_int_equal(back.len, len);
        if (len > 0)
            assert_memory_equal(back.data, bytes, len);
    }
    buf_deinit(&text);
    buf_deinit(&back);
}

/* Each byte string has one text, which is not padded, and nothing else is read. */
static void base64url(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg"},
                                           {"fo", "Zm8"},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg"},
                                           {"\xff\xfe\xfb", "__77"},
                                           {"\xfb\xef\xbe", "----"}};
    static const char *const wrong[] = {"Z",   "Zg==", "Zm8=", "Zm9vY",    "Zh",
                                        "Zm9", "//77", "++++", "Zm 9",     "Zm9v\n",
                                        "Zg.", "=",    "Zm9=", "Zm9v====", "Zm\xc3v"};
    struct buf b;
    buf_init(&b);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        base64url_encode(slice_of(pairs[i][0]), &b);
        assert_true(slice_is(buf_bytes(&b), pairs[i][1]));
        buf_clear(&b);
        assert_true(base64url_decode(slice_of(pairs[i][1]), &b));
        assert_true(slice_is(buf_bytes(&b), pairs[i][0]));
        buf_deinit(&b);
    }
    buf_str(&b, "before=+/");
    base64url_encode(SLICE("\xff\xfe"), &b);
    assert_true(slice_is(buf_bytes(&b), "before=+/__4"));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(base64url_decode(slice_of(wrong[i]), &b));
    assert_false(base64url_decode((struct slice){"Z\0g", 3}, &b));
    assert_true(slice_is(buf_bytes(&b), "before=+/__4"));
    buf_deinit(&b);
}

static void counts_digits(void **state) {
    (void)state;
    assert_int_equal(base64_digits(SLICE("")), 0);
    assert_int_equal(base64_digits(SLICE("Zg==")), 2);
    assert_int_equal(base64_digits(SLICE("+/09azAZ")), 8);
    assert_int_equal(base64_digits(SLICE("a-b")), 1);
    assert_int_equal(base64_digits(SLICE("ab_")), 2);
    assert_int_equal(base64_digits((struct slice){"a\0b", 3}), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_and_decodes), cmocka_unit_test(refuses),
        cmocka_unit_test(every_length),        cmocka_unit_test(reads_as_clients_write_it),
        cmocka_unit_test(base64url),           cmocka_unit_test(counts_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
