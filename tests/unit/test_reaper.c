#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/metrics.h"
#include "lease_bench.h"
#include "told.h"

/* The reaping of nodes that died, above a fake Redis. */

static void reaps_one_that_stands_still_in_bites_and_once(void **state) {
    (void)state;
    renewed("m.1 7");
    fake_fail(OUTCOME_REFUSED); /* the peers' question */
    for (int i = 0; i < TIMEOUT / INTERVAL - 1; i++) {
        renewed("m.1 7");
        assert_asked("peers node:m.1 |");
        fake_fail(OUTCOME_REFUSED);
    }
    assert_nothing_asked();
    renewed("m.1 7");
    assert_asked("reap node:m.1 | m.1 7 32 700 90");
    fake_answer("0 300 200");
    fake_fail(OUTCOME_REFUSED); /* the peers', which was sent before the next bite */
    assert_asked("reap node:m.1 | m.1 7 32 700 90");
    assert_int_equal(metric_value(&metrics, METRIC_REAPED), 200);
    tick();
    fake_answer("0 0 100");
    assert_int_equal(metric_value(&metrics, METRIC_REAPED), 300);
    assert_lease("renew", "''");
    fake_answer("0 %llu %s 1", TIME, lease->incarnation);
    assert_nothing_asked();
    assert_int_equal(reaper.count, 0);
}

static void does_not_ask_twice_at_a_time(void **state) {
    (void)state;
    renewed("m.1 0");
    assert_asked("reap node:m.1 | m.1 0 32 700 90");
    tick();
    fake_answer("0 5 0"); /* of the reaping: the next bite is sent after the lease */
    assert_lease("renew", "''");
    fake_answer("0 %llu %s 1 m.1 0", TIME, lease->incarnation);
    assert_asked("reap node:m.1 | m.1 0 32 700 90");
    assert_int_equal(fake.pending, 1);
}

static void spares_one_that_moves(void **state) {
    char text[32];
    (void)state;
    for (int i = 0; i < 20; i++) {
        snprintf(text, sizeof text, "m.1 %d", 1 + i / 4); /* slowly */
        renewed(text);
        fake_fail(OUTCOME_REFUSED);
        assert_nothing_asked();
    }
}

static void reaps_one_that_was_given_up_at_once(void **state) {
    (void)state;
    renewed("m.1 7");
    fake_fail(OUTCOME_REFUSED);
    renewed("m.1 0");
    assert_asked("reap node:m.1 | m.1 0 32 700 90");
    assert_int_equal(fake.pending, 1);
}

static void one_that_renewed_after_all_is_watched_again(void **state) {
    (void)state;
    for (int i = 0; i <= TIMEOUT / INTERVAL; i++) {
        renewed("m.1 7");
        if (i < TIMEOUT / INTERVAL)
            fake_fail(OUTCOME_REFUSED); /* the peers' question */
    }
    assert_asked("reap node:m.1 | m.1 7 32 700 90");
    fake_answer("1");
    fake_fail(OUTCOME_REFUSED);
    renewed("m.1 7"); /* said before it renewed */
    assert_asked("peers node:m.1 |");
    assert_int_equal(fake.pending, 1);
}

static void asks_again_after_a_failure(void **state) {
    (void)state;
    renewed("m.1 0");
    fake_fail(OUTCOME_UNKNOWN);
    assert_nothing_asked();
    renewed("m.1 0");
    assert_asked("reap node:m.1 | m.1 0 32 700 90");
}

/* The other nodes may have been cut off from Redis as long as this one. */
static void observes_from_the_beginning_after_an_outage(void **state) {
    (void)state;
    renewed("m.1 7");
    fake_fail(OUTCOME_REFUSED);
    loop.time += 2 * TIMEOUT;
    reaper_redis_up(&reaper);
    renewed("m.1 7");
    assert_asked("peers node:m.1 |");
    assert_int_equal(fake.pending, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(reaps_one_that_stands_still_in_bites_and_once),
        CASE(does_not_ask_twice_at_a_time),
        CASE(spares_one_that_moves),
        CASE(reaps_one_that_was_given_up_at_once),
        CASE(one_that_renewed_after_all_is_watched_again),
        CASE(asks_again_after_a_failure),
        CASE(observes_from_the_beginning_after_an_outage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
