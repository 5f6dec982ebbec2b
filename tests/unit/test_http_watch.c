/* Tests HTTP requests that are watched: peers that leave, and receipts of answers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/http_bench.h"

/* The watcher of a body is told of an answer that was given without it. */
static void watches_who_else_answers(void **state) {
    (void)state;
    bench->watches = bench->forgets = true;
    bench_ask(POST("/echo", LENGTH(5)) "hello");
    bench_await_answers(1);
    assert_int_equal(bench->gones, 1);
    assert_null(bench->watch.http);
}

static void watches_a_body(void **state) {
    (void)state;
    bench->watches = true;
    bench_ask(POST("/echo", LENGTH(5)) "hel");
    bench_turns(10);
    assert_non_null(bench->watch.http);
    bench_ask("lo");
    bench_await_answers(1);
    assert_int_equal(bench->gones, 0);
    bench_ask(POST("/echo", LENGTH(5)) "hel");
    bench_turns(10);
    bench_close_peer();
    bench_until(bench_is_gone);
    assert_int_equal(bench->gones, 1);
}

static void watches_a_body_too_long(void **state) {
    (void)state;
    bench->watches = true;
    bench_ask(POST("/echo", CHUNKED) "ff\r\n" FIFTY FIFTY FIFTY);
    bench_until(bench_is_over);
    assert_int_equal(bench_count("413 "), 1);
    assert_int_equal(bench->gones, 1);
}

static bool has_gone(void) {
    return bench->gones == 1;
}

/* The peer's end is seen while the answer is awaited; what it pipelines is kept. */
static void tells_of_a_peer_that_goes(void **state) {
    (void)state;
    bench_ask(GET("/watched") GET("/now"));
    bench_await_laters(1);
    bench_ask(GET("/now"));
    bench_turns(5);
    bench_finish(0, "A");
    bench_await_answers(3);
    bench_assert_ends("now");
    assert_int_equal(bench->gones, 0);
    bench_ask(GET("/watched"));
    bench_await_laters(2);
    bench_close_peer();
    bench_until(has_gone);
    bench_finish(1, "nobody is there");
    bench_until(bench_is_gone);
    assert_int_equal(bench->gones, 1);
}

static void tells_of_half_an_end(void **state) {
    (void)state;
    bench_ask(GET("/watched"));
    bench_await_laters(1);
    shutdown(bench->peer, SHUT_WR);
    bench_until(has_gone);
}

static void ends_a_watched_one_that_floods(void **state) {
    (void)state;
    static char flood[40000];
    memset(flood, 'x', sizeof flood - 1);
    bench_ask(GET("/watched"));
    bench_await_laters(1);
    bench_ask(flood);
    bench_until(has_gone);
    bench_until(bench_is_gone);
}

/* --- receipts -------------------------------------------------------------------------------
 */

static bool has_receipt(void) {
    return bench->receipts == bench->wanted;
}
static bool has_lost(void) {
    return bench->lost == 1;
}

/* Asks for the next answer of many, gives it, and awaits its receipt. */
static void answer_and_await(void) {
    unsigned i = bench->laters;
    bench_ask(GET("/watched"));
    bench_await_laters(i + 1);
    http_await_receipt(&bench->later[i], &bench->receipt);
    assert_non_null(bench->receipt.http);
    bench_finish(i, "A");
    bench_await_answers(bench_count("HTTP/1.1 ") + 1);
    bench_turns(5);
    assert_int_equal(bench->receipts + bench->lost, i); /* nothing came yet for this one */
    assert_non_null(bench->receipt.http);
}

/* The next request is a receipt, and so are a part of an empty line and an empty line, which
 * get no answer. */
static void whatever_comes_is_a_receipt(void **state) {
    (void)state;
    static const char *const texts[] = {GET("/now"), "\r\n", "\r", "\n", "GE"};
    for (unsigned i = 0; i < 5; i++) {
        answer_and_await();
        bench_ask(texts[i]);
        bench->wanted = i + 1;
        bench_until(has_receipt);
    }
    bench_ask("T /now HTTP/1.1\r\nHost: x\r\n\r\n");
    bench_await_answers(7);
    bench_turns(5);
    bench_read();
    assert_int_equal(bench_count("HTTP/1.1 200"), 7); /* an empty line has no answer */
    assert_int_equal(bench->receipts, 5);
    bench_close_peer();
    bench_until(bench_is_gone);
    assert_int_equal(bench->lost, 0);
}

static void empty_lines_are_no_requests(void **state) {
    (void)state;
    for (unsigned i = 0; i < LATERS; i++) {
        answer_and_await();
        bench_ask("\r\n");
        bench->wanted = i + 1;
        bench_until(has_receipt);
    }
    assert_int_equal(bench->routed, LATERS);
    assert_int_equal(bench->lost, 0);
}

static void a_receipt_is_lost_with_the_connection(void **state) {
    (void)state;
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    void *fresh;
    for (unsigned how = 0; how < 4; how++) {
        answer_and_await();
        if (how == 0)
            shutdown(bench->peer, SHUT_WR);
        else if (how == 1)
            setsockopt(bench->peer, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        if (how == 1 || how == 2)
            bench_close_peer();
        if (how == 3)
            conn_close(bench->conn, false); /* by this side */
        bench_until(has_lost);
        bench_until(bench_is_gone);
        assert_int_equal(bench->lost, 1);
        assert_int_equal(bench->receipts, 0);
        bench_tear_down(&fresh);
        assert_int_equal(bench_set_up(&fresh), 0);
    }
}

static void a_receipt_that_is_dropped(void **state) {
    (void)state;
    answer_and_await();
    http_drop_receipt(&bench->receipt);
    assert_null(bench->receipt.http);
    http_drop_receipt(&bench->receipt);
    bench_ask("\r\n");
    bench_turns(5);
    bench_close_peer();
    bench_until(bench_is_gone);
    assert_int_equal(bench->receipts + bench->lost, 0);
}

static void no_receipt_of_an_answer_to_nobody(void **state) {
    (void)state;
    bench_ask(GET("/watched"));
    bench_await_laters(1);
    bench_close_peer();
    bench_until(has_gone);
    http_await_receipt(&bench->later[0], &bench->receipt);
    assert_null(bench->receipt.http);
    assert_false(http_answer_later(&bench->later[0], 200, "text/plain", SLICE("nobody"), NULL));
    bench_until(bench_is_gone);
    assert_int_equal(bench->receipts + bench->lost, 0);
}

/* The answer cannot be sent. That is told later, and not before the call returns. */
static void a_receipt_of_an_answer_that_does_not_leave(void **state) {
    (void)state;
    bench_ask(GET("/watched"));
    bench_await_laters(1);
    bench->later[0].gone = NULL;
    conn_close(bench->conn, true);
    http_await_receipt(&bench->later[0], &bench->receipt);
    assert_false(
        http_answer_later(&bench->later[0], 200, "text/plain", SLICE("too late"), NULL));
    assert_int_equal(bench->lost, 0);
    bench_until(has_lost);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(watches_a_body),
        TEST(watches_who_else_answers),
        TEST(watches_a_body_too_long),
        TEST(tells_of_a_peer_that_goes),
        TEST(tells_of_half_an_end),
        TEST(ends_a_watched_one_that_floods),
        TEST(whatever_comes_is_a_receipt),
        TEST(empty_lines_are_no_requests),
        TEST(a_receipt_is_lost_with_the_connection),
        TEST(a_receipt_that_is_dropped),
        TEST(no_receipt_of_an_answer_to_nobody),
        TEST(a_receipt_of_an_answer_that_does_not_leave),
    };
    return cmocka_run_group_tests_name("http_watch", tests, NULL, NULL);
}
