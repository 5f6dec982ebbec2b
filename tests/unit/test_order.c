#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/client/order.h"

/* Tests which of a client's pipelined messages fail with one before them. */

static struct json_value message(const char *id, const char *after) {
    static char text[128];
    struct json_value value;
    int len = snprintf(text, sizeof text, "{\"clientMessageId\":%s", id);
    if (after != NULL)
        len += snprintf(text + len, sizeof text - (size_t)len, ",\"after\":%s", after);
    len += snprintf(text + len, sizeof text - (size_t)len, "}");
    assert_int_equal(json_parse((struct slice){text, (size_t)len}, &value), JSON_OK);
    return value;
}

static enum err check(struct order *o, const char *id, const char *after, uint64_t now) {
    return order_check(o, message(id, after), now);
}

static void nothing_waits_for_nothing(void **state) {
    (void)state;
    struct order o = {0};
    assert_int_equal(check(&o, "1", NULL, 0), ERR_OK);
    assert_int_equal(check(&o, "2", "1", 0), ERR_OK);
    order_failed(&o, 0, ERR_UNAVAILABLE, 0); /* it had no id */
    assert_int_equal(check(&o, "3", NULL, 1), ERR_OK);
}

static void until_it_comes_again(void **state) {
    (void)state;
    struct order o = {0};
    order_failed(&o, order_id(message("\"a\"", NULL)), ERR_RATE_LIMITED, 1000);
    assert_int_equal(check(&o, "\"b\"", NULL, 1001), ERR_RATE_LIMITED);
    assert_int_equal(check(&o, "\"c\"", NULL, 2999), ERR_RATE_LIMITED);
    assert_int_equal(check(&o, "\"a\"", NULL, 2999), ERR_OK);
    assert_int_equal(check(&o, "\"b\"", NULL, 2999), ERR_OK);
}

static void two_seconds_at_most(void **state) {
    (void)state;
    struct order o = {0};
    order_failed(&o, order_id(message("1", NULL)), ERR_UNAVAILABLE, 1000);
    assert_int_equal(check(&o, "2", NULL, 2999), ERR_UNAVAILABLE);
    assert_int_equal(check(&o, "3", NULL, 3000), ERR_OK);
}

static void a_chain_fails_whenever_it_comes(void **state) {
    (void)state;
    struct order o = {0};
    order_failed(&o, order_id(message("1", NULL)), ERR_UNAVAILABLE, 0);
    assert_int_equal(check(&o, "2", "1", 60000), ERR_UNAVAILABLE);
    assert_int_equal(check(&o, "3", "2", 120000), ERR_UNAVAILABLE);
    /* Again: the first names none, since nothing is under way before it. */
    assert_int_equal(check(&o, "1", NULL, 120001), ERR_OK);
    assert_int_equal(check(&o, "2", "1", 120001), ERR_OK);
    assert_int_equal(check(&o, "3", "2", 120001), ERR_OK);
}

static void one_that_fails_for_another_reason_is_named_too(void **state) {
    (void)state;
    struct order o = {0};
    order_failed(&o, order_id(message("1", NULL)), ERR_UNAVAILABLE, 0);
    order_follow(&o, order_id(message("2", "1")));
    assert_int_equal(check(&o, "3", "2", 0), ERR_UNAVAILABLE);
    /* Not a member: only a message that names it waits. */
    o = (struct order){0};
    order_broken(&o, order_id(message("1", NULL)));
    assert_int_equal(check(&o, "2", "1", 0), ERR_UNAVAILABLE);
    assert_int_equal(check(&o, "3", NULL, 0), ERR_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_waits_for_nothing),
        cmocka_unit_test(until_it_comes_again),
        cmocka_unit_test(two_seconds_at_most),
        cmocka_unit_test(a_chain_fails_whenever_it_comes),
        cmocka_unit_test(one_that_fails_for_another_reason_is_named_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
