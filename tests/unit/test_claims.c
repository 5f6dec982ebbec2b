/* What a token with a good signature says: times, issuer, audience, user, names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base64.h"
#include "gateway/auth/claims.h"

#define NOW    INT64_C(1800000000000) /* ms */
#define LEEWAY 10000

static struct claims_rules rules;

static struct identity *read_text(struct slice json, const char **wrong) {
    struct buf payload = {0};
    base64url_encode(json, &payload);
    struct identity *who = claims_read(buf_bytes(&payload), &rules, NOW, wrong);
    buf_deinit(&payload);
    return who;
}

static struct identity *good(const char *json) {
    const char *wrong;
    struct identity *who = read_text(slice_of(json), &wrong);
    if (who == NULL)
        fail_msg("%s: %s", json, wrong);
    assert_int_equal(who->refs, 1);
    return who;
}

static void accepted(const char *json) {
    identity_unref(good(json));
}

static void refused(const char *json, const char *words) {
    const char *wrong = NULL;
    struct identity *who = read_text(slice_of(json), &wrong);
    if (who != NULL)
        fail_msg("not refused: %s", json);
    if (strstr(wrong, words) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", json, wrong, words);
}

/* The claims of a good token, with more. */
#define WITH(claims) "{\"sub\":\"ann\",\"exp\":1800000100," claims "}"
#define EXP(value)   "{\"sub\":\"ann\",\"exp\":" value "}"
#define SUB(value)   "{\"exp\":1800000100,\"sub\":" value "}"

static void exp_is_needed(void **state) {
    (void)state;
    refused("{\"sub\":\"ann\"}", "no exp");
    refused("{\"sub\":\"ann\",\"EXP\":1800000100}", "no exp");
    refused(EXP("null"), "exp must be a number");
    refused(EXP("\"1800000100\""), "exp must be a number");
    refused(EXP("true"), "exp must be a number");
    refused(EXP("[1800000100]"), "exp must be a number");
    refused(EXP("NaN"), "not a JSON object");
    refused(EXP("Infinity"), "not a JSON object");
    refused(EXP("0x6B49D264"), "not a JSON object");
}

static void exp_is_a_time(void **state) {
    (void)state;
    accepted(EXP("1800000100"));
    accepted(EXP("1800000100.5"));
    accepted(EXP("1.8000001e9"));
    accepted(EXP("253402300799"));
    refused(EXP("1799999989"), "exp is past");
    refused(EXP("0"), "exp is past");
    refused(EXP("-1"), "exp is past");
    refused(EXP("-0"), "exp is past");
    refused(EXP("1800000100000"), "seconds since 1970"); /* in ms */
    refused(EXP("1e400"), "seconds since 1970");
    refused(EXP("-1e400"), "seconds since 1970");
    refused(EXP("9223372036854775808"), "seconds since 1970");
    refused(EXP("18446744073709551617"), "seconds since 1970");
    refused(EXP("1800000100000000000000000000000000000000000000000000000000000000000000000000"),
            "seconds since 1970");
}

static void leeway_and_fractions(void **state) {
    (void)state;
    struct identity *who = good(EXP("1799999990.001"));
    assert_int_equal(who->exp_ms, NOW - 9999);
    assert_int_equal(who->until_ms, NOW + 1);
    identity_unref(who);
    refused(EXP("1799999990"), "exp is past");
    rules.leeway_ms = 0;
    refused(EXP("1800000000"), "exp is past");
    accepted(EXP("1800000000.001"));
    accepted(WITH("\"nbf\":1800000000"));
    refused(WITH("\"nbf\":1800000000.5"), "nbf is still ahead");
    rules.leeway_ms = LEEWAY;
}

static void nbf_and_iat(void **state) {
    (void)state;
    accepted(WITH("\"nbf\":1800000010,\"iat\":1800000010"));
    refused(WITH("\"nbf\":1800000010.001"), "nbf is still ahead");
    refused(WITH("\"iat\":1800000010.001"), "iat is still ahead");
    refused(WITH("\"nbf\":\"1\""), "nbf must be a number");
    refused(WITH("\"iat\":null"), "iat must be a number");
    refused(WITH("\"iat\":1e99"), "iat must be in seconds");
    struct identity *who = good(WITH("\"iat\":1700000000.1234"));
    assert_true(who->has_iat);
    assert_int_equal(who->iat_ms, INT64_C(1700000000123));
    identity_unref(who);
    who = good(EXP("1800000100"));
    assert_false(who->has_iat);
    identity_unref(who);
}

static void the_user(void **state) {
    static const struct {
        const char *value;
        const char *id;
    } rows[] = {
        {"\"ann\"", "ann"},
        {"42", "42"},
        {"\"42\"", "42"},
        {"-7", "-7"},
        {"0", "0"},
        {"9007199254740993", "9007199254740993"},
        {"123456789012345678901234567890123456789", "123456789012345678901234567890123456789"},
        {"\"caf\\u00e9\"", "caf\xc3\xa9"},
        {"\"a*\"", "a*"},
        {"\"$me\"", "$me"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char json[256];
        snprintf(json, sizeof json, SUB("%s"), rows[i].value);
        struct identity *who = good(json);
        assert_true(slice_is(name_slice(&who->sub), rows[i].id));
        identity_unref(who);
    }
}

static void no_user(void **state) {
    static const char *const values[] = {
        "\"\"",        "\"a b\"",  "\"a:b\"",     "\"a{b\"",     "\"a\\u0000\"",
        "\"\\u0000\"", "\"a\\n\"", "\"\\ud800\"", "\"\\u2028\"", "1.0",
        "1e3",         "null",     "true",        "[\"ann\"]",   "{}"};
    char json[512], name[140];
    (void)state;
    refused("{\"exp\":1800000100}", "no sub");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        snprintf(json, sizeof json, SUB("%s"), values[i]);
        refused(json, "sub must be a user id");
    }
    for (unsigned len = 128; len <= 129; len++) {
        memset(name, '7', len);
        name[len] = '\0';
        for (unsigned quoted = 0; quoted < 2; quoted++) {
            snprintf(json, sizeof json, quoted ? SUB("\"%s\"") : SUB("%s"), name);
            if (len == 128)
                accepted(json);
            else
                refused(json, "sub must be a user id");
        }
    }
}

static void issuer(void **state) {
    (void)state;
    accepted(WITH("\"iss\":7"));
    rules.issuer = "https://issuer.example";
    accepted(WITH("\"iss\":\"https://issuer.example\""));
    accepted(WITH("\"iss\":\"https:\\/\\/issuer.example\""));
    refused(EXP("1800000100"), "no iss");
    refused(WITH("\"iss\":\"https://issuer.example/\""), "iss");
    refused(WITH("\"iss\":\"https://issuer.exampl\""), "iss");
    refused(WITH("\"iss\":\"https://issuer.example\\u0000\""), "iss");
    refused(WITH("\"iss\":[\"https://issuer.example\"]"), "iss");
    refused(WITH("\"iss\":null"), "iss");
    rules.issuer = "";
}

static void audience(void **state) {
    (void)state;
    accepted(WITH("\"aud\":\"other\""));
    rules.audience = "chat";
    accepted(WITH("\"aud\":\"chat\""));
    accepted(WITH("\"aud\":[\"chat\"]"));
    accepted(WITH("\"aud\":[\"a\",\"chat\",\"b\"]"));
    refused(EXP("1800000100"), "no aud");
    refused(WITH("\"aud\":\"chats\""), "aud");
    refused(WITH("\"aud\":\"Chat\""), "aud");
    refused(WITH("\"aud\":[]"), "aud");
    refused(WITH("\"aud\":[\"a\",[\"chat\"]]"), "aud");
    refused(WITH("\"aud\":{\"a\":\"chat\"}"), "aud");
    refused(WITH("\"aud\":null"), "aud");
    rules.audience = "";
}

static void names(void **state) {
    (void)state;
    struct identity *who = good(WITH("\"username\":\"Ann \\ud83d\\ude00\",\"role\":\"admin\""));
    assert_true(slice_is(name_slice(&who->username), "Ann \xf0\x9f\x98\x80"));
    assert_true(slice_is(name_slice(&who->role), "admin"));
    identity_unref(who);
    who = good(EXP("1800000100"));
    assert_int_equal(who->username.len + who->role.len, 0);
    identity_unref(who);
    refused(WITH("\"username\":7"), "username must be");
    refused(WITH("\"username\":\"\""), "username must be");
    refused(WITH("\"role\":[\"admin\"]"), "role must be");
    refused(WITH("\"role\":null"), "role must be");
}

static void members_twice(void **state) {
    (void)state;
    refused("{\"sub\":\"ann\",\"exp\":1800000100,\"sub\":\"bob\"}", "twice");
    refused("{\"sub\":\"ann\",\"exp\":1800000100,\"s\\u0075b\":\"bob\"}", "twice");
    refused(WITH("\"exp\":1800000100"), "twice");
    refused(WITH("\"sluice\":{\"rooms\":[],\"rooms\":[\"*\"]}"), "twice");
    refused(WITH("\"other\":[{\"deep\":{\"a\":1,\"a\":2}}]"), "twice");
    accepted(WITH("\"other\":{\"exp\":1},\"more\":{\"exp\":1}"));
}

static void payloads(void **state) {
    static const char *const texts[] = {"",
                                        "[]",
                                        "\"ann\"",
                                        "null",
                                        "{",
                                        "{}}",
                                        "{\"sub\":\"\xff\"}",
                                        "{\"sub\":\"a\x01\"}",
                                        "{'sub':'ann'}"};
    const char *wrong;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        refused(texts[i], "not a JSON object");
    assert_null(
        read_text((struct slice){WITH("\"a\":1") "\0", sizeof WITH("\"a\":1")}, &wrong));
    assert_null(claims_read(SLICE("e30="), &rules, NOW, &wrong));
    assert_non_null(strstr(wrong, "base64url"));
    assert_null(claims_read(SLICE("e31"), &rules, NOW, &wrong));
}

static void rights(void **state) {
    (void)state;
    struct identity *who = good(WITH("\"sluice\":{\"rooms\":[\"a\"]}"));
    assert_true(grant_allows(who->grant, RIGHT_ROOMS, SLICE("a"), SLICE("ann")));
    assert_false(grant_allows(who->grant, RIGHT_ROOMS, SLICE("b"), SLICE("ann")));
    assert_true(grant_allows(who->grant, RIGHT_PRIVATE, SLICE("b"), SLICE("ann")));
    struct identity *other = identity_ref(who);
    identity_unref(who);
    identity_unref(other);
    refused(WITH("\"sluice\":[]"), "claim sluice");
    refused(WITH("\"sluice\":{\"rooms\":\"*\"}"), "rooms in the claim sluice");
}

static int begin(void **state) {
    const char *wrong;
    (void)state;
    rules = (struct claims_rules){.issuer = "", .audience = "", .leeway_ms = LEEWAY};
    rules.grant = grant_from_text("private=*", &wrong);
    return rules.grant != NULL ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    grant_free((struct grant *)rules.grant);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_is_needed),
        cmocka_unit_test(exp_is_a_time),
        cmocka_unit_test(leeway_and_fractions),
        cmocka_unit_test(nbf_and_iat),
        cmocka_unit_test(the_user),
        cmocka_unit_test(no_user),
        cmocka_unit_test(issuer),
        cmocka_unit_test(audience),
        cmocka_unit_test(names),
        cmocka_unit_test(members_twice),
        cmocka_unit_test(payloads),
        cmocka_unit_test(rights),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
