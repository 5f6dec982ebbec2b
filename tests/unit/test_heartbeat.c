#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/presence/heartbeat.h"
#include "registry_bench.h"
#include "told.h"

/* Tests connections that linger, heartbeats and scores, above a fake Redis. */

/* --- the end of a connection ----------------------------------------------------------------
 */

static void fire(void *arg, struct wheel_timer *t) {
    (void)arg;
    heartbeat_timer(container_of(t, struct registration, timer));
}

static void pass(uint64_t ms) {
    loop.time += ms;
    wheel_run(&wheel, loop.time, fire, NULL);
}

static void lingers_for_its_time(void **state) {
    (void)state;
    options.linger = LINGER;
    struct user *ann = online("ann");
    user_gone(ann);
    pass(LINGER - 50);
    assert_nothing_asked();
    assert_int_equal(freed, 0);
    pass(100);
    assert_offline(ann);
    fake_answer("0");
    assert_int_equal(freed, 1);
}

static void lingers_in_redis_when_the_node_drains(void **state) {
    (void)state;
    options.linger = LINGER;
    struct user *ann = online("ann"), *bob = online("bob");
    user_gone(ann);
    loop.time += 200;
    registry_drain(&registry);
    assert_out(ann, "linger", " 500");
    fake_answer("0");
    assert_int_equal(freed, 1);
    user_gone(bob); /* which ends now */
    assert_out(bob, "linger", " 700");
    fake_answer("0");
    assert_int_equal(freed, 2);
}

static void does_not_linger_when_it_is_not_to(void **state) {
    (void)state;
    struct user *ann = online("ann");
    registry_drain(&registry);
    user_gone(ann);
    assert_offline(ann);
}

static void those_that_linger_are_given_up_when_the_node_closes(void **state) {
    (void)state;
    options.linger = LINGER;
    user_gone(online("ann"));
    registry_close(&registry);
    assert_int_equal(freed, 1);
    assert_nothing_asked();
}

/* --- heartbeats -----------------------------------------------------------------------------
 */

static void silence_takes_out_and_an_event_brings_back(void **state) {
    (void)state;
    struct user *ann = online("ann");
    heartbeat_heard(&ann->g, true);
    pass(SILENT - 100);
    heartbeat_heard(&ann->g, false); /* any event will do */
    pass(SILENT - 100);
    assert_nothing_asked();
    pass(200);
    assert_offline(ann);
    fake_answer("0");
    heartbeat_heard(&ann->g, false);
    assert_online(ann, "''");
    fake_answer("0");
    pass(SILENT + 100); /* the heartbeat is required again */
    assert_offline(ann);
}

static void one_that_sends_none_is_not_held_to_it(void **state) {
    (void)state;
    struct user *ann = online("ann");
    heartbeat_heard(&ann->g, false);
    heartbeat_hold(&ann->g);
    assert_false(wheel_is_set(&ann->g.timer));
    wheel_set(&wheel, &ann->g.timer, loop.time + 100); /* the login's deadline */
    pass(10 * SILENT);
    assert_nothing_asked();
}

static void one_that_beats_before_its_login_is_held_to_it_after(void **state) {
    (void)state;
    struct user *ann = user_make("ann");
    ann->g.as.logged_in = false;
    heartbeat_heard(&ann->g, true);
    assert_false(wheel_is_set(&ann->g.timer));
    assert_nothing_asked();
    ann->g.as.logged_in = true;
    heartbeat_hold(&ann->g);
    registry_want(&ann->g, true);
    fake_answer("0");
    pass(SILENT + 100);
    assert_offline(ann);
}

/* --- scores ---------------------------------------------------------------------------------
 */

/* The script must write so many scores. */
static void assert_beat(size_t count) {
    const char *head =
        fake_format("beat node:%s | %s ", lease->incarnation, lease->incarnation);
    assert_int_equal(strncmp(fake_asked(), head, strlen(head)), 0);
    size_t words = 0;
    for (const char *at = fake_asked(); (at = strchr(at, ' ')) != NULL; at++)
        words++;
    assert_int_equal(words, 3 + count);
}

static void writes_the_scores_of_those_that_beat_in_bites(void **state) {
    char name[16];
    (void)state;
    for (int i = 0; i < 1100; i++) {
        snprintf(name, sizeof name, "u%d", i);
        heartbeat_heard(&online(name)->g, true);
    }
    heartbeat_scores(&registry, 0);
    assert_int_equal(fake.pending, 3);
    assert_beat(500);
    fake_answer("0");
    assert_beat(500);
    fake_answer("0");
    assert_beat(100);
    fake_answer("0");
    heartbeat_scores(&registry, 0); /* once each */
    assert_nothing_asked();
}

static void writes_a_share_of_the_others(void **state) {
    struct user *all[60];
    char name[16];
    size_t visited = 0;
    (void)state;
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "u%d", i);
        all[i] = online(name);
    }
    for (unsigned i = 0; i < 20; i++) { /* 1 + 60 * 1 / 30 each time */
        heartbeat_scores(&registry, SCORES / 30);
        assert_beat(3);
        fake_answer("0");
    }
    for (int i = 0; i < 60; i++)
        visited += all[i]->visited;
    assert_int_equal(visited, 60);
}

static void writes_none_for_who_is_not_in_or_beats_by_itself(void **state) {
    (void)state;
    struct user *ann = user_make("ann"), *bob = online("bob");
    heartbeat_heard(&bob->g, true);
    registry_want(&ann->g, true);
    heartbeat_scores(&registry, 2ULL * SCORES);
    fake_answer("-3"); /* she never gets in */
    assert_asked("beat node:%s | %s bob", lease->incarnation, lease->incarnation);
    fake_answer("0");
    assert_true(ann->visited);
    assert_true(bob->visited);
    heartbeat_scores(&registry, 2ULL * SCORES);
    assert_nothing_asked();
}

static void learns_by_a_score_that_it_was_reaped(void **state) {
    char former[INCARNATION_SIZE];
    (void)state;
    online("ann");
    heartbeat_scores(&registry, SCORES);
    strcpy(former, lease->incarnation);
    fake_answer("-2");
    assert_lease(former);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(lingers_for_its_time),
        CASE(lingers_in_redis_when_the_node_drains),
        CASE(does_not_linger_when_it_is_not_to),
        CASE(those_that_linger_are_given_up_when_the_node_closes),
        CASE(silence_takes_out_and_an_event_brings_back),
        CASE(one_that_sends_none_is_not_held_to_it),
        CASE(one_that_beats_before_its_login_is_held_to_it_after),
        CASE(writes_the_scores_of_those_that_beat_in_bites),
        CASE(writes_a_share_of_the_others),
        CASE(writes_none_for_who_is_not_in_or_beats_by_itself),
        CASE(learns_by_a_score_that_it_was_reaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
