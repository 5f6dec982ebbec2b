/* Rights: the patterns of a claim and of the option `grants`, and what they allow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/auth/grant.h"

#define USUAL "rooms=*;private=*;subscribe=*;publish=;channels="

static struct grant *of_text(const char *text) {
    const char *wrong;
    struct grant *g = grant_from_text(text, &wrong);
    if (g == NULL)
        fail_msg("%s: %s", text, wrong);
    return g;
}

static struct grant *of_claim(const char *text, const char **wrong) {
    struct json_value claim = {JSON_NONE, {NULL, 0}};
    struct grant *missing = of_text(USUAL);
    if (text != NULL)
        assert_int_equal(json_parse(slice_of(text), &claim), JSON_OK);
    struct grant *g = grant_from_claim(claim, missing, wrong);
    grant_free(missing);
    return g;
}

static bool allows(const struct grant *g, enum right right, const char *name, const char *me) {
    return grant_allows(g, right, slice_of(name), slice_of(me));
}

/* Is this name allowed to this user by a list of this one pattern? */
static bool one(const char *pattern, const char *name, const char *me) {
    char text[400];
    const char *wrong;
    snprintf(text, sizeof text, "{\"rooms\":[\"%s\"]}", pattern);
    struct grant *g = of_claim(text, &wrong);
    assert_non_null(g);
    bool yes = allows(g, RIGHT_ROOMS, name, me);
    grant_free(g);
    return yes;
}

static void exact_names(void **state) {
    (void)state;
    assert_true(one("lobby", "lobby", "ann"));
    assert_false(one("lobby", "lobby2", "ann"));
    assert_false(one("lobby", "lobb", "ann"));
    assert_false(one("lobby", "Lobby", "ann"));
    assert_false(one("lobby", "", "ann"));
    assert_false(one("", "lobby", "ann"));
    assert_true(one("caf\\u00e9", "caf\xc3\xa9", "ann"));
    assert_false(one("lobby\\u0000", "lobby", "ann"));
}

static void beginnings(void **state) {
    (void)state;
    assert_true(one("*", "lobby", "ann"));
    assert_true(one("team-*", "team-7", "ann"));
    assert_true(one("team-*", "team-", "ann"));
    assert_false(one("team-*", "team", "ann"));
    assert_false(one("team-*", "my-team-7", "ann"));
}

static void a_star_elsewhere_is_a_character(void **state) {
    (void)state;
    assert_true(one("a*b", "a*b", "ann"));
    assert_false(one("a*b", "axb", "ann"));
    assert_false(one("*a", "xa", "ann"));
    assert_true(one("**", "*x", "ann"));
    assert_false(one("**", "x", "ann"));
}

static void me(void **state) {
    (void)state;
    assert_true(one("$me", "ann", "ann"));
    assert_false(one("$me", "bob", "ann"));
    assert_false(one("$me", "$me", "ann"));
    assert_true(one("dm-$me-box", "dm-ann-box", "ann"));
    assert_true(one("$me-$me", "ann-ann", "ann"));
    assert_false(one("$me-$me", "ann-bob", "ann"));
    assert_true(one("$me-*", "ann-x", "ann"));
    assert_true(one("$m", "$m", "ann"));
}

static void an_id_gains_nothing_by_its_characters(void **state) {
    (void)state;
    assert_true(one("$me", "*", "*"));
    assert_false(one("$me", "bob", "*"));
    assert_false(one("$me", "bob", "b*"));
    assert_false(one("x-$me", "x-bob", "*"));
    assert_true(one("$me", "$me", "$me"));
    assert_false(one("$me", "$me$me", "$me"));
    assert_false(one("a$me", "a$mee", "$me"));
}

static void raw_channels(void **state) {
    const char *wrong;
    (void)state;
    struct grant *g = of_claim(
        "{\"channels\":[\"news\",\"chat:rw\",\"team-*:rw\",\"own-$me:rw\",\"log:r\"]}", &wrong);
    static const struct {
        const char *name;
        bool reads, writes;
    } rows[] = {{"news", true, false},   {"chat", true, true},      {"team-7", true, true},
                {"log", true, false},    {"own-ann", true, true},   {"own-bob", false, false},
                {"other", false, false}, {"chat:rw", false, false}, {"team-*", true, true},
                {"chat:", false, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice name = slice_of(rows[i].name);
        assert_int_equal(grant_allows_channel(g, name, false, SLICE("ann")), rows[i].reads);
        assert_int_equal(grant_allows_channel(g, name, true, SLICE("ann")), rows[i].writes);
    }
    /* An id that ends in :rw, which no user id can, would gain nothing either. */
    assert_false(grant_allows_channel(g, SLICE("own-x"), true, SLICE("x:rw")));
    grant_free(g);
}

static void a_colon_is_plain_elsewhere(void **state) {
    (void)state;
    assert_true(one("a:rw", "a:rw", "ann"));
    assert_false(one("a:rw", "a", "ann"));
}

static void a_list_is_of_its_own_right(void **state) {
    static const char *const lists[] = {"rooms", "private", "subscribe", "publish", "channels"};
    (void)state;
    for (int own = 0; own < 5; own++) {
        char text[64];
        const char *wrong;
        snprintf(text, sizeof text, "{\"%s\":[\"x-*\"]}", lists[own]);
        struct grant *g = of_claim(text, &wrong);
        for (int right = RIGHT_ROOMS; right < RIGHT_COUNT; right++) {
            bool usual = right <= RIGHT_SUBSCRIBE; /* the others have * */
            bool is_own = right == own + 1;
            assert_int_equal(allows(g, (enum right)right, "x-1", "ann"), is_own || usual);
            assert_int_equal(allows(g, (enum right)right, "y", "ann"), !is_own && usual);
        }
        assert_false(allows(g, RIGHT_NONE, "x-1", "ann"));
        grant_free(g);
    }
}

static void a_missing_claim_is_the_option(void **state) {
    const char *wrong;
    (void)state;
    static const char *const texts[] = {NULL, "{}"};
    for (int i = 0; i < 2; i++) {
        struct grant *g = of_claim(texts[i], &wrong);
        assert_true(allows(g, RIGHT_ROOMS, "any", "ann"));
        assert_true(allows(g, RIGHT_PRIVATE, "bob", "ann"));
        assert_true(allows(g, RIGHT_SUBSCRIBE, "news", "ann"));
        assert_false(allows(g, RIGHT_PUBLISH, "news", "ann"));
        assert_false(grant_allows_channel(g, SLICE("news"), false, SLICE("ann")));
        grant_free(g);
    }
}

static void an_empty_list_allows_nothing(void **state) {
    const char *wrong;
    (void)state;
    struct grant *g = of_claim("{\"rooms\":[],\"private\":[\"\"]}", &wrong);
    assert_false(allows(g, RIGHT_ROOMS, "any", "ann"));
    assert_false(allows(g, RIGHT_PRIVATE, "bob", "ann"));
    assert_true(allows(g, RIGHT_SUBSCRIBE, "news", "ann"));
    grant_free(g);
}

static void malformed_claims(void **state) {
    static const char *const rows[][2] = {
        {"[]", "sluice"},
        {"null", "sluice"},
        {"\"*\"", "sluice"},
        {"true", "sluice"},
        {"{\"rooms\":\"*\"}", "rooms"},
        {"{\"rooms\":null}", "rooms"},
        {"{\"rooms\":{\"a\":\"b\"}}", "rooms"},
        {"{\"publish\":[1]}", "publish"},
        {"{\"channels\":[\"a\",null]}", "channels"},
        {"{\"private\":[[\"a\"]]}", "private"},
        {"{\"subscribe\":[\"\\ud800\"]}", "subscribe"},
        {"{\"room\":[\"a\"]}",
         "sluice"}, /* a list that is misspelt would else be the option's */
        {"{\"Rooms\":[\"a\"]}", "sluice"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *wrong;
        assert_null(of_claim(rows[i][0], &wrong));
        assert_non_null(strstr(wrong, rows[i][1]));
        assert_non_null(strstr(wrong, "claim"));
    }
}

static void the_option(void **state) {
    (void)state;
    struct grant *g = of_text("publish=news,me-$me ; rooms = lobby, team-* ;channels=a:rw;");
    assert_true(allows(g, RIGHT_PUBLISH, "news", "ann"));
    assert_true(allows(g, RIGHT_PUBLISH, "me-ann", "ann"));
    assert_false(allows(g, RIGHT_PUBLISH, "me-bob", "ann"));
    assert_true(allows(g, RIGHT_ROOMS, "team-1", "ann"));
    assert_false(allows(g, RIGHT_ROOMS, "other", "ann"));
    assert_true(grant_allows_channel(g, SLICE("a"), true, SLICE("ann")));
    assert_false(allows(g, RIGHT_PRIVATE, "bob", "ann")); /* which it does not name */
    assert_false(allows(g, RIGHT_SUBSCRIBE, "news", "ann"));
    grant_free(g);
    g = of_text("");
    for (int right = RIGHT_ROOMS; right < RIGHT_COUNT; right++)
        assert_false(allows(g, (enum right)right, "a", "ann"));
    grant_free(g);
}

static void wrong_options(void **state) {
    static const char *const texts[] = {"rooms",           "*",  "room=*",
                                        "rooms=a;rooms=b", "=a", "rooms:*"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *wrong = NULL;
        assert_null(grant_from_text(texts[i], &wrong));
        assert_non_null(wrong);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_names),
        cmocka_unit_test(beginnings),
        cmocka_unit_test(a_star_elsewhere_is_a_character),
        cmocka_unit_test(me),
        cmocka_unit_test(an_id_gains_nothing_by_its_characters),
        cmocka_unit_test(raw_channels),
        cmocka_unit_test(a_colon_is_plain_elsewhere),
        cmocka_unit_test(a_list_is_of_its_own_right),
        cmocka_unit_test(a_missing_claim_is_the_option),
        cmocka_unit_test(an_empty_list_allows_nothing),
        cmocka_unit_test(malformed_claims),
        cmocka_unit_test(the_option),
        cmocka_unit_test(wrong_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
