#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lease_bench.h"
#include "told.h"

/* The other nodes, above a fake Redis. */

#define M_NAME "mmmmmmmm"
#define O_NAME "oooooooo"
#define KEY    "kkkkkkkkkkkkkkkkkkkk"
#define M_SAYS "[ " M_NAME " 10.0.0.2:8080 " KEY " ]"
#define O_SAYS "[ " O_NAME " 10.0.0.3:8080 " KEY " ]"
#define MET_M  "met:" M_NAME "@10.0.0.2:8080/" KEY " "
#define MET_O  "met:" O_NAME "@10.0.0.3:8080/" KEY " "

static void asks_about_all_that_are_new_in_one_question(void **state) {
    (void)state;
    renewed("m.1 7 o.1 8");
    told_forget();
    assert_asked("peers node:m.1 node:o.1 |");
    fake_answer("0 " M_SAYS " " O_SAYS);
    assert_told(MET_M MET_O);
    renewed("m.1 8 o.1 9");
    assert_told("tick m.1:8 o.1:9 ");
    assert_nothing_asked();
}

static void one_question_at_a_time(void **state) {
    (void)state;
    renewed("m.1 7");
    told_forget();
    fake_ring(bell_of(lease->incarnation), "o.1");
    assert_told("hello:o.1 ");
    assert_int_equal(fake.pending, 1);
    fake_answer("0 " M_SAYS);
    assert_told(MET_M);
    assert_asked("peers node:o.1 |");
    fake_answer("0 " O_SAYS);
    assert_told(MET_O);
}

static void a_hello_is_asked_about_at_once(void **state) {
    (void)state;
    fake_ring(bell_of(lease->incarnation), "m.1");
    assert_asked("peers node:m.1 |");
    fake_answer("0 " M_SAYS);
    assert_told("hello:m.1 " MET_M);
    fake_ring(bell_of(lease->incarnation), "m.1");
    fake_ring(bell_of(lease->incarnation), lease->incarnation);
    assert_nothing_asked();
}

static void does_not_meet_one_that_says_nothing_of_use(void **state) {
    (void)state;
    renewed("m.1 1 m.2 1 m.3 1 m.4 1");
    told_forget();
    fake_answer("0 [ ] [ short 10.0.0.2:8080 " KEY " ] [ " M_NAME " nowhere " KEY " ] "
                "[ %s 10.0.0.2:8080 " KEY " ]",
                peers.name);
    assert_told_nothing();
    assert_int_equal(peers.count, 0);
    assert_true(peers.ready);
}

static void is_lost_with_its_last_incarnation(void **state) {
    (void)state;
    renewed("m.1 7 m.2 7");
    told_forget();
    fake_answer("0 " M_SAYS " " M_SAYS);
    assert_told(MET_M MET_M);
    renewed("m.1 0 m.2 8");
    assert_told("tick m.1:0 m.2:8 ");
    fake_answer("0 0 3"); /* the reaping */
    assert_int_equal(peers.count, 1);
    renewed("m.2 0");
    assert_told("tick m.2:0 lost:" M_NAME " ");
    assert_int_equal(peers.count, 0);
}

static void is_lost_when_its_lease_stands_still(void **state) {
    (void)state;
    renewed("m.1 7");
    fake_answer("0 " M_SAYS);
    for (int i = 0; i < TIMEOUT / INTERVAL; i++)
        renewed("m.1 8");
    told_forget();
    assert_int_equal(peers.count, 1);
    renewed("m.1 8");
    assert_told("tick m.1:8 lost:" M_NAME " ");
}

static void nobody_is_forgotten_while_redis_is_away(void **state) {
    (void)state;
    renewed("m.1 7");
    fake_answer("0 " M_SAYS);
    renewed("m.1 7");
    loop.time += 2 * TIMEOUT;
    reaper_redis_up(&reaper);
    peers_redis_up(&peers);
    told_forget();
    renewed("m.1 7");
    assert_told("tick m.1:7 ");
    assert_int_equal(peers.count, 1);
}

static void looks_for_others_when_asked_to(void **state) {
    (void)state;
    assert_true(peers_look(&peers));
    assert_lease("renew", "''");
    fake_answer("0 %llu %s 1 m.1 1", TIME, lease->incarnation);
    assert_asked("peers node:m.1 |");
    assert_true(peers_look(&peers)); /* the answer is on its way */
    assert_int_equal(fake.pending, 1);
    fake_fall();
    assert_false(peers_look(&peers));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(asks_about_all_that_are_new_in_one_question),
        CASE(one_question_at_a_time),
        CASE(a_hello_is_asked_about_at_once),
        CASE(does_not_meet_one_that_says_nothing_of_use),
        CASE(is_lost_with_its_last_incarnation),
        CASE(is_lost_when_its_lease_stands_still),
        CASE(nobody_is_forgotten_while_redis_is_away),
        CASE(looks_for_others_when_asked_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
