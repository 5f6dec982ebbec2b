#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/fields.h"

/* Feeds "name:value" lines, in pieces of `step` bytes. Returns the first name that is not
 * valid, or NULL. */
static const char *feed(struct fields *f, const char *const lines[], size_t count,
                        size_t step) {
    fields_clear(f);
    for (size_t i = 0; i < count; i++) {
        size_t name = strcspn(lines[i], ":");
        size_t len = strlen(lines[i]);
        for (size_t at = 0; at < name; at += step)
            fields_name(f, (struct slice){lines[i] + at, at + step < name ? step : name - at});
        if (!fields_name_end(f))
            return lines[i];
        for (size_t at = name + 1; at < len; at += step)
            fields_value(f, (struct slice){lines[i] + at, at + step < len ? step : len - at});
    }
    fields_end(f);
    return NULL;
}

static void keeps_each_field(void **state) {
    static const char *const lines[] = {"Host:a", "X-Empty:", "x-twice:1", "X-Twice:2 \t",
                                        "Last:in  between "};
    struct fields f = {0};
    (void)state;
    for (size_t step = 1; step < 20; step++) {
        assert_null(feed(&f, lines, 5, step));
        assert_int_equal(f.count, 5);
        assert_string_equal(fields_get(&f, "host"), "a");
        assert_string_equal(fields_get(&f, "X-EMPTY"), "");
        assert_string_equal(fields_get(&f, "x-Twice"), "1");
        assert_string_equal(fields_get(&f, "last"), "in  between");
        assert_null(fields_get(&f, "1"));
        assert_null(fields_get(&f, "hos"));
        assert_int_equal(fields_count(&f, "x-twice"), 2);
        assert_int_equal(fields_count(&f, "none"), 0);
    }
    fields_deinit(&f);
}

static void has_none_at_first(void **state) {
    struct fields f = {0};
    (void)state;
    fields_end(&f);
    assert_null(fields_get(&f, "host"));
    assert_int_equal(fields_count(&f, "host"), 0);
    assert_false(fields_have(&f, "connection", "close"));
    fields_deinit(&f);
}

static void refuses_what_is_no_name(void **state) {
    static const char *const bad[][2] = {{"A:1", "B :2"}, {"A:1", "B\t:2"}, {"A:1", "B C:2"},
                                         {"A:1", ":2"},   {" A:1", "B:2"},  {":1", "B:2"}};
    struct fields f = {0};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (size_t step = 1; step < 4; step++)
            assert_ptr_equal(feed(&f, bad[i], 2, step), bad[i][i < 4]);
    }
    fields_deinit(&f);
}

static void looks_through_lists(void **state) {
    static const char *const lines[] = {"Connection:keep-alive", "Upgrade:h2c, not websocket",
                                        "Connection: , ,Upgrade\t ,x", "Upgrade:\twebsockets"};
    struct fields f = {0};
    (void)state;
    assert_null(feed(&f, lines, 4, 100));
    assert_true(fields_have(&f, "connection", "keep-alive"));
    assert_true(fields_have(&f, "connection", "upgrade"));
    assert_true(fields_have(&f, "connection", "X"));
    assert_false(fields_have(&f, "connection", "close"));
    assert_false(fields_have(&f, "connection", ""));
    assert_true(fields_have(&f, "upgrade", "h2c"));
    assert_false(fields_have(&f, "upgrade", "websocket"));
    assert_false(fields_have(&f, "none", "upgrade"));
    fields_deinit(&f);
}

static void judges_hosts(void **state) {
    static const char *const good[] = {"",       "a",         "a.example:8080", "127.0.0.1",
                                       "[::1]",  "[::1]:80",  "[::127.0.0.1]:", "a:",
                                       "a_b-c~", "%41%c3%a4", "x!$&'()*+,;=y:1"};
    static const char *const bad[] = {
        "a b", "a/b", "user@a", "a:b", "a:1:2", "[::1",  "::1", "[a]b",     "[g]", "a\\b",
        "a?b", "a#b", "%zz",    "%4",  "%",     "\"a\"", "a<b", "\xc3\xa4", "a]",  "http://a"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (!fields_host_valid(good[i]))
            fail_msg("%s is a host", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (fields_host_valid(bad[i]))
            fail_msg("%s is no host", bad[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_each_field),
        cmocka_unit_test(has_none_at_first),
        cmocka_unit_test(refuses_what_is_no_name),
        cmocka_unit_test(looks_through_lists),
        cmocka_unit_test(judges_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
