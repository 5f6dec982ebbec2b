/* How a link greets Redis, and what it makes of bad greetings. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/link_bench.h"

static void check_greeting(unsigned commands, const char *expected) {
    bench->hold = commands; /* not one answer before the last is there: they are pipelined */
    link_open(&bench->link);
    assert_int_equal(bench->link.state, LINK_CLOSED);
    assert_true(bench_wait_for(&bench->ready, 1));
    bench_assert_buf(&bench->seen, expected);
    assert_string_equal(bench->link.greeting.run, "run1");
    assert_string_equal(bench->link.greeting.replid, "abc");
    assert_int_equal(bench->link.greeting.id, 7);
    assert_int_equal(bench->down, 0);
}

static void greets_in_order(void **state) {
    (void)state;
    check_greeting(5, PLAIN);
}

static void greets_with_user_and_database(void **state) {
    (void)state;
    strcpy(bench->address.user, "me");
    strcpy(bench->address.password, "s3 cret");
    bench->address.database = 3;
    check_greeting(7, "AUTH me s3 cret|CLIENT SETNAME unit|CLIENT ID|INFO server|INFO "
                      "replication|SELECT 3|PING|");
}

static void greets_with_a_password(void **state) {
    (void)state;
    strcpy(bench->address.password, "s3cret");
    check_greeting(6, "AUTH s3cret|" PLAIN);
}

/* Each way to be refused. It is told once, nothing is ready, and the next attempt is a new one.
 */
static void each_bad_greeting_is_named(void **state) {
    (void)state;
    static const struct {
        struct link_rule rule;
        const char *why;
    } table[] = {
        {{"AUTH", "-WRONGPASS invalid\r\n"}, "password"},
        {{"SELECT", "-ERR DB index is out of range\r\n"}, "database"},
        {{"INFO server", "-NOPERM no\r\n"}, "INFO"},
        {{"INFO replication", "-NOPERM no\r\n"}, "INFO"},
        {{"INFO replication", "$12\r\nrole:slave\r\n\r\n"}, "not a master"},
        {{"INFO replication", "$13\r\nrole:masters\n\r\n"}, "not a master"},
        {{"INFO replication", "+\r\n"}, "not a master"},
        {{"INFO server", "$36\r\nrun_id:run1\r\nredis_mode:cluster\r\n\r\n\r\n"},
         "redis+cluster://"},
        {{"PING", "-BUSY a script\r\n"}, "PING"},
        {{"PING", "HTTP/1.1 400 Bad Request\r\n"}, "protocol"},
        {{"PING", NULL}, "closed"},
        {{"CLIENT", NULL}, "closed"},
    };
    strcpy(bench->address.password, "x");
    bench->address.database = 1;
    link_open(&bench->link);
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
        bench->rules[0] = table[i].rule;
        bench->link.backoff.refusals = 0; /* the wait is not tested here */
        assert_true(bench_wait_for(&bench->down, i + 1));
        if (strstr(bench->why, table[i].why) == NULL)
            fail_msg("%u: \"%s\" does not name %s", i, bench->why, table[i].why);
        assert_int_equal(bench->down, i + 1);
        assert_int_equal(bench->ready, 0);
    }
    /* A Redis without CLIENT, and one that does not tell which it is, serves as well. */
    bench->rules[0] = (struct link_rule){"CLIENT", "-ERR unknown subcommand\r\n"};
    bench->rules[1] = (struct link_rule){"INFO server", "$10\r\nxrun_id:1\n\r\n"};
    assert_true(bench_wait_for(&bench->ready, 1));
    assert_string_equal(bench->link.greeting.run, "");
    assert_int_equal(bench->link.greeting.id, 0);
    assert_int_equal(bench->accepted, sizeof table / sizeof *table + 1);
}

/* It is asked again on the same link, for longer than the timeout. */
static void a_loading_redis_is_awaited(void **state) {
    (void)state;
    bench->link.timeout_ms = 300;
    bench->rules[0] = (struct link_rule){"PING", "-LOADING Redis is loading\r\n"};
    link_open(&bench->link);
    assert_true(bench_wait_for(&bench->commands, 9));
    assert_string_equal(link_trouble(&bench->link), "Redis loads its data");
    bench->rules[0].command = NULL;
    assert_true(bench_wait_for(&bench->ready, 1));
    assert_int_equal(bench->accepted, 1);
    assert_int_equal(bench->down, 0);
}

/* A link that is accepted and dropped at once waits ever longer. */
static void a_hollow_success_is_none(void **state) {
    (void)state;
    uint64_t from = uv_hrtime();
    bench_open();
    for (unsigned i = 1; i <= 6; i++) {
        buf_str(&bench->answers, "-NOPERM no\r\n");
        assert_true(bench_wait_for(&bench->down, i));
        assert_non_null(strstr(bench->why, "NOPERM"));
        assert_true(bench_wait_for(&bench->ready, i + 1));
    }
    /* At least 25, 50, 100, 200, 400 and 800 ms. */
    assert_true(uv_hrtime() - from > 1500000000ULL);
}

static void a_silent_redis_times_out(void **state) {
    (void)state;
    bench->link.timeout_ms = 50;
    bench->rules[0] = (struct link_rule){"PING", ""};
    link_open(&bench->link);
    assert_true(bench_wait_for(&bench->down, 2));
    assert_string_equal(bench->why, "timed out");
    bench->rules[0].command = NULL;
    assert_true(bench_wait_for(&bench->ready, 1));
    unsigned down = bench->down;
    uint64_t until = uv_hrtime() + 150000000;
    while (uv_hrtime() < until)
        bench_turns(1);
    assert_int_equal(bench->down, down); /* ready: the time is off */
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(greets_in_order),
        TEST(greets_with_user_and_database),
        TEST(greets_with_a_password),
        TEST(each_bad_greeting_is_named),
        TEST(a_loading_redis_is_awaited),
        TEST(a_hollow_success_is_none),
        TEST(a_silent_redis_times_out),
    };
    return cmocka_run_group_tests_name("link_greeting", tests, NULL, NULL);
}
