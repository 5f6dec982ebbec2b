#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/session/offset.h"
#include "session_bench.h"
#include "told.h"

/* The offsets that a client is sent, above a fake Redis. */

static void an_offset_is_plain_while_all_channels_are_live(void **state) {
    (void)state;
    enter("room:r");
    enter("topic:t");
    ring("room:r", 6, 0x200);
    ring("topic:t", 6, 0x201);
    assert_told("6:200.6.a.room:r 6:201.6.a.topic:t ");
}

static void an_offset_has_positions_while_a_channel_heals(void **state) {
    char page[600];
    (void)state;
    enter("room:r");
    enter("topic:t");
    ring("room:r", 6, 0x200);
    told_forget();
    ring("topic:t", 8, 0x206); /* 6 and 7 are missing */
    uint32_t term = ann->session->term;
    ring("room:r", 7, 0x205);
    assert_told("7:~200.%x.7.a.room:r ", term);
    snprintf(page, sizeof page, "%s ", frame("topic:t", 6, 0x203));
    strcat(page, frame("topic:t", 7, 0x204));
    fake_answer("0 a 7 5 %u [ ] %s", 0x205, page);
    assert_told("6:~200.%x.6.a.topic:t 7.a.room:r 7:~200.%x.7.a.topic:t 7.a.room:r "
                "8:~200.%x.8.a.topic:t 7.a.room:r ",
                term, term, term);
    ring("room:r", 8, 0x207);
    assert_told("8:207.8.a.room:r ");
}

static void an_offset_is_not_plain_when_a_doorbell_is_late(void **state) {
    (void)state;
    enter("room:r");
    enter("topic:t");
    enter("topic:u"); /* no message of it has come */
    ring("room:r", 6, 0x200);
    ring("topic:t", 7, 0x204); /* heals, and is not shown this one yet */
    ring("room:r", 7, 0x205);
    fake_answer("0 a 6 5 %u [ ] %s", 0x203, frame("topic:t", 6, 0x203));
    uint32_t term = ann->session->term;
    assert_told("6:200.6.a.room:r 7:~200.%x.7.a.room:r 6:~200.%x.6.a.topic:t 7.a.room:r "
                "7:~200.%x.7.a.topic:t 7.a.room:r ",
                term, term, term);
    ring("topic:t", 8, 0x204); /* all are live, but room:r has had a later one */
    assert_told("8:~200.%x.8.a.topic:t 7.a.room:r ", term);
    ring("room:r", 8, 0x207);
    ring("topic:t", 10, 0x208); /* heals again */
    ring("room:r", 9, 0x209);
    assert_told("8:207.8.a.room:r 9:~207.%x.9.a.room:r ", term);
}

static void an_offset_before_any_message_is_of_this_redis(void **state) {
    (void)state;
    enter("room:r");
    enter("topic:t");
    ring("topic:t", 8, 0x206);
    ring("room:r", 6, 0x205);
    assert_int_not_equal(session_term(ann->session), 0);
    assert_told("6:~0.%x.6.a.room:r ", session_term(ann->session));
}

static void what_is_in_no_log_has_no_offset(void **state) {
    (void)state;
    enter("room:r");
    fake_ring(bell_of("room:r"), "{\"channel\":\"room:r\",\"seq\":0,\"time\":512,"
                                 "\"event\":\"e\",\"data\":0}");
    assert_told("0: ");
}

static void too_many_positions_are_not_said(void **state) {
    char name[16];
    (void)state;
    for (unsigned i = 0; i < OFFSET_MARKS_MOST + 1; i++) {
        snprintf(name, sizeof name, "topic:%u", i);
        enter(name);
    }
    ring("topic:0", 7, 0x200); /* heals */
    for (unsigned i = 1; i < OFFSET_MARKS_MOST + 1; i++) {
        told_forget();
        snprintf(name, sizeof name, "topic:%u", i);
        ring(name, 6, 0x200 + i);
        assert_int_equal(told()[2], i < OFFSET_MARKS_MOST ? '~' : '!');
    }
}

static void an_older_position_takes_another_salt(void **state) {
    (void)state;
    enter("room:r");
    ring("room:r", 6, 0x200);
    uint32_t term = ann->session->term;
    told_forget();
    subscribe("topic:t", 4);
    fake_answer("0 a 5 4 100 [ ]");
    assert_int_not_equal(ann->session->salt, 0);
    assert_int_equal(ann->session->term, term ^ ann->session->salt);
    ring("room:r", 7, 0x201); /* topic:t is not live */
    assert_told("7:~200.%x.7.a.room:r ", ann->session->term);
    save(NULL);
    fake_answer("0 a 5 4 %u [ ] %s", 0x200, frame("topic:t", 5, 0x100));
    assert_told("5:~200.%x.5.a.topic:t 7.a.room:r ", ann->session->term);
    /* The client's earlier offsets say nothing about topic:t, because the times that they cover
     * are not later. */
    assert_whole("''", " c:room:r a 5 100 c:topic:t a 4 512");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(an_offset_is_plain_while_all_channels_are_live),
        CASE(an_offset_has_positions_while_a_channel_heals),
        CASE(an_offset_is_not_plain_when_a_doorbell_is_late),
        CASE(an_offset_before_any_message_is_of_this_redis),
        CASE(what_is_in_no_log_has_no_offset),
        CASE(too_many_positions_are_not_said),
        CASE(an_older_position_takes_another_salt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
