/* Bodies of HTTP requests. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/http_bench.h"

static void takes_bodies(void **state) {
    (void)state;
    bench_ask(
        POST("/echo", LENGTH(5)) "hello" GET("/now")
            POST("/echo", CHUNKED) "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n" POST(
                "/echo", "") GET("/now"));
    bench_await_answers(5);
    static const char *const bodies[] = {"hello", "now", "abcdefg", "", "now"};
    const char *at = bench->got.data;
    for (unsigned i = 0; i < 5; i++) {
        char end[32];
        snprintf(end, sizeof end, "Length: %zu\r\n\r\n%s", strlen(bodies[i]), bodies[i]);
        at = memmem(at, bench->got.len - (size_t)(at - bench->got.data), end, strlen(end));
        assert_non_null(at);
        at += strlen(end);
    }
    assert_int_equal(bench->bodies, 2);
    assert_int_equal(bench_count("Connection: close"), 0);
}

static void takes_bodies_split_anywhere(void **state) {
    (void)state;
    static const char text[] = POST("/echo", LENGTH(5)) "hello" POST(
        "/echo", CHUNKED) "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    unsigned answers = 0;
    for (size_t at = 1; at < sizeof text - 1; at++) {
        char part[sizeof text];
        memcpy(part, text, at);
        part[at] = '\0';
        bench_ask(part);
        bench_turns(3);
        bench_ask(text + at);
        answers += 2;
        bench_await_answers(answers);
        bench_assert_ends("Content-Length: 5\r\n\r\nabcde");
        if (answers > 100) {
            buf_clear(&bench->got);
            answers = 0;
        }
    }
}

/* The requests that are refused, and their answers; the connection ends after each. */
static void refuses_bodies(void **state) {
    (void)state;
    static const struct {
        const char *text, *status;
    } cases[] = {
        {POST("/now", LENGTH(1)), "405 "},
        {"GET /now HTTP/1.1\r\nHost: x\r\n" LENGTH(1) "\r\n", "413 "},
        {POST("/refuse", LENGTH(1)), "401 "},
        {POST("/echo", LENGTH(101)), "413 "},
        {POST("/echo", LENGTH(99999999999999999999999)), "400 "},
        {POST("/echo", LENGTH(-1)), "400 "},
        {POST("/echo", LENGTH(5) LENGTH(5)) "hello", "400 "},
        {POST("/echo", LENGTH(5) CHUNKED) "5\r\nhello\r\n0\r\n\r\n", "400 "},
        {POST("/echo", "Transfer-Encoding: gzip\r\n"), "40"},
        {POST("/echo", CHUNKED) "x\r\n", "400 "},
        {POST("/echo", CHUNKED) "32\r\n" FIFTY "\r\n32\r\n" FIFTY "\r\n1\r\nx", "413 "},
        {POST("/echo", CHUNKED) "ffffffffffffffffff\r\n", "40"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *fresh;
        buf_clear(&bench->got);
        bench_ask(cases[i].text);
        bench_until(bench_is_over);
        char line[16];
        snprintf(line, sizeof line, "HTTP/1.1 %s", cases[i].status);
        if (bench_count(line) != 1 || bench_count("HTTP/1.1 ") != 1)
            fail_msg("%s: %.*s", cases[i].text, (int)bench->got.len, bench->got.data);
        bench_tear_down(&fresh);
        assert_int_equal(bench_set_up(&fresh), 0);
    }
}

static void says_go_on(void **state) {
    (void)state;
    bench_ask(POST("/echo", LENGTH(5) "Expect: 100-continue\r\n"));
    bench_await_answers(1);
    bench_assert_ends("HTTP/1.1 100 Continue\r\n\r\n");
    bench_ask("hello");
    bench_await_answers(2);
    bench_assert_ends("hello");
}

static void a_body_of_the_limit(void **state) {
    (void)state;
    bench_ask(POST("/echo", CHUNKED) "32\r\n" FIFTY "\r\n32\r\n" FIFTY "\r\n0\r\n\r\n");
    bench_await_answers(1);
    bench_assert_ends(FIFTY FIFTY);
}

/* Only the head is limited as a head: 90 chunks of 200 bytes of extensions are a body of 90. */
static void chunks_are_no_head(void **state) {
    (void)state;
    char chunk[256];
    struct buf all;
    buf_init(&all);
    buf_str(&all, POST("/echo", CHUNKED));
    for (unsigned i = 0; i < 90; i++) {
        snprintf(chunk, sizeof chunk, "1;%0200u\r\nx\r\n", i);
        buf_str(&all, chunk);
    }
    buf_append(&all, "0\r\n\r\n", 6);
    bench_ask(all.data);
    bench_await_answers(1);
    assert_int_equal(bench_count("Content-Length: 90"), 1);
    buf_deinit(&all);
}

static void no_content_has_none(void **state) {
    (void)state;
    bench_ask(GET("/none") GET("/now"));
    bench_await_answers(2);
    assert_int_equal(bench_count("204 No Content\r\nDate: "), 1);
    assert_int_equal(bench_count(" GMT\r\nX-None: 1\r\n\r\nHTTP/1.1 200"), 1);
}

/* ... unless the request asks for the end, or was not read to its own. */
static void an_error_may_leave_it_open(void **state) {
    (void)state;
    bench_ask(GET("/wrong") GET("/later") GET("/now"));
    bench_await_laters(1);
    bench->later[0].keep_errors = true;
    http_answer_later(&bench->later[0], 400, "text/plain", SLICE("wrong, too"), NULL);
    bench_await_answers(3);
    bench_assert_ends("now");
    assert_int_equal(bench_count("400 Bad Request"), 2);
    bench->watches = true;
    bench_ask(POST("/echo", LENGTH(5)) "hel");
    bench_turns(10);
    bench->watch.keep_errors = true;
    http_answer_later(&bench->watch, 400, "text/plain", SLICE("no more"), NULL);
    bench_until(bench_is_over);
    bench_assert_ends("no more");
    assert_int_equal(bench_count("Connection: close"), 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(takes_bodies),
        TEST(an_error_may_leave_it_open),
        TEST(takes_bodies_split_anywhere),
        TEST(refuses_bodies),
        TEST(says_go_on),
        TEST(a_body_of_the_limit),
        TEST(no_content_has_none),
        TEST(chunks_are_no_head),
    };
    return cmocka_run_group_tests_name("http_body", tests, NULL, NULL);
}
