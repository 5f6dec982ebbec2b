/* Requests and answers of HTTP: at once or later, and the end of the connection. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/http_bench.h"

static void keeps_the_connection(void **state) {
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        bench_ask(GET("/later"));
        bench_await_laters(i + 1);
        bench_turns(5);
        assert_int_equal(bench_count("HTTP/1.1 "), i);
        bench_finish(i, "done");
        bench_await_answers(i + 1);
        bench_assert_ends("Content-Length: 4\r\n\r\ndone");
    }
    bench_ask(GET("/now"));
    bench_await_answers(4);
    bench_assert_ends("\r\n\r\nnow");
    assert_int_equal(bench_count("Connection: close"), 0);
}

static void answers_in_the_order_of_requests(void **state) {
    (void)state;
    bench_ask(GET("/now") GET("/later") GET("/now") GET("/later") GET("/later") GET("/now"));
    bench_await_laters(1);
    bench_turns(5);
    bench_read();
    assert_int_equal(bench->routed, 2); /* the requests after it wait */
    assert_int_equal(bench_count("HTTP/1.1 "), 1);
    assert_true(bench->conn->paused);
    bench_finish(0, "A");
    assert_int_equal(bench->routed, 2); /* nothing is called back before it returns */
    bench_await_laters(2);
    bench_finish(1, "B");
    bench_await_laters(3);
    bench_finish(2, "C");
    bench_await_answers(6);
    assert_false(bench->conn->paused);
    const char *at = bench->got.data;
    static const char *const bodies[] = {"now", "A", "now", "B", "C", "now"};
    for (unsigned i = 0; i < 6; i++) {
        char end[16];
        snprintf(end, sizeof end, "\r\n\r\n%s", bodies[i]);
        at = memmem(at, bench->got.len - (size_t)(at - bench->got.data), end, strlen(end));
        assert_non_null(at);
        at += strlen(end);
    }
    assert_ptr_equal(at, bench->got.data + bench->got.len);
}

/* Pieces of a request that come while an answer is awaited are read after that answer. */
static void reads_on_in_mid_request(void **state) {
    (void)state;
    bench_ask(GET("/later") "GET /now HT");
    bench_await_laters(1);
    bench_ask("TP/1.1\r\nHo");
    bench_turns(5);
    bench_ask("st: x\r\n\r\n");
    bench_turns(5);
    bench_finish(0, "A");
    bench_await_answers(2);
    bench_assert_ends("now");
}

static void upgrades_later(void **state) {
    (void)state;
    struct buf rest;
    bench_ask(GET("/watched") "bytes of ");
    bench_await_laters(1);
    bench_ask("another protocol");
    bench_turns(5);
    struct conn *c =
        http_upgrade_later(&bench->later[0], SLICE("HTTP/1.1 101 Yes\r\n\r\n"), &rest);
    assert_ptr_equal(c, bench->conn);
    assert_null(bench->later[0].http);
    conn_take(c, &bench_taken_ops, NULL);
    assert_int_equal(rest.len, 25);
    assert_memory_equal(rest.data, "bytes of another protocol", 25);
    buf_deinit(&rest);
    bench_ask("more");
    bench_await_answers(1);
    bench_assert_ends("101 Yes\r\n\r\n");
    bench_turns(5);
    assert_int_equal(bench->taken.len, 4);
    assert_int_equal(bench->gones, 0);
}

static void an_answer_moves_to_another_struct(void **state) {
    (void)state;
    bench_ask(GET("/watched"));
    bench_await_laters(1);
    bench->later[1].gone = bench_on_gone;
    http_later_move(&bench->later[0], &bench->later[1]);
    assert_null(bench->later[0].http);
    bench_finish(0, "not this");
    bench_finish(1, "this");
    bench_await_answers(1);
    bench_assert_ends("\r\n\r\nthis");
    bench_ask(GET("/watched"));
    bench_await_laters(2);
    bench->later[2].gone = bench_on_gone;
    http_later_move(&bench->later[1], &bench->later[2]);
    shutdown(bench->peer, SHUT_WR);
    bench_until(bench_is_gone);
    assert_int_equal(bench->gones, 1);
    assert_null(bench->later[2].http);
}

/* A peer that ends its side while the answer is on its way still gets all of it. */
static void answers_who_sends_no_more(void **state) {
    (void)state;
    size_t len = 4000000;
    char *text = malloc(len + 1);
    memset(text, 'x', len);
    text[len] = '\0';
    int small = 4096;
    setsockopt(bench->conn->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    bench_ask(GET("/watched"));
    bench_await_laters(1);
    bench_finish(0, text);
    bench_turns(2);
    assert_true(bench->conn->queue->bytes > 0);
    shutdown(bench->peer, SHUT_WR);
    bench_until(bench_is_over);
    assert_true(bench->got.len > len);
    assert_memory_equal(bench->got.data + bench->got.len - len, text, len);
    bench_until(bench_is_gone);
    assert_int_equal(bench->gones, 0);
    free(text);
}

static void hands_the_rest_to_an_upgrade(void **state) {
    (void)state;
    bench_ask(GET("/later") GET("/take") "bytes of another protocol");
    bench_await_laters(1);
    bench_finish(0, "A");
    bench_await_answers(2);
    assert_int_equal(bench->taken.len, 25);
    assert_memory_equal(bench->taken.data, "bytes of another protocol", 25);
    bench_ask("!");
    bench_turns(5);
    assert_int_equal(bench->taken.len, 26);
}

/* The request's own wish, HEAD, and an error's answer. */
static void closes_as_at_once(void **state) {
    (void)state;
    bench_ask("HEAD /later HTTP/1.1\r\nHost: x\r\n\r\n"
              "GET /later HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" GET("/now"));
    bench_await_laters(1);
    bench_finish(0, "none");
    bench_await_answers(1);
    bench_assert_ends("Content-Length: 4\r\n\r\n");
    bench_await_laters(2);
    bench_finish(1, "last");
    bench_until(bench_is_over);
    assert_int_equal(bench_count("HTTP/1.1 "), 2);
    assert_int_equal(bench_count("Connection: close"), 1);
    bench_assert_ends("last");
    close(bench->peer); /* its end is seen: the connection reads again */
    bench->peer = socket(AF_INET, SOCK_STREAM, 0);
    bench_until(bench_is_gone);
}

static void an_error_is_the_last_answer(void **state) {
    (void)state;
    bench_ask(GET("/later") GET("/now"));
    bench_await_laters(1);
    http_answer_later(&bench->later[0], 401, NULL, SLICE(""), "WWW-Authenticate: Bearer\r\n");
    bench_until(bench_is_over);
    assert_int_equal(bench_count("401 Unauthorized"), 1);
    assert_int_equal(bench_count("\r\nWWW-Authenticate: Bearer\r\n"), 1);
    assert_int_equal(bench_count("HTTP/1.1 "), 1);
}

static void outlives_its_connection(void **state) {
    (void)state;
    bench_ask(GET("/later") GET("/now"));
    bench_await_laters(1);
    conn_close(bench->conn, true); /* as the node's end does */
    bench_finish(0, "closing already");
    bench_until(bench_is_gone);
    bench_finish(0, "nobody is there"); /* once more does nothing */
}

static void learns_of_a_connection_that_went(void **state) {
    (void)state;
    bench_ask(GET("/later"));
    bench_await_laters(1);
    conn_close(bench->conn, true);
    assert_non_null(bench->later[0].http);
    bench_until(bench_is_gone);
    assert_null(bench->later[0].http);
    bench_finish(0, "nobody is there");
}

/* The peer resets while the answer is awaited, which is noticed when the answer is sent. */
static void answers_a_peer_that_went(void **state) {
    (void)state;
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    bench_ask(GET("/later"));
    bench_await_laters(1);
    setsockopt(bench->peer, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(bench->peer);
    bench->peer = socket(AF_INET, SOCK_STREAM, 0);
    bench_turns(5);
    bench_finish(0, "too late");
    bench_until(bench_is_gone);
}

static void says_when_it_is_late(void **state) {
    (void)state;
    bench->limit_ms = 30;
    bench_ask(GET("/later") GET("/now"));
    bench_await_laters(1);
    bench_until(bench_is_over);
    assert_int_equal(bench->lates, 1);
    assert_int_equal(bench_count("503 Service Unavailable"), 1);
    bench_assert_ends("late");
    bench_finish(0, "later still");
    bench_turns(5);
    bench_read();
    assert_int_equal(bench_count("later still"), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(keeps_the_connection),
        TEST(answers_in_the_order_of_requests),
        TEST(reads_on_in_mid_request),
        TEST(answers_who_sends_no_more),
        TEST(an_answer_moves_to_another_struct),
        TEST(upgrades_later),
        TEST(hands_the_rest_to_an_upgrade),
        TEST(closes_as_at_once),
        TEST(an_error_is_the_last_answer),
        TEST(outlives_its_connection),
        TEST(learns_of_a_connection_that_went),
        TEST(answers_a_peer_that_went),
        TEST(says_when_it_is_late),
    };
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
