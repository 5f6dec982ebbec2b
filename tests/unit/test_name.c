#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/name.h"
#include "common/utf8.h"

static void assert_both(struct slice s, bool expected, const char *what) {
    if (name_valid(s) != expected || name_valid_user(s) != expected)
        fail_msg("%s: expected %s", what, expected ? "valid" : "invalid");
}

static void lengths_have_bounds(void **state) {
    (void)state;
    char bytes[200];
    memset(bytes, 'a', sizeof bytes);
    assert_both((struct slice){NULL, 0}, false, "nothing");
    assert_both(SLICE(""), false, "empty");
    for (size_t len = 1; len < sizeof bytes; len++)
        assert_both((struct slice){bytes, len}, len <= 128, "length");
    /* Bytes count, not characters: 64 characters of two bytes fit, and half a character is not
     * valid. */
    for (size_t i = 0; i < 129; i += 2)
        memcpy(bytes + i, "\xc3\xa9", 2);
    assert_both((struct slice){bytes, 128}, true, "64 characters");
    assert_both((struct slice){bytes, 127}, false, "half a character");
    assert_both((struct slice){bytes, 130}, false, "65 characters");
}

static bool is_forbidden(uint32_t c) {
    static const uint32_t spaces[] = {0x85,   0xa0,   0x1680, 0x2000, 0x2001, 0x2002, 0x2003,
                                      0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a,
                                      0x2028, 0x2029, 0x202f, 0x205f, 0x3000};
    if (c <= 0x20 || (c >= 0x7f && c <= 0x9f) || c == '{' || c == '}')
        return true;
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
        if (c == spaces[i])
            return true;
    }
    return false;
}

/* Every code point there is: alone, first, in the middle and last. */
static void each_character_is_judged(void **state) {
    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        if (c >= 0xd800 && c <= 0xdfff)
            continue;
        char bytes[8] = "xx";
        size_t len = utf8_encode(bytes + 2, c);
        bytes[2 + len] = 'x';
        bool expected = !is_forbidden(c);
        bool good = name_valid((struct slice){bytes + 2, len}) == expected &&
                    name_valid((struct slice){bytes + 2, len + 1}) == expected &&
                    name_valid((struct slice){bytes, len + 3}) == expected &&
                    name_valid((struct slice){bytes, len + 2}) == expected;
        bool user = name_valid_user((struct slice){bytes, len + 3});
        if (!good || user != (expected && c != ':'))
            fail_msg("U+%04X is judged wrongly", c);
    }
}

static void bytes_must_be_utf8(void **state) {
    (void)state;
    static const char *const bad[] = {
        "\x80",
        "\xc3",
        "a\xc3",
        "\xc3(",
        "\xff",
        "\xc0\xaf",
        "\xed\xa0\x80",
        "\xf4\x90\x80\x80",
        "\xe2\x82",
        "\xf0\x9f\x98",
        "a\xffz",
        "\xc1\xbf",
        "\xe0\x80\x80",
        "\xed\xbf\xbf",
        "\xf8\x88\x80\x80\x80",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_both(slice_of(bad[i]), false, bad[i]);
}

static void only_users_have_no_colon(void **state) {
    (void)state;
    static const char *const with_colon[] = {":", "room:a", ":a", "a:", "a:b:c"};
    for (size_t i = 0; i < sizeof with_colon / sizeof *with_colon; i++) {
        assert_true(name_valid(slice_of(with_colon[i])));
        assert_false(name_valid_user(slice_of(with_colon[i])));
    }
}

/* --- from JSON ------------------------------------------------------------------------------
 */

static struct json_value value_of(const char *text) {
    struct json_value value;
    assert_int_equal(json_parse(slice_of(text), &value), JSON_OK);
    return value;
}

/* expected: NULL for refused. */
static void check_json(const char *text, bool user, const char *expected) {
    struct name name;
    memset(&name, 0x5a, sizeof name);
    bool good = name_from_json(value_of(text), user, &name);
    if (good != (expected != NULL))
        fail_msg("%s as a %s: %s", text, user ? "user" : "channel", good ? "taken" : "refused");
    if (!good)
        assert_int_equal(name.len, 0);
    else if (!slice_is(name_slice(&name), expected))
        fail_msg("%s became \"%.*s\"", text, (int)name.len, name.bytes);
}

static void check_json_both(const char *text, const char *expected) {
    check_json(text, false, expected);
    check_json(text, true, expected);
}

static void strings_are_unescaped(void **state) {
    (void)state;
    check_json_both("\"alice\"", "alice");
    check_json_both("\"\\u0061\\/b\"", "a/b");
    check_json_both("\"q\\\"\\\\\"", "q\"\\");
    check_json_both("\"\\u00e9\"", "\xc3\xa9");
    check_json_both("\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80");
    check_json_both("\"\xf0\x9f\x98\x80\"", "\xf0\x9f\x98\x80");
    check_json("\"room:a\"", false, "room:a");
    check_json("\"room:a\"", true, NULL);
    check_json("\"a\\u003ab\"", true, NULL);
}

static void escapes_hide_nothing(void **state) {
    (void)state;
    static const char *const bad[] = {
        "\"\"",         "\"\\u0000\"",     "\"a\\u0000b\"",      "\"\\n\"",
        "\"a\\tb\"",    "\"\\b\"",         "\"\\u001f\"",        "\"\\u007f\"",
        "\"\\u0085\"",  "\"\\u00a0\"",     "\"\\u3000\"",        "\"\\u2028\"",
        "\"\\u0020a\"", "\"\\u007b\"",     "\"\\u007D\"",        "\"a b\"",
        "\"\\ud83d\"",  "\"\\ude00\"",     "\"\\ud83d\\ud83d\"", "\"\\ude00\\ud83d\"",
        "\"\\ud83dx\"", "\"a\\ud83d\\n\"", "\"\\ud83d\\u0041\"",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_json_both(bad[i], NULL);
}

static void other_types_are_no_names(void **state) {
    (void)state;
    static const char *const bad[] = {"null", "true", "false", "[]",  "{}",       "[\"a\"]",
                                      "1.0",  "1e3",  "-0.5",  "1E2", "{\"a\":1}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_json_both(bad[i], NULL);
    struct name name = {.len = 9};
    assert_false(name_from_json((struct json_value){JSON_NONE, {NULL, 0}}, true, &name));
    assert_int_equal(name.len, 0);
}

static void integers_name_users_only(void **state) {
    (void)state;
    static const char *const integers[] = {"0", "7", "-7", "9007199254740993",
                                           "123456789012345678901234567890"};
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        check_json(integers[i], true, integers[i]);
        check_json(integers[i], false, NULL);
    }
    char digits[130];
    memset(digits, '1', sizeof digits);
    digits[129] = '\0';
    check_json(digits, true, NULL);
    digits[128] = '\0';
    check_json(digits, true, digits);
}

static void json_lengths_count_decoded_bytes(void **state) {
    (void)state;
    for (size_t count = 126; count <= 131; count++) {
        char text[1000] = "\"";
        char expected[200] = "";
        for (size_t i = 0; i < count; i++) {
            strcat(text, "\\u0061");
            strcat(expected, "a");
        }
        strcat(text, "\"");
        check_json_both(text, count <= 128 ? expected : NULL);
    }
    /* A character that begins within the bounds and ends outside. */
    char text[200];
    snprintf(text, sizeof text, "\"%0127d\\u00e9\"", 0);
    check_json_both(text, NULL);
    snprintf(text, sizeof text, "\"%0126d\\u00e9\"", 0);
    struct name name;
    assert_true(name_from_json(value_of(text), true, &name));
    assert_int_equal(name.len, 128);
}

static void set_copies(void **state) {
    (void)state;
    struct name name;
    char bytes[128];
    memset(bytes, 'b', sizeof bytes);
    name_set(&name, (struct slice){bytes, sizeof bytes});
    assert_true(slice_eq(name_slice(&name), (struct slice){bytes, sizeof bytes}));
    name_set(&name, SLICE("c"));
    assert_true(slice_is(name_slice(&name), "c"));
    name_set(&name, (struct slice){NULL, 0});
    assert_int_equal(name_slice(&name).len, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_have_bounds),
        cmocka_unit_test(each_character_is_judged),
        cmocka_unit_test(bytes_must_be_utf8),
        cmocka_unit_test(only_users_have_no_colon),
        cmocka_unit_test(strings_are_unescaped),
        cmocka_unit_test(escapes_hide_nothing),
        cmocka_unit_test(other_types_are_no_names),
        cmocka_unit_test(integers_name_users_only),
        cmocka_unit_test(json_lengths_count_decoded_bytes),
        cmocka_unit_test(set_copies),
    };
    return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
