#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "registry_bench.h"
#include "told.h"

/* Tests which connections are in the registry, above a fake Redis. */

/* --- one connection -------------------------------------------------------------------------
 */

static void registers_and_takes_out(void **state) {
    (void)state;
    struct user *ann = user_make("ann");
    registry_want(&ann->g, true);
    assert_online(ann, "''");
    fake_answer("0");
    assert_told("ann:in ");
    registry_want(&ann->g, true);
    assert_nothing_asked();
    registry_want(&ann->g, false);
    assert_offline(ann);
    fake_answer("0");
    assert_false(ann->g.in);
    assert_nothing_asked();
    assert_told_nothing();
}

static void tells_a_login_when_it_is_in(void **state) {
    (void)state;
    struct user *ann = user_make("ann");
    wait_for_it(ann);
    registry_want(&ann->g, true);
    assert_online(ann, "r r s"); /* the room, and all that it enters */
    assert_told_nothing();
    fake_answer("0");
    assert_told("ann:in ann:entered ");
}

static void tells_a_login_that_the_token_was_revoked(void **state) {
    (void)state;
    struct user *ann = user_make("ann");
    wait_for_it(ann);
    registry_want(&ann->g, true);
    fake_answer("-4");
    assert_told("ann:revoked ");
    assert_false(ann->g.wanted);
    assert_nothing_asked();
}

static void tells_that_the_token_was_revoked_when_it_registers_again(void **state) {
    char former[INCARNATION_SIZE];
    (void)state;
    struct user *ann = online("ann");
    strcpy(former, lease->incarnation);
    lease_renew_incarnation(lease);
    assert_lease(former);
    answer_lease();
    assert_online(ann, "''");
    fake_answer("-4");
    assert_told("ann:no-good ");
    assert_false(ann->g.in);
    assert_nothing_asked();
}

static void says_what_a_login_calls_the_user(void **state) {
    (void)state;
    struct user *ann = user_make("ann");
    ann->g.profile = calloc(1, sizeof *ann->g.profile);
    name_set(&ann->g.profile->username, SLICE("Ann"));
    registry_want(&ann->g, true);
    assert_string_equal(fake_argument(5), "Ann");
    assert_string_equal(fake_argument(6), "user");
}

static void has_one_script_in_flight(void **state) {
    (void)state;
    struct user *ann = user_make("ann");
    registry_want(&ann->g, true);
    registry_want(&ann->g, false);
    registry_want(&ann->g, true);
    registry_want(&ann->g, false);
    assert_int_equal(fake.pending, 1);
    fake_answer("0");
    assert_offline(ann);
    registry_want(&ann->g, true);
    assert_int_equal(fake.pending, 1);
    fake_answer("0");
    assert_online(ann, "''");
    fake_answer("0");
    assert_nothing_asked();
    assert_true(ann->g.in);
}

static void has_nothing_to_do_for_what_was_wanted_and_is_wanted_no_more(void **state) {
    (void)state;
    struct user *ann = online("ann");
    registry_want(&ann->g, false);
    registry_want(&ann->g, true);
    fake_answer("0");
    assert_online(ann, "''");
    registry_want(&ann->g, false);
    registry_want(&ann->g, true);
    fake_answer("0");
    assert_nothing_asked();
}

static void one_that_went_meanwhile_is_taken_out(void **state) {
    (void)state;
    struct user *ann = user_make("ann");
    registry_want(&ann->g, true);
    user_gone(ann);
    assert_int_equal(fake.pending, 1);
    fake_answer("0");
    assert_offline(ann);
    assert_int_equal(freed, 0);
    fake_answer("0");
    assert_int_equal(freed, 1);
    assert_nothing_asked();
}

static void an_answer_for_a_former_incarnation_does_not_count(void **state) {
    char former[INCARNATION_SIZE];
    (void)state;
    struct user *ann = user_make("ann");
    wait_for_it(ann);
    registry_want(&ann->g, true);
    strcpy(former, lease->incarnation);
    lease_renew_incarnation(lease);
    fake_answer("0");
    assert_false(ann->g.in);
    assert_told_nothing();
    assert_lease(former);
    answer_lease();
    assert_online(ann, "r r s");
    fake_answer("0");
    assert_told("ann:in ann:entered ");
}

static void is_registered_again_when_the_incarnation_was_reaped(void **state) {
    char former[INCARNATION_SIZE];
    (void)state;
    struct user *bob = online("bob");
    struct user *ann = user_make("ann");
    wait_for_it(ann);
    registry_want(&ann->g, true);
    strcpy(former, lease->incarnation);
    fake_answer("-2");
    assert_lease(former);
    assert_told_nothing();
    answer_lease();
    assert_online(ann, "r r s");
    fake_answer("0");
    assert_online(bob, "''");
    fake_answer("0");
    assert_told("ann:in ann:entered bob:in ");
}

static void one_that_lingers_is_not_registered_again(void **state) {
    (void)state;
    options.linger = LINGER;
    struct user *ann = user_make("ann");
    registry_want(&ann->g, true);
    user_gone(ann);
    fake_answer("-2");
    answer_lease();
    assert_nothing_asked();
    assert_int_equal(freed, 1);
}

static void is_out_when_the_incarnation_was_reaped(void **state) {
    (void)state;
    struct user *ann = online("ann");
    registry_want(&ann->g, false);
    fake_answer("-2");
    assert_false(ann->g.in);
    answer_lease();
    assert_nothing_asked();
}

static void wants_no_more_when_the_rooms_are_too_many(void **state) {
    (void)state;
    struct user *ann = user_make("ann");
    wait_for_it(ann);
    registry_want(&ann->g, true);
    fake_answer("-3 1");
    assert_told("ann:too-many ");
    assert_false(ann->g.wanted);
    assert_false(ann->g.in);
    assert_nothing_asked();
}

static void wants_no_more_when_the_connections_are_too_many(void **state) {
    (void)state;
    struct user *ann = user_make("ann");
    wait_for_it(ann);
    registry_want(&ann->g, true);
    fake_answer("-3");
    assert_told("ann:full ");
    assert_false(ann->g.wanted);
    assert_nothing_asked();
}

static void logins_fail_when_redis_goes_down(void **state) {
    (void)state;
    struct user *ann = user_make("ann"), *bob = user_make("bob");
    wait_for_it(ann);
    wait_for_it(bob);
    registry_want(&ann->g, true); /* sent */
    lease_renew_incarnation(lease);
    registry_want(&bob->g, true); /* waits for the lease */
    assert_int_equal(fake.pending, 2);
    fake_fall();
    registry_redis_down(&registry, fake.redis.partitions);
    assert_told("bob:not ");
    fake_fail_all();
    assert_told("ann:not ");
}

static void what_a_full_redis_refused_comes_again_with_the_pump(void **state) {
    (void)state;
    struct user *ann = user_make("ann");
    registry_want(&ann->g, true);
    fake_fail(OUTCOME_REFUSED);
    assert_nothing_asked();
    registry_pump(&registry);
    assert_online(ann, "''");
    fake_fail(OUTCOME_REFUSED);
    assert_nothing_asked();
    loop.time += 1000;
    leases.timer.timer_cb(&leases.timer);
    answer_lease();
    assert_online(ann, "''");
    fake_answer("0");
    assert_told("ann:in ");
    registry_pump(&registry);
    assert_nothing_asked();
}

/* It would be online for ever: with the next interval the incarnation is left behind. */
static void doubts_what_could_not_be_taken_out(void **state) {
    char former[INCARNATION_SIZE];
    (void)state;
    struct user *ann = online("ann");
    user_gone(ann);
    fake_fail(OUTCOME_REFUSED);
    strcpy(former, lease->incarnation);
    leases.timer.timer_cb(&leases.timer);
    assert_string_not_equal(former, lease->incarnation);
    assert_lease(former);
}

/* --- those that ended while Redis was away --------------------------------------------------
 */

static void come_back_as(char former[INCARNATION_SIZE], bool changed) {
    strcpy(former, lease->incarnation);
    fake.redis.partitions[0].up = true;
    registry_redis_up(&registry, fake.redis.partitions, changed);
    lease_redis_up(lease);
    assert_lease(former);
    answer_lease();
}

static void come_back(char former[INCARNATION_SIZE]) {
    come_back_as(former, true);
}

static void half_a_timeout_later(void) {
    loop.time += options.lease_timeout / 2;
    registry_pump(&registry);
}

/* Redis is told that ann's connection went, and when it came by Redis's clock: the lease's
 * answer has shown that, and little time is over. */
static void assert_ann_told(const char *former) {
    const char *asked = fake_asked();
    const char *begin = fake_format("went user:ann | ann %s ", former);
    size_t len = strlen(begin);
    assert_true(strlen(asked) > len);
    assert_memory_equal(asked, begin, len);
    assert_in_range(strtoull(asked + len, NULL, 10), TIME / 1000, TIME / 1000 + 100000);
}

static void one_that_ended_meanwhile_is_told_before_the_goodbye(void **state) {
    char former[INCARNATION_SIZE];
    (void)state;
    struct user *ann = online("ann");
    fake_fall();
    user_gone(ann);
    assert_int_equal(freed, 0);
    come_back(former);
    assert_nothing_asked(); /* others have the time to come back */
    half_a_timeout_later();
    assert_ann_told(former);
    registry_pump(&registry);
    assert_int_equal(fake.pending, 1);
    fake_answer("0 0");
    assert_int_equal(freed, 1);
    assert_asked("lease node:%s | %s bye beacon", former, former);
}

static void a_redis_that_lost_nothing_is_not_told(void **state) {
    char former[INCARNATION_SIZE];
    (void)state;
    struct user *ann = online("ann");
    fake_fall();
    user_gone(ann);
    come_back_as(former, false);
    half_a_timeout_later();
    assert_int_equal(freed, 1);
    assert_asked("lease node:%s | %s bye beacon", former, former);
}

static void so_is_one_that_may_have_been_registered(void **state) {
    char former[INCARNATION_SIZE];
    (void)state;
    struct user *ann = user_make("ann");
    wait_for_it(ann);
    registry_want(&ann->g, true);
    fake_fall();
    fake_fail_all();
    assert_told("ann:not ");
    registry_want(&ann->g, false);
    user_gone(ann);
    come_back(former);
    half_a_timeout_later();
    assert_ann_told(former);
    fake_answer("0 0");
    assert_int_equal(freed, 1);
}

static void so_is_one_that_lingers(void **state) {
    char former[INCARNATION_SIZE];
    (void)state;
    options.linger = LINGER;
    struct user *ann = online("ann");
    user_gone(ann);
    fake_fall();
    come_back(former);
    half_a_timeout_later();
    assert_ann_told(former);
    fake_answer("0 0");
    assert_int_equal(freed, 1);
}

static void one_of_an_earlier_incarnation_is_not_told(void **state) {
    char former[INCARNATION_SIZE];
    (void)state;
    struct user *ann = online("ann");
    fake_fall();
    user_gone(ann);
    come_back(former);
    fake_fall();
    come_back(former);
    half_a_timeout_later();
    assert_int_equal(freed, 1);
    assert_asked("lease node:%s | %s bye beacon", former, former);
}

static void one_that_may_be_registered_is_taken_out(void **state) {
    (void)state;
    struct user *ann = user_make("ann");
    registry_want(&ann->g, true);
    fake_fail(OUTCOME_UNKNOWN);
    assert_nothing_asked();
    user_gone(ann);
    assert_offline(ann);
    fake_answer("0");
    assert_int_equal(freed, 1);
}

static void what_was_not_told_ends_with_the_node(void **state) {
    (void)state;
    struct user *ann = online("ann");
    fake_fall();
    user_gone(ann);
    registry_close(&registry);
    assert_int_equal(freed, 1);
}

static void so_does_what_is_under_way(void **state) {
    (void)state;
    struct user *ann = online("ann");
    user_gone(ann);
    registry_close(&registry);
    fake_fall();
    fake_fail_all();
    assert_int_equal(freed, 1);
}

/* --- all again ------------------------------------------------------------------------------
 */

static void registers_all_again_some_at_a_time(void **state) {
    enum { COUNT = 300 };
    char former[INCARNATION_SIZE], name[16];
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "u%d", i);
        online(name);
    }
    strcpy(former, lease->incarnation);
    lease_renew_incarnation(lease);
    loop.time += options.lease_timeout;
    assert_int_equal(fake.pending, 1);
    answer_lease();
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "u%d", i);
        assert_string_equal(fake_argument(0), name);
        assert_string_equal(fake_argument(2), lease->incarnation);
        assert_int_equal(fake.pending, COUNT - i < 128 ? COUNT - i : 128);
        fake_answer("0");
    }
    /* All are in: the former ones are ghosts. */
    assert_asked("lease node:%s | %s bye beacon", former, former);
}

static void registers_again_after_an_outage(void **state) {
    char former[INCARNATION_SIZE];
    (void)state;
    struct user *ann = online("ann");
    struct user *bob = user_make("bob");
    fake_fall();
    registry_redis_down(&registry, fake.redis.partitions);
    registry_want(&bob->g, true);
    assert_nothing_asked();
    fake.redis.partitions[0].up = true;
    strcpy(former, lease->incarnation);
    lease_redis_up(lease);
    assert_lease(former);
    answer_lease();
    assert_online(ann, "''");
    fake_answer("0");
    assert_online(bob, "''");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(registers_and_takes_out),
        CASE(tells_a_login_when_it_is_in),
        CASE(tells_a_login_that_the_token_was_revoked),
        CASE(tells_that_the_token_was_revoked_when_it_registers_again),
        CASE(says_what_a_login_calls_the_user),
        CASE(has_one_script_in_flight),
        CASE(has_nothing_to_do_for_what_was_wanted_and_is_wanted_no_more),
        CASE(one_that_went_meanwhile_is_taken_out),
        CASE(an_answer_for_a_former_incarnation_does_not_count),
        CASE(is_registered_again_when_the_incarnation_was_reaped),
        CASE(one_that_lingers_is_not_registered_again),
        CASE(is_out_when_the_incarnation_was_reaped),
        CASE(wants_no_more_when_the_rooms_are_too_many),
        CASE(wants_no_more_when_the_connections_are_too_many),
        CASE(logins_fail_when_redis_goes_down),
        CASE(what_a_full_redis_refused_comes_again_with_the_pump),
        CASE(doubts_what_could_not_be_taken_out),
        CASE(one_that_ended_meanwhile_is_told_before_the_goodbye),
        CASE(a_redis_that_lost_nothing_is_not_told),
        CASE(so_is_one_that_may_have_been_registered),
        CASE(so_is_one_that_lingers),
        CASE(one_of_an_earlier_incarnation_is_not_told),
        CASE(one_that_may_be_registered_is_taken_out),
        CASE(what_was_not_told_ends_with_the_node),
        CASE(so_does_what_is_under_way),
        CASE(registers_all_again_some_at_a_time),
        CASE(registers_again_after_an_outage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
