#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lease_bench.h"
#include "told.h"

/* The lease of a node, above a fake Redis. */

/* --- the lease ------------------------------------------------------------------------------
 */

static void takes_its_first_lease(void **state) {
    (void)state;
    assert_int_equal(strncmp(lease->incarnation, "n.", 2), 0);
    assert_int_equal(strlen(lease->incarnation), 10);
    assert_true(fake_subscribed(bell_of(lease->incarnation)));
    assert_lease("new", "''");
    assert_false(lease->held);
    fake_answer("0 %llu %s 1 m.1 5", TIME, lease->incarnation);
    assert_true(lease->held);
    assert_told("leased m.1:5 ");
    assert_asked("peers node:m.1 |");
    assert_false(peers.ready);
    fake_answer("0 [ ]");
    assert_true(peers.ready);
}

static void asks_again_when_the_first_question_fails(void **state) {
    (void)state;
    fake_fail(OUTCOME_REFUSED);
    assert_false(lease->held);
    assert_nothing_asked();
    tick();
    assert_told("tick ");
    assert_lease("new", "''");
}

static void renews_it_each_interval(void **state) {
    (void)state;
    tick();
    assert_told("tick ");
    assert_lease("renew", "''");
    assert_int_equal(fake.pending, 1);
    tick(); /* without an answer no second one */
    assert_told("tick ");
    assert_int_equal(fake.pending, 1);
    fake_answer("0 %llu %s 1 m.1 6", TIME, lease->incarnation);
    assert_told("m.1:6 ");
    assert_true(lease->held);
    assert_int_equal(fake.probes, 2);
    assert_int_equal(fake.looks, 2);
}

static void does_nothing_while_redis_is_away(void **state) {
    (void)state;
    fake_fall();
    tick();
    assert_told_nothing();
    assert_nothing_asked();
}

static void takes_another_incarnation_when_it_was_reaped(void **state) {
    (void)state;
    tick();
    fake_answer("-2");
    assert_string_not_equal(lease->incarnation, first);
    assert_false(lease->held);
    assert_false(fake_subscribed(bell_of(first)));
    assert_true(fake_subscribed(bell_of(lease->incarnation)));
    assert_lease("new", first);
    fake_answer("0 %llu %s 1 %s 1 m.1 4", TIME, lease->incarnation, first);
    assert_told("tick leased m.1:4 "); /* its own former one is no other node */
}

static void gives_up_an_incarnation_once_at_a_time(void **state) {
    (void)state;
    lease_renew_incarnation(lease);
    char second[INCARNATION_SIZE];
    strcpy(second, lease->incarnation);
    lease_renew_incarnation(lease);
    assert_string_equal(lease->incarnation, second);
    assert_int_equal(fake.pending, 1);
}

static void an_answer_about_a_former_incarnation_does_not_count(void **state) {
    (void)state;
    tick();
    assert_lease("renew", "''");
    lease_renew_incarnation(lease); /* some other script was refused */
    assert_int_equal(fake.pending, 1);
    told_forget();
    fake_answer("0 %llu %s 1 m.1 5", TIME, first);
    assert_false(lease->held);
    assert_told_nothing();
    assert_lease("new", first);
    fake_answer("0 %llu %s 1", TIME, lease->incarnation);
    assert_true(lease->held);
    assert_told("leased ");
}

static void doubt_leaves_the_incarnation_behind_with_the_next_interval(void **state) {
    (void)state;
    lease_doubt(lease);
    assert_nothing_asked();
    tick();
    assert_string_not_equal(lease->incarnation, first);
    assert_lease("new", first);
    fake_answer("0 %llu %s 1", TIME, lease->incarnation);
    tick();
    assert_lease("renew", first);
}

static void leaves_it_behind_when_redis_comes_back(void **state) {
    (void)state;
    fake_fall();
    fake.redis.partitions[0].up = true;
    lease_redis_up(lease);
    assert_string_not_equal(lease->incarnation, first);
    assert_lease("new", first);
}

/* This is not done too early: other nodes may be away from Redis as well, and would not hear of
 * the ghosts. */
static void gives_the_former_one_back_when_all_are_entered(void **state) {
    (void)state;
    lease_renew_incarnation(lease);
    lease_all_entered(lease);
    loop.time += TIMEOUT;
    lease_all_entered(lease);
    assert_int_equal(fake.pending, 1); /* the lease is not held yet */
    lease->former_since = loop.time;
    fake_answer("0 %llu %s 1", TIME, lease->incarnation);
    loop.time += TIMEOUT / 2 - 1;
    lease_all_entered(lease);
    assert_nothing_asked();
    loop.time += 1;
    lease_all_entered(lease);
    assert_asked("lease node:%s | %s bye beacon", first, first);
    fake_answer("0 %llu 1", TIME);
    lease_all_entered(lease);
    assert_nothing_asked();
    tick();
    assert_lease("renew", "''");
}

static void a_beacon_may_tell_a_time(void **state) {
    const char *bell = bell_of(lease->incarnation);
    (void)state;
    told_forget();
    fake_ring(bell, "beacon");
    fake_ring(bell, "beacon 0000000000000512");
    fake_ring(bell, "beacon 512");
    fake_ring(bell, "beacon.12345678");
    fake_ring(bell, "beacon 000000000000051x");
    assert_told(
        "tide:512 hello:beacon 512 hello:beacon.12345678 hello:beacon 000000000000051x ");
}

/* It may have begun a term. */
static void looks_for_a_term_when_another_node_begins(void **state) {
    (void)state;
    fake_ring(bell_of(lease->incarnation), "beacon");
    assert_int_equal(fake.term_looks, 0);
    fake_ring(bell_of(lease->incarnation), "m.1");
    assert_int_equal(fake.term_looks, 1);
}

static void drops_the_links_when_the_beacon_is_late(void **state) {
    (void)state;
    loop.time += 3000;
    lease_watch(lease);
    assert_int_equal(fake.resets, 0);
    fake_ring(bell_of(lease->incarnation), "beacon");
    loop.time += 3000;
    lease_watch(lease);
    assert_int_equal(fake.resets, 0);
    loop.time += 1;
    lease_watch(lease);
    assert_int_equal(fake.resets, 1);
    assert_string_equal(fake.reset_why, "the beacon is late");
    lease_watch(lease);
    assert_int_equal(fake.resets, 1);
}

static void drops_the_links_when_the_subscriber_link_is_silent(void **state) {
    (void)state;
    fake.probe_age = 3000;
    lease_watch(lease);
    assert_int_equal(fake.resets, 0);
    fake.probe_age = 3001;
    fake.redis.partitions[0].deaf = true; /* it is known to be away */
    lease_watch(lease);
    assert_int_equal(fake.resets, 0);
    fake.redis.partitions[0].deaf = false;
    lease_watch(lease);
    assert_int_equal(fake.resets, 1);
    assert_string_equal(fake.reset_why, "the subscriber link is silent");
}

static void waits_for_no_beacon_while_it_is_deaf(void **state) {
    (void)state;
    fake.redis.partitions[0].deaf = true;
    loop.time += 10000;
    lease_watch(lease);
    fake.redis.partitions[0].deaf = false;
    lease_watch(lease);
    assert_int_equal(fake.resets, 0);
}

static void step_clock(long long seconds) {
    tick();
    fake_ring(bell_of(lease->incarnation), "beacon");
    fake_answer("0 %lld %s 1", (long long)TIME + seconds * 1000000, lease->incarnation);
}

static void a_clock_set_ahead_makes_all_again(void **state) {
    (void)state;
    step_clock(12);
    assert_told("tick ahead ");
    assert_string_not_equal(lease->incarnation, first);
    assert_lease("new", first);
}

static void a_clock_set_a_little_or_back_changes_nothing(void **state) {
    (void)state;
    step_clock(8);
    step_clock(0);
    step_clock(-60);
    assert_told("tick tick tick ");
    assert_string_equal(lease->incarnation, first);
    assert_nothing_asked();
}

static void on_bye(struct lease *l, bool last) {
    (void)l;
    tell(last ? "bye:last " : "bye ");
}

static void says_goodbye(void **state) {
    (void)state;
    lease_bye(lease, on_bye);
    assert_asked("beat node:%s | %s", lease->incarnation, lease->incarnation);
    fake_answer("0");
    assert_told_nothing();
    assert_asked("lease node:%s | %s bye beacon", first, first);
    fake_answer("0 %llu 1", TIME);
    assert_told("bye ");
    tick();
    assert_nothing_asked();
}

static void says_goodbye_as_the_last_one(void **state) {
    (void)state;
    lease_bye(lease, on_bye);
    assert_asked("beat node:%s | %s", lease->incarnation, lease->incarnation);
    fake_answer("0");
    fake_answer("0 %llu 0", TIME);
    assert_told("bye:last ");
}

static void says_goodbye_for_its_former_one_too(void **state) {
    (void)state;
    lease_renew_incarnation(lease);
    fake_answer("0 %llu %s 1", TIME, lease->incarnation);
    told_forget();
    lease_bye(lease, on_bye);
    assert_asked("beat node:%s | %s", lease->incarnation, lease->incarnation);
    fake_answer("0");
    assert_asked("lease node:%s | %s bye beacon", first, first);
    fake_answer("0 %llu 1", TIME);
    assert_asked("lease node:%s | %s bye beacon", lease->incarnation, lease->incarnation);
    assert_told_nothing();
    fake_fail(OUTCOME_UNKNOWN);
    assert_told("bye ");
}

static void says_no_goodbye_without_redis(void **state) {
    (void)state;
    fake_fall();
    lease_bye(lease, on_bye);
    assert_told("bye ");
}

/* --- all ------------------------------------------------------------------------------------
 */

int main(void) {
    const struct CMUnitTest tests[] = {
        NEW(takes_its_first_lease),
        NEW(asks_again_when_the_first_question_fails),
        CASE(renews_it_each_interval),
        CASE(does_nothing_while_redis_is_away),
        CASE(takes_another_incarnation_when_it_was_reaped),
        CASE(gives_up_an_incarnation_once_at_a_time),
        CASE(an_answer_about_a_former_incarnation_does_not_count),
        CASE(doubt_leaves_the_incarnation_behind_with_the_next_interval),
        CASE(leaves_it_behind_when_redis_comes_back),
        CASE(gives_the_former_one_back_when_all_are_entered),
        CASE(a_beacon_may_tell_a_time),
        CASE(looks_for_a_term_when_another_node_begins),
        CASE(drops_the_links_when_the_beacon_is_late),
        CASE(drops_the_links_when_the_subscriber_link_is_silent),
        CASE(waits_for_no_beacon_while_it_is_deaf),
        CASE(a_clock_set_ahead_makes_all_again),
        CASE(a_clock_set_a_little_or_back_changes_nothing),
        CASE(says_goodbye),
        CASE(says_goodbye_as_the_last_one),
        CASE(says_goodbye_for_its_former_one_too),
        CASE(says_no_goodbye_without_redis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
