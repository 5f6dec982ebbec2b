#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/metrics.h"
#include "gateway/presence/overdue.h"
#include "registry_bench.h"
#include "told.h"

/* Tests the removal of users from presence for whom no node has a timer, above a fake Redis. */

#define OLD (4 * SCORES + 5000) /* ms after which a score is old */

static struct overdue overdue;
static struct metrics counted;

static int set_up_overdue(void **state) {
    set_up(state);
    memset(&counted, 0, sizeof counted);
    overdue_init(&overdue, &fake.redis, lease, &counted);
    overdue.looked = loop.time; /* at old scores */
    return 0;
}

static void on_done(void *owner) {
    (void)owner;
    tell("done ");
}

static void takes_out_what_is_due_in_bites(void **state) {
    (void)state;
    overdue_look(&overdue);
    assert_asked("due | 64 '' '' 0");
    overdue_look(&overdue); /* one question at a time */
    assert_int_equal(fake.pending, 1);
    fake_answer("0 1 0 200");
    assert_asked("due | 64 '' '' 0");
    fake_answer("0 0 0 7");
    assert_nothing_asked();
    assert_int_equal(metric_value(&counted, METRIC_REAPED), 207);
}

static void looks_at_old_scores_now_and_then(void **state) {
    (void)state;
    loop.time += 10 * options.lease_interval - 1;
    overdue_look(&overdue);
    assert_asked("due | 64 '' '' 0");
    fake_answer("0 0 0 0");
    loop.time += 1;
    overdue_look(&overdue);
    assert_asked("due | 64 '' %d 0", OLD);
    fake_answer("0 0 50 0"); /* the next look begins there */
    overdue_look(&overdue);
    assert_asked("due | 64 '' '' 50");
    fake_fail(OUTCOME_REFUSED);
    loop.time += 10 * options.lease_interval;
    overdue_look(&overdue);
    assert_asked("due | 64 '' %d 50", OLD);
}

static void takes_out_all_that_linger(void **state) {
    (void)state;
    overdue_take_all(&overdue, on_done, NULL);
    assert_asked("due | 64 1 '' 0");
    fake_answer("0 1 0 200");
    assert_told_nothing();
    assert_asked("due | 64 1 '' 0");
    fake_answer("0 0 0 1");
    assert_told("done ");
    assert_nothing_asked();
}

static void takes_out_all_after_a_question_for_less(void **state) {
    (void)state;
    overdue_look(&overdue);
    overdue_take_all(&overdue, on_done, NULL);
    assert_int_equal(fake.pending, 1);
    fake_answer("0 0 0 0");
    assert_told_nothing();
    assert_asked("due | 64 1 '' 0");
    fake_answer("0 0 0 0");
    assert_told("done ");
}

static void does_not_wait_for_a_redis_that_fails(void **state) {
    (void)state;
    overdue_take_all(&overdue, on_done, NULL);
    fake_fail(OUTCOME_REFUSED);
    assert_told("done ");
    fake_fall();
    overdue_take_all(&overdue, on_done, NULL);
    assert_told("done ");
}

#undef CASE
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up_overdue, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(takes_out_what_is_due_in_bites),
        CASE(looks_at_old_scores_now_and_then),
        CASE(takes_out_all_that_linger),
        CASE(takes_out_all_after_a_question_for_less),
        CASE(does_not_wait_for_a_redis_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
