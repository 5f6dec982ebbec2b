#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/bucket.h"

/* Four a second, and a burst of as many; time in milliseconds. */
#define COST  250
#define DEPTH 1000

static bool take(struct bucket *b, uint64_t now) {
    bool has = bucket_has(b, now, COST, DEPTH);
    if (has)
        bucket_take(b, now, COST);
    return has;
}

static void is_full_at_first(void **state) {
    struct bucket b = {0};
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_true(take(&b, 5000));
    assert_false(take(&b, 5000));
}

static void fills_as_time_goes(void **state) {
    struct bucket b = {0};
    (void)state;
    while (take(&b, 5000))
        ;
    assert_false(take(&b, 5249));
    assert_true(take(&b, 5250));
    assert_false(take(&b, 5250));
    assert_true(take(&b, 5750));
    assert_true(take(&b, 5750));
    assert_false(take(&b, 5750));
}

static void holds_no_more_than_its_depth(void **state) {
    struct bucket b = {0};
    (void)state;
    assert_true(take(&b, 5000));
    for (int i = 0; i < 4; i++)
        assert_true(take(&b, 900000));
    assert_false(take(&b, 900000));
}

static void what_is_refused_costs_nothing(void **state) {
    struct bucket b = {0};
    (void)state;
    while (take(&b, 5000))
        ;
    for (int i = 0; i < 10; i++)
        assert_false(take(&b, 5100));
    assert_true(take(&b, 5250));
}

/* What is done anyway may be owed: the bucket says no until it is paid. */
static void owes_what_is_taken_without_asking(void **state) {
    struct bucket b = {0};
    (void)state;
    for (int i = 0; i < 6; i++)
        bucket_take(&b, 5000, COST);
    assert_false(bucket_has(&b, 5499, 0, DEPTH));
    assert_true(bucket_has(&b, 5500, 0, DEPTH));
    assert_false(bucket_has(&b, 5500, 1, DEPTH));
}

static void takes_costs_of_one_size_or_another(void **state) {
    struct bucket b = {0};
    (void)state;
    assert_false(bucket_has(&b, 5000, DEPTH + 1, DEPTH)); /* never */
    assert_true(bucket_has(&b, 0, DEPTH, DEPTH));
    bucket_take(&b, 0, 900);
    assert_false(bucket_has(&b, 0, 101, DEPTH));
    assert_true(bucket_has(&b, 0, 100, DEPTH));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(is_full_at_first),
                                       cmocka_unit_test(fills_as_time_goes),
                                       cmocka_unit_test(holds_no_more_than_its_depth),
                                       cmocka_unit_test(what_is_refused_costs_nothing),
                                       cmocka_unit_test(owes_what_is_taken_without_asking),
                                       cmocka_unit_test(takes_costs_of_one_size_or_another)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
