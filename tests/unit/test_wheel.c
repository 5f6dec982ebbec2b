#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/wheel.h"

#define TICK    ((uint64_t)WHEEL_TICK_MS)
#define HORIZON (TICK * WHEEL_SLOTS)

enum { LOG_SIZE = 64 };

struct fixture {
    struct wheel wheel;
    struct wheel_timer timers[8];
    struct wheel_timer *fired[LOG_SIZE];
    unsigned count;
    /* What the callback does, for each timer of its own. */
    struct wheel_timer *clears;
    struct wheel_timer *sets;
    uint64_t sets_to;
};

static void record(void *arg, struct wheel_timer *t) {
    struct fixture *f = arg;
    assert_false(wheel_is_set(t));
    assert_true(f->count < LOG_SIZE);
    f->fired[f->count++] = t;
    if (f->clears != NULL)
        wheel_clear(&f->wheel, f->clears);
    if (f->sets != NULL)
        wheel_set(&f->wheel, f->sets, f->sets_to);
}

static void begin(struct fixture *f, uint64_t now) {
    memset(f, 0, sizeof *f);
    wheel_init(&f->wheel, now);
}

static void run(struct fixture *f, uint64_t now) {
    wheel_run(&f->wheel, now, record, f);
}

static void fires_never_early_and_at_most_a_tick_late(void **state) {
    (void)state;
    for (uint64_t start = 0; start < 2 * TICK; start += 7) {
        for (uint64_t delay = 1; delay < 3 * TICK; delay++) {
            struct fixture f;
            begin(&f, 1000 + start);
            uint64_t deadline = 1000 + start + delay;
            wheel_set(&f.wheel, &f.timers[0], deadline);
            uint64_t now = 1000 + start;
            while (f.count == 0 && now < deadline + 2 * TICK)
                run(&f, ++now);
            assert_int_equal(f.count, 1);
            assert_true(now >= deadline && now < deadline + TICK);
        }
    }
}

static void fires_in_the_order_of_ticks(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, 0);
    wheel_set(&f.wheel, &f.timers[0], 9 * TICK);
    wheel_set(&f.wheel, &f.timers[1], 2 * TICK);
    wheel_set(&f.wheel, &f.timers[2], 5 * TICK);
    wheel_set(&f.wheel, &f.timers[3], 2 * TICK);
    run(&f, 20 * TICK);
    assert_int_equal(f.count, 4);
    assert_ptr_equal(f.fired[0], &f.timers[1]);
    assert_ptr_equal(f.fired[1], &f.timers[3]);
    assert_ptr_equal(f.fired[2], &f.timers[2]);
    assert_ptr_equal(f.fired[3], &f.timers[0]);
    assert_int_equal(f.wheel.count, 0);
}

static void fires_once(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, 0);
    wheel_set(&f.wheel, &f.timers[0], TICK);
    run(&f, TICK);
    run(&f, TICK);
    run(&f, 3 * HORIZON);
    assert_int_equal(f.count, 1);
}

static void a_past_deadline_fires_in_the_next_tick(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, 100 * TICK);
    wheel_set(&f.wheel, &f.timers[0], 0);
    wheel_set(&f.wheel, &f.timers[1], 100 * TICK);
    run(&f, 101 * TICK - 1);
    assert_int_equal(f.count, 0);
    run(&f, 101 * TICK);
    assert_int_equal(f.count, 2);
}

static void a_far_deadline_stays_for_its_round(void **state) {
    (void)state;
    static const uint64_t deadlines[] = {HORIZON - TICK,  HORIZON,     HORIZON + 1,
                                         HORIZON + TICK,  3 * HORIZON, 3 * HORIZON + 7 * TICK,
                                         10 * HORIZON - 1};
    for (size_t i = 0; i < sizeof deadlines / sizeof deadlines[0]; i++) {
        struct fixture f;
        begin(&f, 0);
        wheel_set(&f.wheel, &f.timers[0], deadlines[i]);
        for (uint64_t now = 0; now < deadlines[i]; now += TICK)
            run(&f, now);
        assert_int_equal(f.count, 0);
        assert_true(wheel_is_set(&f.timers[0]));
        assert_int_equal(f.wheel.count, 1);
        run(&f, deadlines[i] + TICK - 1);
        assert_int_equal(f.count, 1);
    }
}

static void a_deadline_at_the_end_of_time_never_fires(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, 0);
    wheel_set(&f.wheel, &f.timers[0], UINT64_MAX);
    run(&f, 100 * HORIZON);
    assert_int_equal(f.count, 0);
    wheel_clear(&f.wheel, &f.timers[0]);
    assert_int_equal(f.wheel.count, 0);
}

static void a_long_pause_loses_nothing(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, 0);
    wheel_set(&f.wheel, &f.timers[0], TICK);
    wheel_set(&f.wheel, &f.timers[1], HORIZON + 3 * TICK);
    wheel_set(&f.wheel, &f.timers[2], UINT64_C(1000000) * HORIZON);
    wheel_set(&f.wheel, &f.timers[3], UINT64_C(1000000) * HORIZON + 1);
    run(&f, UINT64_C(1000000) * HORIZON);
    assert_int_equal(f.count, 3);
    assert_true(wheel_is_set(&f.timers[3]));
    run(&f, UINT64_C(1000000) * HORIZON + TICK);
    assert_int_equal(f.count, 4);
}

static void an_idle_wheel_keeps_the_time(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, 0);
    run(&f, 777 * TICK);
    wheel_set(&f.wheel, &f.timers[0], 779 * TICK);
    run(&f, 778 * TICK);
    assert_int_equal(f.count, 0);
    run(&f, 779 * TICK);
    assert_int_equal(f.count, 1);
}

static void time_that_goes_back_does_nothing(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, 100 * TICK);
    wheel_set(&f.wheel, &f.timers[0], 102 * TICK);
    run(&f, 5 * TICK);
    assert_int_equal(f.count, 0);
    run(&f, 102 * TICK);
    assert_int_equal(f.count, 1);
}

static void clears_and_moves(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, 0);
    wheel_clear(&f.wheel, &f.timers[0]);
    assert_int_equal(f.wheel.count, 0);
    wheel_set(&f.wheel, &f.timers[0], 2 * TICK);
    wheel_set(&f.wheel, &f.timers[1], 2 * TICK);
    assert_int_equal(f.wheel.count, 2);
    wheel_clear(&f.wheel, &f.timers[0]);
    wheel_clear(&f.wheel, &f.timers[0]);
    assert_int_equal(f.wheel.count, 1);
    wheel_set(&f.wheel, &f.timers[1], 4 * TICK);
    assert_int_equal(f.wheel.count, 1);
    run(&f, 3 * TICK);
    assert_int_equal(f.count, 0);
    run(&f, 4 * TICK);
    assert_int_equal(f.count, 1);
    assert_ptr_equal(f.fired[0], &f.timers[1]);
}

static void a_callback_clears_others_of_its_tick(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, 0);
    wheel_set(&f.wheel, &f.timers[0], TICK);
    wheel_set(&f.wheel, &f.timers[1], TICK);
    wheel_set(&f.wheel, &f.timers[2], TICK);
    f.clears = &f.timers[1];
    run(&f, TICK);
    assert_int_equal(f.count, 2);
    assert_ptr_equal(f.fired[1], &f.timers[2]);
    assert_int_equal(f.wheel.count, 0);
}

static void a_callback_clears_the_last_of_its_tick(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, 0);
    wheel_set(&f.wheel, &f.timers[0], TICK);
    wheel_set(&f.wheel, &f.timers[1], TICK);
    f.clears = &f.timers[1];
    run(&f, 10 * TICK);
    assert_int_equal(f.count, 1);
}

static void a_callback_moves_others_of_its_tick(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, 0);
    wheel_set(&f.wheel, &f.timers[0], TICK);
    wheel_set(&f.wheel, &f.timers[1], TICK);
    f.sets = &f.timers[1];
    f.sets_to = 5 * TICK;
    run(&f, TICK);
    assert_int_equal(f.count, 1);
    f.sets = NULL;
    run(&f, 4 * TICK);
    assert_int_equal(f.count, 1);
    run(&f, 5 * TICK);
    assert_int_equal(f.count, 2);
}

static void a_callback_sets_itself_into_the_past(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, 0);
    wheel_set(&f.wheel, &f.timers[0], TICK);
    f.sets = &f.timers[0];
    f.sets_to = 0;
    run(&f, TICK);
    assert_int_equal(f.count, 1);
    run(&f, TICK);
    assert_int_equal(f.count, 1);
    run(&f, 4 * TICK);
    assert_int_equal(f.count, 4);
    assert_int_equal(f.wheel.count, 1);
}

static void a_callback_sets_itself_into_the_same_slot(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, 0);
    wheel_set(&f.wheel, &f.timers[0], TICK);
    f.sets = &f.timers[0];
    f.sets_to = TICK + HORIZON;
    run(&f, TICK);
    assert_int_equal(f.count, 1);
    run(&f, HORIZON);
    assert_int_equal(f.count, 1);
    run(&f, TICK + HORIZON);
    assert_int_equal(f.count, 2);
}

static void many_timers_fire_when_they_should(void **state) {
    (void)state;
    enum { N = 20000 };
    static struct wheel_timer timers[N];
    struct fixture f;
    begin(&f, 0);
    uint64_t random = 88172645463325252U;
    memset(timers, 0, sizeof timers);
    for (unsigned i = 0; i < N; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        wheel_set(&f.wheel, &timers[i], 1 + random % (4 * HORIZON));
    }
    for (uint64_t now = TICK; now <= 5 * HORIZON; now += TICK) {
        for (unsigned i = 0; i < N; i += 997)
            assert_int_equal(wheel_is_set(&timers[i]), timers[i].deadline > now - TICK);
        f.count = 0;
        unsigned before = f.wheel.count;
        run(&f, now);
        for (unsigned i = 0; i < f.count; i++)
            assert_true(f.fired[i]->deadline <= now && f.fired[i]->deadline > now - TICK);
        assert_int_equal(before - f.wheel.count, f.count);
    }
    assert_int_equal(f.wheel.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_never_early_and_at_most_a_tick_late),
        cmocka_unit_test(fires_in_the_order_of_ticks),
        cmocka_unit_test(fires_once),
        cmocka_unit_test(a_past_deadline_fires_in_the_next_tick),
        cmocka_unit_test(a_far_deadline_stays_for_its_round),
        cmocka_unit_test(a_deadline_at_the_end_of_time_never_fires),
        cmocka_unit_test(a_long_pause_loses_nothing),
        cmocka_unit_test(an_idle_wheel_keeps_the_time),
        cmocka_unit_test(time_that_goes_back_does_nothing),
        cmocka_unit_test(clears_and_moves),
        cmocka_unit_test(a_callback_clears_others_of_its_tick),
        cmocka_unit_test(a_callback_clears_the_last_of_its_tick),
        cmocka_unit_test(a_callback_moves_others_of_its_tick),
        cmocka_unit_test(a_callback_sets_itself_into_the_past),
        cmocka_unit_test(a_callback_sets_itself_into_the_same_slot),
        cmocka_unit_test(many_timers_fire_when_they_should),
    };
    return cmocka_run_group_tests_name("wheel", tests, NULL, NULL);
}
