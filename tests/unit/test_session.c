#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/client/life.h"
#include "gateway/session/keep.h"
#include "session_bench.h"
#include "told.h"

/* Tests the state that Redis keeps of a connection for its recovery, above a fake Redis. */

/* --- what is written ------------------------------------------------------------------------
 */

static void writes_it_whole_and_then_what_is_new(void **state) {
    (void)state;
    assert_int_equal(strlen(ann->session->pid), 2 * SESSION_NAME_LEN);
    assert_int_equal(strncmp(ann->session->pid, NAME, SESSION_NAME_LEN), 0);
    struct sub *room = enter("room:r");
    assert_nothing_asked(); /* the code that enters the channel asks for that */
    save(room);
    assert_whole("room:r", " c:room:r a 5 100");
    assert_told_nothing();
    fake_answer("0");
    assert_told("saved ");
    enter("topic:t");
    save(room);
    assert_session("add", " " TTL " salt 0 room room:r c:topic:t a 5 100");
    fake_answer("0");
    assert_told("saved ");
    assert_nothing_asked();
}

static void begins_again_with_another_pid(void **state) {
    char former[SESSION_PID_SIZE];
    (void)state;
    strcpy(former, ann->session->pid);
    assert_true(session_open(ann, NAME, SLICE("/")));
    assert_string_not_equal(ann->session->pid, former);
    save(NULL);
    assert_whole("''", "");
}

static void writes_what_a_login_calls_the_user(void **state) {
    (void)state;
    ann->presence.profile = calloc(1, sizeof *ann->presence.profile);
    name_set(&ann->presence.profile->username, SLICE("Ann"));
    name_set(&ann->presence.profile->role, SLICE("admin"));
    ann->as.origin = strdup("b-1"); /* the connection with which it began */
    save(NULL);
    assert_session("put", " " TTL " salt 0 room '' user ann namespace / origin b-1 "
                          "username Ann role admin");
}

static void has_one_script_in_flight(void **state) {
    (void)state;
    struct sub *room = enter("room:r");
    subscribe("topic:t", 0);
    save(room);
    session_sync(ann->session);
    assert_int_equal(fake.pending, 2);
    fake_answer("0 a 5 5 100 [ ]"); /* the channel is entered meanwhile */
    session_sync(ann->session);
    assert_int_equal(fake.pending, 1);
    assert_whole("room:r", " c:room:r a 5 100");
    fake_answer("0");
    assert_told_nothing(); /* not all of it is there */
    assert_session("add", " " TTL " salt 0 room room:r c:topic:t a 5 100");
    fake_answer("0");
    assert_told("saved ");
    assert_nothing_asked();
}

static void a_channel_that_was_left_is_taken_out(void **state) {
    (void)state;
    struct sub *room = enter("room:r"), *topic = enter("topic:t");
    save(room);
    fake_answer("0");
    sub_drop(topic);
    assert_session("drop", " 0 c:topic:t");
    fake_answer("0");
    assert_nothing_asked();
    sub_drop(room); /* it is the default one, too */
    assert_whole("''", "");
}

static void all_is_written_when_more_was_left_than_one(void **state) {
    (void)state;
    struct sub *room = enter("room:r"), *t = enter("topic:t"), *u = enter("topic:u");
    save(room);
    fake_answer("0");
    sub_drop(t);
    sub_drop(u);
    assert_session("drop", " 0 c:topic:t");
    assert_int_equal(fake.pending, 1);
    fake_answer("0");
    assert_whole("room:r", " c:room:r a 5 100");
    fake_answer("0");
    assert_nothing_asked();
}

static void what_was_entered_is_written_with_what_was_left(void **state) {
    (void)state;
    struct sub *room = enter("room:r"), *topic = enter("topic:t");
    save(room);
    fake_answer("0");
    enter("topic:u"); /* Redis is not told of it yet */
    sub_drop(topic);
    assert_whole("room:r", " c:room:r a 5 100 c:topic:u a 5 100");
}

static void what_is_left_waits_for_what_is_on_its_way(void **state) {
    (void)state;
    struct sub *room = enter("room:r"), *topic = enter("topic:t");
    save(room);
    fake_answer("0");
    sessions_doubt(&sessions, fake.redis.partitions);
    loop.time += 1;
    sessions_keep(&sessions);
    sub_drop(topic);
    assert_int_equal(fake.pending, 1);
    fake_answer("0");
    assert_whole("room:r", " c:room:r a 5 100");
}

static void nothing_is_written_of_one_that_redis_does_not_have(void **state) {
    (void)state;
    sub_drop(enter("room:r"));
    assert_nothing_asked();
    sessions_keep(&sessions);
    assert_nothing_asked();
    session_over(ann->session, true);
    assert_nothing_asked();
}

static void a_log_that_begins_again_is_written_later(void **state) {
    (void)state;
    struct sub *room = enter("room:r");
    save(room);
    fake_answer("0");
    session_reset(room, SLICE("b"), 3);
    assert_nothing_asked();
    loop.time += 1;
    sessions_keep(&sessions);
    assert_whole("room:r", " c:room:r b 3 100");
    fake_answer("0");
    session_reset(room, SLICE("c"), 9); /* what it had up to there stays */
    sessions_keep(&sessions);
    assert_whole("room:r", " c:room:r c 3 100");
}

static void one_that_has_expired_is_written_whole(void **state) {
    (void)state;
    struct sub *room = enter("room:r");
    save(room);
    fake_answer("0");
    enter("topic:t");
    save(room);
    fake_answer("1");
    assert_told("saved ");
    assert_whole("room:r", " c:room:r a 5 100 c:topic:t a 5 100");
    fake_answer("0");
    assert_told("saved ");
}

static void one_that_was_recovered_elsewhere_closes(void **state) {
    (void)state;
    save(NULL);
    fake_answer("2");
    assert_told("close:1000:recovered by another connection not-saved ");
    assert_int_equal(freed, 1);
    assert_nothing_asked(); /* it is not its own any more */
}

static void one_that_redis_refused_is_written_whole_later(void **state) {
    (void)state;
    struct sub *room = enter("room:r");
    save(room);
    fake_fail(OUTCOME_REFUSED);
    assert_told("not-saved ");
    loop.time += 1;
    sessions_keep(&sessions);
    assert_whole("room:r", " c:room:r a 5 100");
    fake_answer("0");
    fake_fall();
    save(room);
    assert_told("not-saved ");
    fake.redis.partitions[0].up = true;
    loop.time += 1;
    sessions_keep(&sessions);
    assert_whole("room:r", " c:room:r a 5 100");
}

static void one_of_a_reaped_node_waits_for_the_next_incarnation(void **state) {
    (void)state;
    save(NULL);
    fake_answer("-2");
    assert_told("%s", "");
    assert_false(lease->held);
    fake_answer("0 0 %s 1", lease->incarnation);
    loop.time += 1;
    sessions_keep(&sessions);
    assert_whole("''", "");
    assert_told("%s", "");
    fake_answer("0");
    assert_told("saved ");
}

static void one_that_is_gone_waits_for_no_incarnation(void **state) {
    (void)state;
    save(NULL);
    assert_false(session_abandon(ann->session)); /* its script is under way */
    fake_answer("-2");
    assert_true(session_abandon(ann->session));
    assert_false(session_abandon(ann->session));
    fake_answer("0 0 %s 1", lease->incarnation);
    assert_told("%s", "");
}

static void one_with_too_many_channels_is_not_recovered(void **state) {
    (void)state;
    save(NULL);
    fake_answer("0");
    told_forget();
    ann->session->beyond = true;
    save(NULL);
    assert_told("saved ");
    assert_session("end", " 120000");
    fake_answer("0");
    save(NULL);
    assert_told("saved ");
    assert_nothing_asked();
}

static void a_client_that_is_gone_is_not_saved(void **state) {
    (void)state;
    client_ref(ann);
    client_gone(ann);
    save(NULL);
    assert_told("not-saved ");
    assert_nothing_asked();
    client_unref(ann);
}

/* --- its end --------------------------------------------------------------------------------
 */

static void says_whether_it_may_come_back(void **state) {
    (void)state;
    save(NULL);
    fake_answer("0");
    session_over(ann->session, true);
    assert_session("leave", " 120000");
    fake_answer("0");
    session_over(ann->session, true);
    assert_nothing_asked();
    save(NULL);
    fake_answer("0");
    session_over(ann->session, false);
    assert_session("end", " 120000");
    assert_true(list_empty(&sessions.kept));
}

/* The client knows that it left the channel, so it must not be recovered into it. */
static void what_it_left_is_written_before_it_goes(void **state) {
    (void)state;
    struct sub *room = enter("room:r"), *topic = enter("topic:t");
    save(room);
    sub_drop(topic);
    assert_int_equal(fake.pending, 1);
    session_over(ann->session, true);
    fake_answer("0");
    assert_whole("room:r", " c:room:r a 5 100");
    fake_answer("0");
    assert_session("leave", " 120000");
}

/* Redis refuses to recover what was written in another term. */
static void one_of_another_term_is_written_before_it_goes(void **state) {
    (void)state;
    struct sub *room = enter("room:r");
    save(room);
    fake_answer("0");
    strcpy(fake.redis.partitions[0].term, "another");
    sessions_redis_up(&sessions, fake.redis.partitions);
    session_over(ann->session, true);
    assert_whole("room:r", " c:room:r a 5 100");
    fake_answer("0");
    assert_session("leave", " 120000");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(writes_it_whole_and_then_what_is_new),
        CASE(begins_again_with_another_pid),
        CASE(writes_what_a_login_calls_the_user),
        CASE(has_one_script_in_flight),
        CASE(a_channel_that_was_left_is_taken_out),
        CASE(all_is_written_when_more_was_left_than_one),
        CASE(what_was_entered_is_written_with_what_was_left),
        CASE(what_is_left_waits_for_what_is_on_its_way),
        CASE(nothing_is_written_of_one_that_redis_does_not_have),
        CASE(a_log_that_begins_again_is_written_later),
        CASE(one_that_has_expired_is_written_whole),
        CASE(one_that_was_recovered_elsewhere_closes),
        CASE(one_that_redis_refused_is_written_whole_later),
        CASE(one_of_a_reaped_node_waits_for_the_next_incarnation),
        CASE(one_that_is_gone_waits_for_no_incarnation),
        CASE(one_with_too_many_channels_is_not_recovered),
        CASE(a_client_that_is_gone_is_not_saved),
        CASE(says_whether_it_may_come_back),
        CASE(what_it_left_is_written_before_it_goes),
        CASE(one_of_another_term_is_written_before_it_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
