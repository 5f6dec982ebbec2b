#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client_bench.h"
#include "gateway/client/life.h"
#include "told.h"

/* Events before the login, above a fake Redis. */

static void early_events_wait_for_the_login(void **state) {
    (void)state;
    door.waits_for_login = true;
    send_message(1, 0);
    send_event("history", 2, "");
    assert_told_nothing();
    assert_true(clients.waiting_bytes > 0);
    send_event("login", 3, "");
    send_message(4, 0); /* after it */
    fake_answer("0");
    assert_told("3={} ");
    assert_appends(1);
    answer_append(1);
    fake_answer("0");
    assert_told("1={\"seq\":1,\"timestamp\":7} 2={} ");
    assert_appends(4);
    answer_append(2);
    assert_int_equal(clients.waiting_bytes, 0);
}

static void early_events_fail_after_a_while(void **state) {
    (void)state;
    door.waits_for_login = true;
    send_message(1, 0);
    loop.time += 1000;
    send_event("join", 2, "{}"); /* without an id it is from a user that is logged in */
    clients_tick(&clients, loop.time);
    assert_told_nothing();
    loop.time += 1050;
    clients_tick(&clients, loop.time);
    assert_told("!1:not_logged_in #1 !2:missing_field:id ");
    assert_int_equal(clients.waiting_bytes, 0);
    send_message(3, 0); /* they wait again */
    assert_told_nothing();
}

static void early_events_wait_for_as_long_as_the_login_takes(void **state) {
    (void)state;
    door.waits_for_login = true;
    send_message(1, 0);
    send_event("login", 2, "");
    for (int i = 0; i < 10; i++) {
        loop.time += 500;
        clients_tick(&clients, loop.time);
    }
    assert_told_nothing();
    fake_answer("0");
    assert_told("2={} ");
    assert_appends(1);
}

static void early_events_fail_with_the_login(void **state) {
    (void)state;
    door.waits_for_login = true;
    send_message(1, 0);
    send_event("login", 2, "");
    fake_fail(OUTCOME_UNKNOWN);
    assert_told("!2:unavailable/unknown !1:unavailable/refused #1 ");
}

static void early_events_over_the_rate_do_not_wait(void **state) {
    (void)state;
    door.waits_for_login = true;
    options.rate_limit = 1; /* less than what the first costs */
    send_event("history", 1, "");
    send_event("history", 2, "");
    assert_told("!2:rate_limited ");
}

static void early_events_are_bounded(void **state) {
    char *data = malloc(200001);
    (void)state;
    door.waits_for_login = true;
    memset(data, '7', 200000);
    data[200000] = '\0';
    send_event("history", 1, data);
    assert_told_nothing();
    send_event("history", 2, data);
    assert_told("!2:not_logged_in ");
    send_event("history", 3, "1"); /* it would overtake the second */
    assert_told("!3:not_logged_in ");
    free(data);
}

static void the_login_deadline_is_kept(void **state) {
    (void)state;
    clients.login_deadline = 5000;
    client_gone(client);
    client_make();
    door.waits_for_login = true;
    send_message(1, 0); /* takes the timer for a while */
    loop.time += 2050;
    clients_tick(&clients, loop.time);
    assert_told("!1:not_logged_in #1 ");
    loop.time += 2900;
    clients_tick(&clients, loop.time);
    assert_told_nothing();
    send_event("login", 2, "");
    loop.time += 500; /* the client is still logging in */
    clients_tick(&clients, loop.time);
    assert_told_nothing();
    fake_fail(OUTCOME_REFUSED);
    told_forget();
    loop.time += 5100;
    clients_tick(&clients, loop.time);
    assert_told("close:4408:login deadline ");
    assert_true(freed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        NEW(early_events_wait_for_the_login),
        NEW(early_events_fail_after_a_while),
        NEW(early_events_wait_for_as_long_as_the_login_takes),
        NEW(early_events_fail_with_the_login),
        NEW(early_events_over_the_rate_do_not_wait),
        NEW(early_events_are_bounded),
        NEW(the_login_deadline_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
