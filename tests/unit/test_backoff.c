#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/redis/backoff.h"

#define MOST 2000

/* At once, then 50 to 100 ms apart for 10 s, then ever more rarely. */
static void what_is_away_is_tried_eagerly(void **state) {
    (void)state;
    struct backoff b = {.since = 0};
    uint64_t now = 1000;
    assert_int_equal(backoff_after(&b, SETBACK_FELL, now, MOST), 0);
    for (; now < 11000; now += 70) {
        uint64_t wait = backoff_after(&b, SETBACK_AWAY, now, MOST);
        assert_in_range(wait, 50, 100);
    }
    for (uint64_t bound = 100; bound <= 4000; bound *= 2) {
        uint64_t wait = backoff_after(&b, SETBACK_AWAY, now, MOST);
        uint64_t most = bound < MOST ? bound : MOST;
        assert_in_range(wait, most / 2, most);
    }
    assert_int_equal(backoff_after(&b, SETBACK_FELL, now, MOST), 0);
    assert_in_range(backoff_after(&b, SETBACK_AWAY, now, MOST), 50, 100);
}

static void who_refuses_is_asked_rarely(void **state) {
    (void)state;
    struct backoff b = {.since = 0};
    for (uint64_t bound = 50; bound <= 6400; bound *= 2) {
        uint64_t most = bound < MOST ? bound : MOST;
        assert_in_range(backoff_after(&b, SETBACK_REFUSED, 1, MOST), most / 2, most);
    }
    assert_int_equal(backoff_after(&b, SETBACK_FELL, 1, MOST), 0);
    assert_in_range(backoff_after(&b, SETBACK_REFUSED, 1, MOST), 25, 50);
}

static void the_longest_wait_holds_for_all(void **state) {
    (void)state;
    struct backoff b = {.since = 0};
    for (int i = 0; i < 10; i++)
        assert_in_range(backoff_after(&b, SETBACK_REFUSED, 1, 30), 15, 30);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_away_is_tried_eagerly),
        cmocka_unit_test(who_refuses_is_asked_rarely),
        cmocka_unit_test(the_longest_wait_holds_for_all),
    };
    return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
