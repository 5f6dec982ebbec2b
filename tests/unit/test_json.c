#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/json.h"
#include "common/utf8.h"

/* A copy of exact size, so that a read past its end is found. */
static char *copy_of(struct slice s) {
    char *copy = malloc(s.len == 0 ? 1 : s.len);
    assert_non_null(copy);
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return copy;
}

static int parse_result(struct slice text) {
    char *copy = copy_of(text);
    struct json_value v = {.type = JSON_TRUE};
    int result = json_parse((struct slice){copy, text.len}, &v);
    assert_int_equal(result == JSON_OK, v.type != JSON_NONE);
    free(copy);
    return result;
}

static struct json_value parsed(const char *text) {
    struct json_value v;
    if (json_parse(slice_of(text), &v) != JSON_OK)
        fail_msg("not accepted: %s", text);
    return v;
}

static void assert_raw(struct json_value v, enum json_type type, const char *raw) {
    assert_int_equal(v.type, type);
    if (!slice_is(v.raw, raw))
        fail_msg("%.*s is not %s", (int)v.raw.len, v.raw.ptr, raw);
}

static const struct {
    const char *text;
    enum json_type type;
} good[] = {
    {"null", JSON_NULL},
    {"true", JSON_TRUE},
    {"false", JSON_FALSE},
    {"0", JSON_NUMBER},
    {"-0", JSON_NUMBER},
    {"7", JSON_NUMBER},
    {"1234567890", JSON_NUMBER},
    {"-12", JSON_NUMBER},
    {"0.5", JSON_NUMBER},
    {"-0.0", JSON_NUMBER},
    {"10.01", JSON_NUMBER},
    {"1e5", JSON_NUMBER},
    {"1E5", JSON_NUMBER},
    {"1e+5", JSON_NUMBER},
    {"1e-5", JSON_NUMBER},
    {"1e05", JSON_NUMBER},
    {"0e0", JSON_NUMBER},
    {"1.5e300", JSON_NUMBER},
    {"1e400", JSON_NUMBER},
    {"9007199254740993", JSON_NUMBER},
    {"123456789012345678901234567890123456789", JSON_NUMBER},
    {"\"\"", JSON_STRING},
    {"\"a\"", JSON_STRING},
    {"\"1234567\"", JSON_STRING},
    {"\"12345678\"", JSON_STRING},
    {"\"a long string without anything special\"", JSON_STRING},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", JSON_STRING},
    {"\"\\u0000\\u00e9\\uABCD\\uabcd\"", JSON_STRING},
    {"\"\\ud83d\\ude00\"", JSON_STRING},
    {"\"\\ud800\"", JSON_STRING}, /* the grammar allows half a pair */
    {"\"\x7f\"", JSON_STRING},
    {"\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"", JSON_STRING},
    {"\"{[,:]}\"", JSON_STRING},
    {"[]", JSON_ARRAY},
    {"[ ]", JSON_ARRAY},
    {"[1]", JSON_ARRAY},
    {"[1,2]", JSON_ARRAY},
    {"[[],{},\"\",0,null,true,false]", JSON_ARRAY},
    {"[\r\n\t 1 , \r\n\t2\r\n\t ]", JSON_ARRAY},
    {"[[[]],[[]]]", JSON_ARRAY},
    {"{}", JSON_OBJECT},
    {"{ }", JSON_OBJECT},
    {"{\"\":0}", JSON_OBJECT},
    {"{\"a\":1,\"b\":{\"c\":[]}}", JSON_OBJECT},
    {"{ \"a\" : 1 , \"b\" : [ { } ] }", JSON_OBJECT},
    {"{\"a\":1,\"a\":2}", JSON_OBJECT},
    {"{\"\\u0061\":1}", JSON_OBJECT},
    {"{\"a\":[{\"b\":[{}]},[]],\"c\":{}}", JSON_OBJECT},
};
enum { GOOD = sizeof good / sizeof good[0] };

#define BYTES(literal)                                                                         \
    { (literal), sizeof(literal) - 1 }

static const struct slice bad[] = {
    BYTES(""),
    BYTES(" "),
    BYTES("\t\n\r "),
    /* Words. */
    BYTES("nul"),
    BYTES("nulL"),
    BYTES("nullx"),
    BYTES("True"),
    BYTES("tru"),
    BYTES("truefalse"),
    BYTES("fals"),
    BYTES("undefined"),
    BYTES("NaN"),
    BYTES("Infinity"),
    BYTES("-Infinity"),
    /* Numbers. */
    BYTES("-"),
    BYTES("+1"),
    BYTES("01"),
    BYTES("-01"),
    BYTES("00"),
    BYTES("1."),
    BYTES("-1."),
    BYTES(".5"),
    BYTES("-.5"),
    BYTES("1e"),
    BYTES("1e+"),
    BYTES("1e-"),
    BYTES("1ee5"),
    BYTES("1e5.5"),
    BYTES("1.2.3"),
    BYTES("1.e5"),
    BYTES("0x10"),
    BYTES("1 2"),
    BYTES("--1"),
    BYTES("1_000"),
    BYTES("1,"),
    BYTES("\xef\xbc\x91"), /* a full-width digit */
    /* Strings. */
    BYTES("\""),
    BYTES("\"a"),
    BYTES("\"abcdefghijkl"),
    BYTES("\"\\\""),
    BYTES("\"\\"),
    BYTES("\"\\a\""),
    BYTES("\"\\0\""),
    BYTES("\"\\x41\""),
    BYTES("\"\\U0041\""),
    BYTES("\"\\'\""),
    BYTES("\"\\\n\""),
    BYTES("\"\\\0\""),
    BYTES("\"\\u\""),
    BYTES("\"\\u004\""),
    BYTES("\"\\u004g\""),
    BYTES("\"\\u 041\""),
    BYTES("\"\\u+041\""),
    BYTES("\"\\u00"),
    BYTES("\"\0\""),
    BYTES("\"\x01\""),
    BYTES("\"\x1f\""),
    BYTES("\"\n\""),
    BYTES("\"\t\""),
    BYTES("\"abcdefgh\nabcdefgh\""),
    BYTES("\"abc\0defghijklmn\""),
    BYTES("'a'"),
    BYTES("\"a\"b"),
    BYTES("\"a\"\"b\""),
    /* Arrays. */
    BYTES("["),
    BYTES("]"),
    BYTES("[1"),
    BYTES("[1,"),
    BYTES("[1,]"),
    BYTES("[,1]"),
    BYTES("[,]"),
    BYTES("[1,,2]"),
    BYTES("[1 2]"),
    BYTES("[1:2]"),
    BYTES("[1}"),
    BYTES("[}"),
    BYTES("[]]"),
    BYTES("[1]]"),
    BYTES("[[1]"),
    BYTES("[\"a\":1]"),
    /* Objects. */
    BYTES("{"),
    BYTES("}"),
    BYTES("{\"a\""),
    BYTES("{\"a\":"),
    BYTES("{\"a\":1"),
    BYTES("{\"a\":1,"),
    BYTES("{\"a\":1,}"),
    BYTES("{,\"a\":1}"),
    BYTES("{\"a\"}"),
    BYTES("{\"a\":}"),
    BYTES("{\"a\",1}"),
    BYTES("{\"a\"::1}"),
    BYTES("{\"a\":1 \"b\":2}"),
    BYTES("{\"a\":1,,\"b\":2}"),
    BYTES("{a:1}"),
    BYTES("{1:1}"),
    BYTES("{null:1}"),
    BYTES("{[]:1}"),
    BYTES("{\"a\":1]"),
    BYTES("{]"),
    BYTES("{}}"),
    BYTES("{\"a\":1}{}"),
    BYTES("{\"\x02\":1}"),
    BYTES("[{]}"),
    BYTES("{\"a\":[}]"),
    /* Around the value. */
    BYTES("[]x"),
    BYTES("[] []"),
    BYTES("1\0"),
    BYTES("[]\0"),
    BYTES("\0[]"),
    BYTES("\xef\xbb\xbf[]"), /* a byte order mark */
    BYTES("\x0b[]"),
    BYTES("\x0c[]"),
    BYTES("\xc2\xa0[]"),
    BYTES("/**/[]"),
    BYTES("[]//"),
    BYTES("[1/**/]"),
    BYTES(","),
    BYTES(":"),
};

static void accepts_good_texts(void **state) {
    (void)state;
    for (size_t i = 0; i < GOOD; i++)
        assert_raw(parsed(good[i].text), good[i].type, good[i].text);
}

static void leaves_out_white_space_around(void **state) {
    (void)state;
    for (size_t i = 0; i < GOOD; i++) {
        struct buf b;
        buf_init(&b);
        buf_printf(&b, " \t\r\n%s\n\r\t ", good[i].text);
        struct json_value v;
        assert_int_equal(json_parse(buf_bytes(&b), &v), JSON_OK);
        assert_raw(v, good[i].type, good[i].text);
        assert_ptr_equal(v.raw.ptr, b.data + 4);
        buf_deinit(&b);
    }
}

static void accepts_good_texts_inside_others(void **state) {
    (void)state;
    for (size_t i = 0; i < GOOD; i++) {
        struct buf b;
        buf_init(&b);
        buf_printf(&b, "{\"k\":%s,\"l\":[%s, %s ]}", good[i].text, good[i].text, good[i].text);
        assert_int_equal(parse_result(buf_bytes(&b)), JSON_OK);
        buf_deinit(&b);
    }
}

static void rejects_bad_texts(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (parse_result(bad[i]) != JSON_E_SYNTAX)
            fail_msg("accepted: %.*s", (int)bad[i].len, bad[i].ptr);
    }
    assert_int_equal(parse_result((struct slice){NULL, 0}), JSON_E_SYNTAX);
}

/* Only of a number can a shorter text be good as well. */
static void rejects_each_text_cut_short(void **state) {
    (void)state;
    for (size_t i = 0; i < GOOD; i++) {
        size_t len = strlen(good[i].text);
        for (size_t cut = 0; cut < len; cut++) {
            int expected = JSON_E_SYNTAX;
            if (good[i].type == JSON_NUMBER && cut > 0) {
                char last = good[i].text[cut - 1];
                expected = last >= '0' && last <= '9' ? JSON_OK : JSON_E_SYNTAX;
            }
            if (parse_result((struct slice){good[i].text, cut}) != expected)
                fail_msg("cut at %zu: %s", cut, good[i].text);
        }
    }
}

static void rejects_each_control_character_anywhere_in_a_string(void **state) {
    (void)state;
    for (int c = 0; c < 0x20; c++) {
        for (size_t at = 1; at < 25; at++) {
            char text[26];
            memset(text, 'a', sizeof text);
            text[0] = text[25] = '"';
            assert_int_equal(parse_result((struct slice){text, 26}), JSON_OK);
            text[at] = (char)c;
            assert_int_equal(parse_result((struct slice){text, 26}), JSON_E_SYNTAX);
        }
    }
}

static void any_other_byte_may_be_in_a_string(void **state) {
    (void)state;
    for (int c = 0x20; c < 0x100; c++) {
        if (c == '"' || c == '\\')
            continue;
        for (size_t at = 1; at < 17; at++) {
            char text[18];
            memset(text, 'a', sizeof text);
            text[0] = text[17] = '"';
            text[at] = (char)c;
            assert_int_equal(parse_result((struct slice){text, 18}), JSON_OK);
        }
    }
}

/* mix: each level's bracket by a bit of it. */
static int nested_result(unsigned depth, unsigned mix, const char *inner) {
    struct buf b;
    buf_init(&b);
    for (unsigned i = 0; i < depth; i++)
        buf_str(&b, mix >> (i % 32) & 1 ? "{\"k\":" : "[");
    buf_str(&b, inner);
    for (unsigned i = depth; i > 0; i--)
        buf_char(&b, mix >> ((i - 1) % 32) & 1 ? '}' : ']');
    int result = parse_result(buf_bytes(&b));
    buf_deinit(&b);
    return result;
}

static void nests_to_the_limit_and_no_deeper(void **state) {
    (void)state;
    static const unsigned mixes[] = {0, ~0U, 0x55555555U, 0x12345678U};
    for (size_t i = 0; i < sizeof mixes / sizeof mixes[0]; i++) {
        for (unsigned depth = 0; depth <= JSON_MAX_DEPTH; depth++)
            assert_int_equal(nested_result(depth, mixes[i], "1"), JSON_OK);
        assert_int_equal(nested_result(JSON_MAX_DEPTH - 1, mixes[i], "{}"), JSON_OK);
        assert_int_equal(nested_result(JSON_MAX_DEPTH - 1, mixes[i], "[[],1]"), JSON_E_DEPTH);
        assert_int_equal(nested_result(JSON_MAX_DEPTH, mixes[i], "[]"), JSON_E_DEPTH);
        assert_int_equal(nested_result(JSON_MAX_DEPTH + 1, mixes[i], "1"), JSON_E_DEPTH);
        assert_int_equal(nested_result(100000, mixes[i], "1"), JSON_E_DEPTH);
    }
}

static void depth_counts_open_levels_only(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b);
    buf_char(&b, '[');
    for (int i = 0; i < 1000; i++)
        buf_str(&b, "[[]],{\"a\":{}},");
    buf_str(&b, "1]");
    assert_int_equal(parse_result(buf_bytes(&b)), JSON_OK);
    buf_deinit(&b);
}

static void closers_must_match_at_every_level(void **state) {
    (void)state;
    for (unsigned wrong = 0; wrong < JSON_MAX_DEPTH; wrong++) {
        struct buf b;
        buf_init(&b);
        for (unsigned i = 0; i < JSON_MAX_DEPTH; i++)
            buf_str(&b, i % 3 == 0 ? "{\"k\":" : "[");
        buf_char(&b, '1');
        for (unsigned i = JSON_MAX_DEPTH; i > 0; i--)
            buf_char(&b, ((i - 1) % 3 == 0) != (i - 1 == wrong) ? '}' : ']');
        assert_int_equal(parse_result(buf_bytes(&b)), JSON_E_SYNTAX);
        buf_deinit(&b);
    }
}

static void walks_an_object(void **state) {
    (void)state;
    struct json_value v =
        parsed(" { \"a\" : 1 ,\"\\\"\":\"}\\\\\",\"c\":[ 1,{\"]\":2} ], \"d\":{ } ,"
               "\"e\":null,\"f\":1e400 } ");
    static const char *const keys[] = {"\"a\"", "\"\\\"\"", "\"c\"", "\"d\"", "\"e\"", "\"f\""};
    static const char *const values[] = {"1",   "\"}\\\\\"", "[ 1,{\"]\":2} ]",
                                         "{ }", "null",      "1e400"};
    static const enum json_type types[] = {JSON_NUMBER, JSON_STRING, JSON_ARRAY,
                                           JSON_OBJECT, JSON_NULL,   JSON_NUMBER};
    struct json_iter it;
    json_iter_init(&it, v);
    for (size_t i = 0; i < 6; i++) {
        assert_true(json_iter_next(&it));
        assert_true(slice_is(it.key, keys[i]));
        assert_raw(it.value, types[i], values[i]);
    }
    assert_false(json_iter_next(&it));
    assert_false(json_iter_next(&it));
}

static void walks_an_array(void **state) {
    (void)state;
    struct json_value v = parsed("[true , false,\"a,b\", -1.5\n,[[],[]],{\"a\":[\"[\"]}\t]");
    static const char *const values[] = {"true", "false",   "\"a,b\"",
                                         "-1.5", "[[],[]]", "{\"a\":[\"[\"]}"};
    struct json_iter it;
    json_iter_init(&it, v);
    for (size_t i = 0; i < 6; i++) {
        assert_true(json_iter_next(&it));
        assert_int_equal(it.key.len, 0);
        assert_true(slice_is(it.value.raw, values[i]));
    }
    assert_false(json_iter_next(&it));
}

static void only_containers_have_members(void **state) {
    (void)state;
    static const char *const texts[] = {"1",  "\"ab\"", "null", "true",
                                        "[]", "{}",     "[ ]",  "{ }"};
    struct json_iter it;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_iter_init(&it, parsed(texts[i]));
        assert_false(json_iter_next(&it));
    }
    json_iter_init(&it, (struct json_value){0});
    assert_false(json_iter_next(&it));
}

/* All that the walk finds must again be a text with the same bounds. */
static void assert_walk(struct json_value v) {
    struct json_iter it;
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        struct json_value again;
        assert_int_equal(json_parse(it.value.raw, &again), JSON_OK);
        assert_int_equal(again.type, it.value.type);
        assert_true(slice_eq(again.raw, it.value.raw));
        if (v.type == JSON_OBJECT)
            assert_int_equal(json_parse(it.key, &again), JSON_OK);
        assert_walk(it.value);
    }
}

static void walks_agree_with_parsing(void **state) {
    (void)state;
    for (size_t i = 0; i < GOOD; i++) {
        for (size_t j = 0; j < GOOD; j++) {
            struct buf b;
            buf_init(&b);
            buf_printf(&b, "[%s , %s,{\"x\":%s,\"y\" :%s }]", good[i].text, good[j].text,
                       good[j].text, good[i].text);
            char *copy = copy_of(buf_bytes(&b));
            struct json_value v;
            assert_int_equal(json_parse((struct slice){copy, b.len}, &v), JSON_OK);
            assert_walk(v);
            free(copy);
            buf_deinit(&b);
        }
    }
}

static void finds_fields(void **state) {
    (void)state;
    static const char *const names[] = {"event", "data", "ack", "none", "", "eve", "events"};
    struct json_value v[7];
    json_fields(parsed("{\"event\":\"say\",\"data\":{\"event\":1,\"ack\":[]},\"ack\":7}"),
                names, v, 7);
    assert_raw(v[0], JSON_STRING, "\"say\"");
    assert_raw(v[1], JSON_OBJECT, "{\"event\":1,\"ack\":[]}");
    assert_raw(v[2], JSON_NUMBER, "7");
    for (size_t i = 3; i < 7; i++)
        assert_int_equal(v[i].type, JSON_NONE);
    json_fields(parsed("{\"\":1}"), names, v, 7);
    assert_raw(v[4], JSON_NUMBER, "1");
    assert_int_equal(v[0].type, JSON_NONE);
}

static void fields_of_no_object_are_none(void **state) {
    (void)state;
    static const char *const names[] = {"a"};
    static const char *const texts[] = {"1", "[\"a\",1]", "\"a\"", "null", "{}", "[{\"a\":1}]"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct json_value v = {.type = JSON_TRUE};
        json_fields(parsed(texts[i]), names, &v, 1);
        assert_int_equal(v.type, JSON_NONE);
        assert_int_equal(v.raw.len, 0);
    }
    json_fields(parsed("{\"a\":1}"), names, NULL, 0);
}

static void fields_compare_unescaped_keys(void **state) {
    (void)state;
    static const char *const names[] = {"data", "\xc3\xa9\"/", "\xf0\x9f\x98\x80"};
    struct json_value v[3];
    json_fields(parsed("{\"d\\u0061t\\u0061\":1,\"\\u00E9\\\"\\/\":2,\"\\ud83d\\ude00\":3}"),
                names, v, 3);
    assert_raw(v[0], JSON_NUMBER, "1");
    assert_raw(v[1], JSON_NUMBER, "2");
    assert_raw(v[2], JSON_NUMBER, "3");
    json_fields(parsed("{\"\xc3\xa9\\u0022/\":4,\"\xf0\x9f\x98\x80\":5,\"dat\\u0061x\":6,"
                       "\"dat\\u0000\":7,\"data\\u0000\":8,\"\\ud800\":9,\"d\\ud800\":9,"
                       "\"d\\u0061\":10,\"data\\u00e9\":11}"),
                names, v, 3);
    assert_int_equal(v[0].type, JSON_NONE);
    assert_raw(v[1], JSON_NUMBER, "4");
    assert_raw(v[2], JSON_NUMBER, "5");
}

static void of_equal_keys_the_last_counts(void **state) {
    (void)state;
    static const char *const names[] = {"a", "a"};
    struct json_value v[2];
    json_fields(parsed("{\"a\":1,\"b\":2,\"\\u0061\":[3],\"c\":{\"a\":4}}"), names, v, 2);
    assert_raw(v[0], JSON_ARRAY, "[3]");
    assert_raw(v[1], JSON_ARRAY, "[3]");
}

static void values_keep_every_byte(void **state) {
    (void)state;
    static const char *const names[] = {"data"};
    static const char *const texts[] = {"9007199254740993",
                                        "1.0",
                                        "1e400",
                                        "-0",
                                        "1E+2",
                                        "\"\\u00e9\\/\\ud800\"",
                                        "{ \"b\" : 1.50 ,\"a\":\t[ 1 , 2 ],\"b\":2}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct buf b;
        buf_init(&b);
        buf_printf(&b, "{\"ack\":1, \"data\" : %s , \"event\":\"x\"}", texts[i]);
        struct json_value whole;
        struct json_value v;
        assert_int_equal(json_parse(buf_bytes(&b), &whole), JSON_OK);
        json_fields(whole, names, &v, 1);
        assert_true(slice_is(v.raw, texts[i]));
        assert_true(v.raw.ptr > b.data && v.raw.ptr < b.data + b.len);
        buf_deinit(&b);
    }
}

static void assert_decodes(const char *text, struct slice expected) {
    struct json_value v = parsed(text);
    char out[64];
    assert_int_equal(json_decode(v, out, sizeof out), expected.len);
    assert_memory_equal(out, expected.ptr, expected.len);
    /* It fits exactly, and does not fit into less. */
    char *exact = malloc(expected.len == 0 ? 1 : expected.len);
    assert_non_null(exact);
    assert_int_equal(json_decode(v, exact, expected.len), expected.len);
    if (expected.len > 0)
        assert_int_equal(json_decode(v, exact, expected.len - 1), -1);
    free(exact);
}

static void decodes_strings(void **state) {
    (void)state;
    assert_decodes("\"\"", SLICE(""));
    assert_decodes("\"abc\"", SLICE("abc"));
    assert_decodes("\"twenty-four plain bytes.\"", SLICE("twenty-four plain bytes."));
    assert_decodes("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", SLICE("\"\\/\b\f\n\r\t"));
    assert_decodes("\"a\\u0000b\"", SLICE("a\0b"));
    assert_decodes("\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"",
                   SLICE("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"));
    assert_decodes("\"\\uD7FF\\ue000\"", SLICE("\xed\x9f\xbf\xee\x80\x80"));
    assert_decodes("\"\\ud800\\udc00\\uDBFF\\uDFFF\"",
                   SLICE("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
    assert_decodes("\"x\\ud83d\\ude00y\"", SLICE("x\xf0\x9f\x98\x80y"));
    assert_decodes("\"\xc3\xa9\\u00e9\"", SLICE("\xc3\xa9\xc3\xa9"));
}

static void does_not_decode_half_a_pair(void **state) {
    (void)state;
    static const char *const texts[] = {"\"\\ud800\"",
                                        "\"\\udfff\"",
                                        "\"\\udc00\\ud800\"",
                                        "\"\\udc00\\udc00\"",
                                        "\"\\ud800x\"",
                                        "\"\\ud800\\n\"",
                                        "\"\\ud800\\u0041\"",
                                        "\"\\ud800\\ud800\"",
                                        "\"\\ud800\\ue000\"",
                                        "\"ab\\udbff1234567\"",
                                        "\"\\ud83d\\ude00\\ud83d\""};
    char out[64];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(json_decode(parsed(texts[i]), out, sizeof out), -1);
}

static void decodes_strings_only(void **state) {
    (void)state;
    static const char *const texts[] = {"1", "null", "true", "[\"a\"]", "{\"a\":\"b\"}"};
    char out[16];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(json_decode(parsed(texts[i]), out, sizeof out), -1);
    assert_int_equal(json_decode((struct json_value){0}, out, sizeof out), -1);
}

static void reads_numbers_that_fit(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
    } fits[] = {{"0", 0},
                {"7", 7},
                {"9007199254740993", 9007199254740993U},
                {"18446744073709551615", UINT64_MAX}};
    static const char *const others[] = {"-0",
                                         "-1",
                                         "1.0",
                                         "1e2",
                                         "0.0",
                                         "\"1\"",
                                         "null",
                                         "18446744073709551616",
                                         "[1]",
                                         "1E0",
                                         "99999999999999999999",
                                         "true",
                                         "{}",
                                         "184467440737095516150"};
    uint64_t n = 0;
    for (size_t i = 0; i < sizeof fits / sizeof fits[0]; i++) {
        assert_true(json_uint64(parsed(fits[i].text), &n));
        assert_true(n == fits[i].value);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(json_uint64(parsed(others[i]), &n));
    assert_false(json_uint64((struct json_value){0}, &n));
}

static void tells_integers(void **state) {
    (void)state;
    static const char *const yes[] = {
        "0", "-0", "12", "-12", "123456789012345678901234567890", "9007199254740993"};
    static const char *const no[] = {"1.0", "1e2",   "1E2",  "-1.5",
                                     "0e0", "\"1\"", "null", "[1]"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        assert_true(json_is_integer(parsed(yes[i])));
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        assert_false(json_is_integer(parsed(no[i])));
    assert_false(json_is_integer((struct json_value){0}));
}

static void assert_escaped(struct slice text, const char *expected) {
    struct buf b;
    buf_init(&b);
    buf_char(&b, '>');
    json_escape(&b, text);
    assert_false(b.failed);
    assert_int_equal(b.len, strlen(expected) + 1);
    assert_memory_equal(b.data + 1, expected, strlen(expected));
    buf_deinit(&b);
}

static void escapes_what_must_be(void **state) {
    (void)state;
    assert_escaped((struct slice){NULL, 0}, "\"\"");
    assert_escaped(SLICE("plain"), "\"plain\"");
    assert_escaped(SLICE("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
    assert_escaped(SLICE("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
    assert_escaped(SLICE("a\0\x01\x1f\x7f"), "\"a\\u0000\\u0001\\u001f\x7f\"");
    assert_escaped(SLICE("\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80"),
                   "\"\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80\"");
    assert_escaped(SLICE("12345678\n12345678\""), "\"12345678\\n12345678\\\"\"");
}

static void escapes_what_nobody_checked(void **state) {
    static const char *const wrong[] = {"\xff", "a\xc3", "\xc0\x80", "\xed\xa0\x80",
                                        "ok\x80ok"};
    struct buf b;
    (void)state;
    buf_init(&b);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        buf_clear(&b);
        json_escape_any(&b, slice_of(wrong[i]));
        assert_true(slice_is(buf_bytes(&b), "\"\xef\xbf\xbd\""));
    }
    buf_clear(&b);
    json_escape_any(&b, SLICE("\xc3\xa9\n"));
    assert_true(slice_is(buf_bytes(&b), "\"\xc3\xa9\\n\""));
    buf_deinit(&b);
}

static void escaped_text_comes_back(void **state) {
    (void)state;
    for (uint32_t c = 0; c < 0x11000; c++) {
        if (c >= 0xd800 && c <= 0xdfff)
            continue;
        char text[8] = "ab";
        size_t len = 2 + utf8_encode(text + 2, c);
        struct buf b;
        buf_init(&b);
        json_escape(&b, (struct slice){text, len});
        struct json_value v;
        char out[8];
        assert_int_equal(json_parse(buf_bytes(&b), &v), JSON_OK);
        assert_int_equal(json_decode(v, out, sizeof out), len);
        assert_memory_equal(out, text, len);
        buf_deinit(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_good_texts),
        cmocka_unit_test(leaves_out_white_space_around),
        cmocka_unit_test(accepts_good_texts_inside_others),
        cmocka_unit_test(rejects_bad_texts),
        cmocka_unit_test(rejects_each_text_cut_short),
        cmocka_unit_test(rejects_each_control_character_anywhere_in_a_string),
        cmocka_unit_test(any_other_byte_may_be_in_a_string),
        cmocka_unit_test(nests_to_the_limit_and_no_deeper),
        cmocka_unit_test(depth_counts_open_levels_only),
        cmocka_unit_test(closers_must_match_at_every_level),
        cmocka_unit_test(walks_an_object),
        cmocka_unit_test(walks_an_array),
        cmocka_unit_test(only_containers_have_members),
        cmocka_unit_test(walks_agree_with_parsing),
        cmocka_unit_test(finds_fields),
        cmocka_unit_test(fields_of_no_object_are_none),
        cmocka_unit_test(fields_compare_unescaped_keys),
        cmocka_unit_test(of_equal_keys_the_last_counts),
        cmocka_unit_test(values_keep_every_byte),
        cmocka_unit_test(decodes_strings),
        cmocka_unit_test(does_not_decode_half_a_pair),
        cmocka_unit_test(decodes_strings_only),
        cmocka_unit_test(reads_numbers_that_fit),
        cmocka_unit_test(tells_integers),
        cmocka_unit_test(escapes_what_must_be),
        cmocka_unit_test(escapes_what_nobody_checked),
        cmocka_unit_test(escaped_text_comes_back),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
