/* Attempts to connect a link, the look-up of names, and its close in each state. */

#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/link_bench.h"

static void attempts_go_on(void **state) {
    (void)state;
    int port = bench->address.port;
    bench->address.port = 1; /* nobody listens there */
    link_open(&bench->link);
    assert_true(bench_wait_for(&bench->down, 5));
    bench_turns(3);
    assert_int_equal(bench->link.attempts, 5);
    assert_int_equal(bench->ready, 0);
    bench->address.port = port;
    assert_true(bench_wait_for(&bench->ready, 1));
    assert_int_equal(bench->link.attempts, 0);
    assert_int_equal(bench->down, 5);
}

/* --- names ----------------------------------------------------------------------------------
 */

static struct {
    unsigned delay_ms;
    unsigned asked;
    int ports[2]; /* of the addresses in the answer; 0: no more */
} dns;

/* In place of the C library's, in libuv's thread: a name leads to these ports of 127.0.0.1. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **out) {
    struct addrinfo *next = NULL;
    (void)node;
    (void)service;
    (void)hints;
    dns.asked++;
    usleep(dns.delay_ms * 1000);
    for (int i = 1; i >= 0; i--) {
        if (dns.ports[i] == 0)
            continue;
        struct addrinfo *made = calloc(1, sizeof *made + sizeof(struct sockaddr_in));
        made->ai_addr = (struct sockaddr *)(made + 1);
        uv_ip4_addr("127.0.0.1", dns.ports[i], (struct sockaddr_in *)made->ai_addr);
        made->ai_next = next;
        next = made;
    }
    *out = next;
    return 0;
}

static void name_leads_to(int first, int second, unsigned delay_ms) {
    strcpy(bench->address.host, "unit.invalid");
    dns.ports[0] = first;
    dns.ports[1] = second;
    dns.delay_ms = delay_ms;
    dns.asked = 0;
}

/* Nothing listens at the first of two addresses. Both are tried before the name is looked up
 * again. */
static void all_addresses_of_an_answer_are_tried(void **state) {
    (void)state;
    name_leads_to(1, bench->address.port, 0);
    link_open(&bench->link);
    assert_true(bench_wait_for(&bench->ready, 1));
    assert_int_equal(bench->down, 1);
    assert_int_equal(dns.asked, 1);
    bench_drop_peer(); /* it may lead elsewhere now */
    assert_true(bench_wait_for(&bench->ready, 2));
    assert_int_equal(dns.asked, 2);
}

/* An answer that takes longer than the timeout is not thrown away, nor asked for again. */
static void a_slow_answer_serves(void **state) {
    (void)state;
    name_leads_to(bench->address.port, 0, 600);
    bench->link.timeout_ms = 100;
    link_open(&bench->link);
    for (int i = 0; i < 50; i++)
        bench_turns(1);
    assert_int_equal(bench->link.state, LINK_RESOLVING);
    assert_string_equal(link_trouble(&bench->link), "the name of Redis is being looked up");
    link_reset(&bench->link, "meanwhile"); /* its answer is used by the next attempt */
    assert_true(bench_wait_for(&bench->ready, 1));
    assert_int_equal(dns.asked, 1);
    assert_int_equal(bench->down, 1);
}

static bool reach(enum link_state wanted) {
    for (int i = 0; i < 3000 && bench->link.state != wanted; i++)
        bench_turns(1);
    return bench->link.state == wanted;
}

static void closes_before_it_is_opened(void **state) {
    (void)state;
    bench_close_link();
    assert_int_equal(bench->down, 0);
}

static void closes_while_resolving(void **state) {
    (void)state;
    name_leads_to(bench->address.port, 0, 50);
    link_open(&bench->link);
    assert_true(reach(LINK_RESOLVING));
    bench_close_link();
}

static void closes_while_greeting(void **state) {
    (void)state;
    bench->hold = 100;
    link_open(&bench->link);
    assert_true(reach(LINK_GREETING));
    bench_close_link();
    assert_int_equal(bench->ready, 0);
}

static void closes_while_ready(void **state) {
    (void)state;
    bench->rules[0] = (struct link_rule){"sent", ""};
    bench_open();
    bench->commands = 0;
    bench_send_word("sent");
    assert_true(bench_wait_for(&bench->commands, 1));
    bench_send_word("kept");
    bench_close_link();
    bench_assert_buf(&bench->log, "sent=unknown kept=refused ");
    assert_int_equal(bench->down, 1);
}

static void closes_while_falling(void **state) {
    (void)state;
    bench_open();
    link_reset(&bench->link, "a reason");
    assert_int_equal(bench->link.state, LINK_FALLING);
    bench_close_link();
    assert_int_equal(bench->down, 1);
}

static void closes_while_waiting(void **state) {
    (void)state;
    bench->rules[0] = (struct link_rule){"PING", NULL};
    link_open(&bench->link);
    assert_true(reach(LINK_WAITING));
    bench_close_link();
    assert_int_equal(bench->ready, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(attempts_go_on),         TEST(all_addresses_of_an_answer_are_tried),
        TEST(a_slow_answer_serves),   TEST(closes_before_it_is_opened),
        TEST(closes_while_resolving), TEST(closes_while_greeting),
        TEST(closes_while_ready),     TEST(closes_while_falling),
        TEST(closes_while_waiting),
    };
    return cmocka_run_group_tests_name("link_attempts", tests, NULL, NULL);
}
