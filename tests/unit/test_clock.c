#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/redis/clock.h"

#define REDIS 1732155555000000ULL /* what Redis's clock shows when ours shows 0 */
#define S     1000000ULL

/* Asked at `at`, both ways together `trip`, of which `there` on the way to Redis. */
static void ask(struct redis_clock *c, uint64_t at, uint64_t trip, uint64_t there,
                uint64_t redis) {
    redis_clock_learn(c, at, at + trip, redis + at + there);
}

static uint64_t age(const struct redis_clock *c, uint64_t now, uint64_t time) {
    uint64_t us = 77;
    assert_true(redis_clock_age(c, now, time, &us));
    return us;
}

static void test_unknown(void **state) {
    struct redis_clock c = {.learnt = 0};
    uint64_t us;
    (void)state;
    assert_false(redis_clock_age(&c, 5 * S, REDIS, &us));
}

static void test_symmetric(void **state) {
    struct redis_clock c = {.learnt = 0};
    (void)state;
    ask(&c, 10 * S, 400, 200, REDIS);
    assert_int_equal(age(&c, 12 * S, REDIS + 11 * S), S);
    assert_int_equal(age(&c, 12 * S, REDIS + 12 * S), 0);
}

static void test_never_negative(void **state) {
    struct redis_clock c = {.learnt = 0};
    (void)state;
    ask(&c, 10 * S, 400, 0, REDIS);
    assert_int_equal(age(&c, 12 * S, REDIS + 12 * S + 900), 0);
    assert_int_equal(age(&c, 12 * S, REDIS + 3600 * S), 0);
}

/* Our clock may begin anywhere, also above Redis's. */
static void test_behind(void **state) {
    struct redis_clock c = {.learnt = 0};
    (void)state;
    redis_clock_learn(&c, 500 * S, 500 * S + 100, 3 * S + 50);
    assert_int_equal(age(&c, 501 * S, 3 * S), S);
}

static void test_exact_one_stays(void **state) {
    struct redis_clock c = {.learnt = 0};
    (void)state;
    ask(&c, 10 * S, 100, 50, REDIS);
    ask(&c, 11 * S, 40000, 39000, REDIS); /* a busy turn, all on one way */
    assert_int_equal(age(&c, 20 * S, REDIS + 19 * S), S);
}

static void test_more_exact_one_counts(void **state) {
    struct redis_clock c = {.learnt = 0};
    (void)state;
    ask(&c, 10 * S, 40000, 39000, REDIS);
    assert_int_equal(age(&c, 20 * S, REDIS + 19 * S), S + 19000);
    ask(&c, 11 * S, 100, 50, REDIS);
    assert_int_equal(age(&c, 20 * S, REDIS + 19 * S), S);
}

/* What is known ages, so that a slow drift is followed. */
static void test_drift(void **state) {
    struct redis_clock c = {.learnt = 0};
    uint64_t drift = 0;
    (void)state;
    ask(&c, 0 + S, 100, 50, REDIS);
    for (uint64_t s = 2; s < 600; s++) {
        drift += 50; /* 50 ppm */
        ask(&c, s * S, s % 7 == 0 ? 100 : 900, s % 7 == 0 ? 50 : 800, REDIS + drift);
        uint64_t is = age(&c, s * S + 1000, REDIS + drift + s * S);
        assert_in_range(is, 0, 1000 + 450 + 50);
        assert_in_range(is, 1000 - 450 - 50, 2000);
    }
}

static void test_clock_was_set(void **state) {
    struct redis_clock c = {.learnt = 0};
    (void)state;
    ask(&c, 10 * S, 100, 50, REDIS);
    ask(&c, 11 * S, 5000, 2500, REDIS + 60 * S); /* less exact, but it contradicts */
    assert_int_equal(age(&c, 12 * S, REDIS + 60 * S + 11 * S), S);
    ask(&c, 13 * S, 5000, 2500, REDIS - 60 * S);
    assert_int_equal(age(&c, 14 * S, REDIS - 60 * S + 13 * S), S);
}

/* The clock does not show less than the least, and not much more. */
static void test_least(void **state) {
    struct redis_clock c = {.learnt = 0};
    (void)state;
    assert_int_equal(redis_clock_least(&c, 10 * S), 0);
    ask(&c, 10 * S, 1000, 0, REDIS);
    assert_int_equal(redis_clock_least(&c, 10 * S + 1000), REDIS + 10 * S);
    ask(&c, 10 * S + 1000, 1000, 1000, REDIS);
    assert_in_range(redis_clock_least(&c, 60 * S), REDIS + 59 * S, REDIS + 60 * S);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown),         cmocka_unit_test(test_symmetric),
        cmocka_unit_test(test_never_negative),  cmocka_unit_test(test_behind),
        cmocka_unit_test(test_exact_one_stays), cmocka_unit_test(test_more_exact_one_counts),
        cmocka_unit_test(test_drift),           cmocka_unit_test(test_clock_was_set),
        cmocka_unit_test(test_least),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
