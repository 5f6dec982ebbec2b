/* A link to Redis that stands: commands, and pushes to a subscriber. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/link_bench.h"

/* --- commands -------------------------------------------------------------------------------
 */

static const struct link_rule some_answers[4] = {
    {"one", "+first\r\n"},
    {"two", "*3\r\n:2\r\n$-1\r\n*1\r\n$2\r\nin\r\n"},
    {"oom", "-OOM command not allowed\r\n"},
    {"err", "-ERR in the middle\r\n"}};
#define ALL_TOLD                                                                               \
    "one=first two=[2nil[in]] !OOM command not allowed oom=refused !ERR in the middle "        \
    "err=unknown one=first "

static void send_all(void) {
    static const char *const words[] = {"one", "two", "oom", "err", "one"};
    memcpy(bench->rules, some_answers, sizeof some_answers);
    for (size_t i = 0; i < 5; i++)
        bench_send_word(words[i]);
    assert_int_equal(bench->link.pipeline.in_flight, 5);
    assert_int_equal(bench->log.len, 0);
    assert_true(bench_wait_for(&bench->commands, 10));
    for (int i = 0; i < 2000 && bench->link.pipeline.in_flight > 0; i++)
        bench_turns(1);
    bench_turns(2);
    bench_assert_buf(&bench->seen, "one|two|oom|err|one|");
    bench_assert_buf(&bench->log, ALL_TOLD);
}

static void answers_come_in_order(void **state) {
    (void)state;
    bench_open();
    send_all();
}

static void answers_may_come_byte_by_byte(void **state) {
    (void)state;
    bench->step = 1;
    bench_open();
    send_all();
    assert_int_equal(bench->down, 0);
}

/* Some 600 KB of script arguments, both ways around NOSCRIPT; the caller's bytes are gone by
 * the time that they are needed again. */
static void an_unknown_script_is_sent_whole(void **state) {
    (void)state;
    enum { BYTES = 300000 };
    struct buf tail, expected;
    buf_init(&tail);
    buf_init(&expected);
    bench->rules[0] = (struct link_rule){"EVALSHA", "-NOSCRIPT No matching script\r\n"};
    bench->rules[1] = (struct link_rule){"EVAL source-7", "+ran\r\n"};
    bench->rules[2] = (struct link_rule){"EVAL source-8", "-NOSCRIPT again\r\n"};
    bench_open();
    for (int script = 7; script <= 8; script++) {
        buf_clear(&tail);
        resp_bulk(&tail, SLICE("key"));
        buf_printf(&tail, "$%d\r\n%0*d\r\n", BYTES, BYTES, script);
        assert_true(link_send(&bench->link, script, 2,
                              SLICE("*5\r\n$7\r\nEVALSHA\r\n$3\r\nsha\r\n"
                                    "$1\r\n1\r\n"),
                              buf_bytes(&tail), bench_on_done, (void *)(uintptr_t) "s"));
        memset(tail.data, 'x', tail.len);
    }
    bench_send_word("PING");
    assert_true(bench_wait_for(&bench->commands, 10));
    bench_turns(10);
    buf_printf(&expected, "EVALSHA sha 1 key %0*d|EVALSHA sha 1 key %0*d|PING|", BYTES, 7,
               BYTES, 8);
    buf_printf(&expected, "EVAL source-7 1 key %0*d|EVAL source-8 1 key %0*d|", BYTES, 7, BYTES,
               8);
    assert_true(slice_eq(buf_bytes(&bench->seen), buf_bytes(&expected)));
    bench_assert_buf(&bench->log, "PING=PONG s=ran !NOSCRIPT again s=refused ");
    buf_deinit(&tail);
    buf_deinit(&expected);
}

/* What a flush took may have had an effect; what none took cannot. */
static void outcome_tells_what_was_flushed(void **state) {
    (void)state;
    for (unsigned i = 1; i <= 2; i++) {
        buf_clear(&bench->log);
        bench->rules[0] = (struct link_rule){"sent", ""};
        if (i == 1)
            bench_open();
        bench->commands = 0;
        bench_send_word("sent-a");
        bench_send_word("sent-b");
        assert_true(bench_wait_for(&bench->commands, 2));
        bench->no_flush = true;
        bench_send_word("kept-c");
        bench_send_word("kept-d");
        buf_clear(&bench->log);
        if (i == 1)
            bench_drop_peer();
        else
            link_reset(&bench->link, "a reason");
        assert_true(bench_wait_for(&bench->down, i));
        bench_assert_buf(&bench->log,
                         "sent-a=unknown sent-b=unknown kept-c=refused kept-d=refused ");
        assert_string_equal(bench->why, i == 1 ? "Redis closed the connection" : "a reason");
        bench->no_flush = false;
        buf_clear(&bench->seen);
        assert_true(bench_wait_for(&bench->ready, i + 1));
        bench_assert_buf(&bench->seen, PLAIN); /* nothing is sent again */
    }
}

static void sends_only_while_ready(void **state) {
    (void)state;
    assert_false(link_send(&bench->link, -1, 0, SLICE("x"), SLICE(""), bench_on_done, NULL));
    link_open(&bench->link);
    assert_false(link_send(&bench->link, -1, 0, SLICE("x"), SLICE(""), bench_on_done, NULL));
    link_reset(&bench->link, "not connected");
    assert_int_equal(bench->down, 0);
    assert_true(bench_wait_for(&bench->ready, 1));
    bench_assert_buf(&bench->seen, PLAIN);
}

static void an_unasked_reply_resets(void **state) {
    (void)state;
    bench_open();
    buf_str(&bench->answers, "+surprise\r\n");
    assert_true(bench_wait_for(&bench->down, 1));
    assert_non_null(strstr(bench->why, "nothing asked for"));
    assert_true(bench_wait_for(&bench->ready, 2));
    buf_str(&bench->answers, "-ERR max number of clients reached\r\n");
    assert_true(bench_wait_for(&bench->down, 2));
    bench_assert_buf(&bench->log, "!ERR max number of clients reached ");
    assert_true(bench_wait_for(&bench->ready, 3));
    assert_int_equal(bench->link.attempts, 0);
}

/* --- a subscriber ---------------------------------------------------------------------------
 */

static void a_subscriber_gets_pushes(void **state) {
    (void)state;
    static const size_t steps[] = {0, 1, 7};
    bench->link.subscriber = true;
    bench->rules[0] =
        (struct link_rule){"SUBSCRIBE", "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"
                                        "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$0\r\n\r\n"};
    bench_open();
    for (size_t i = 0; i < 3; i++) {
        bench->step = steps[i];
        buf_clear(&bench->log);
        assert_true(link_send(&bench->link, -1, 0, SLICE("*2\r\n$9\r\nSUBSCRIBE\r\n"),
                              SLICE("$1\r\nc\r\n"), NULL, NULL));
        assert_int_equal(bench->link.pipeline.in_flight, 0);
        for (int n = 0; n < 2000 && bench->log.len < 25; n++)
            bench_turns(1);
        bench_assert_buf(&bench->log, "[subscribec1] [messagec] ");
    }
    buf_str(&bench->answers, "+no push\r\n");
    bench->step = 0;
    assert_true(bench_wait_for(&bench->down, 1));
}

/* Pushes that take 200 ms to handle: the loop turns in between, and they stay in order. */
static void a_turn_has_a_budget(void **state) {
    (void)state;
    struct buf expected;
    unsigned n = 0;
    buf_init(&expected);
    bench->link.subscriber = true;
    bench_open();
    bench->push_us = 100;
    for (int i = 0; i < 2000; i++) {
        buf_printf(&bench->answers, "*1\r\n:%d\r\n", i);
        buf_printf(&expected, "[%d] ", i);
    }
    for (; n < 5000 && bench->log.len < expected.len; n++)
        bench_turns(1);
    assert_true(slice_eq(buf_bytes(&bench->log), buf_bytes(&expected)));
    assert_true(n > 10);
    buf_deinit(&expected);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(answers_come_in_order),           TEST(answers_may_come_byte_by_byte),
        TEST(an_unknown_script_is_sent_whole), TEST(outcome_tells_what_was_flushed),
        TEST(sends_only_while_ready),          TEST(an_unasked_reply_resets),
        TEST(a_subscriber_gets_pushes),        TEST(a_turn_has_a_budget),
    };
    return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
