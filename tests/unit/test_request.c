#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client_bench.h"
#include "gateway/client/available.h"
#include "gateway/client/life.h"
#include "told.h"

/* The events of a client, above a fake Redis. */

/* --- one after the other --------------------------------------------------------------------
 */

static void events_take_effect_in_order(void **state) {
    (void)state;
    send_message(1, 0);
    send_event("history", 2, "");
    send_message(3, 0);
    send_event("heartbeat", 4, "{}");
    assert_int_equal(fake.pending, 1);
    assert_appends(1);
    answer_append(11);
    assert_told("1={\"seq\":11,\"timestamp\":7} ");
    assert_asked("roster k |");
    assert_int_equal(fake.pending, 1);
    fake_answer("0");
    assert_told("2={} ");
    assert_appends(3);
    answer_append(12);
    assert_told("3={\"seq\":12,\"timestamp\":7} 4={} ");
    assert_nothing_asked();
    assert_null(client->current);
}

static void an_event_without_an_ack_gets_no_answer(void **state) {
    struct ack none = {0};
    struct json_value data = {JSON_NONE, {NULL, 0}};
    (void)state;
    client_event(client, SLICE("history"), data, &none);
    fake_answer("0");
    assert_told_nothing();
    client_event(client, SLICE("history"), data, &none);
    fake_fail(OUTCOME_REFUSED);
    assert_told("!:unavailable/refused "); /* but it is told of a failure */
}

static void refuses_what_it_does_not_know_or_may_not_do(void **state) {
    (void)state;
    send_event("hello", 1, "{\"clientMessageId\":5}");
    assert_told("!1:unknown_event:event #5 ");
    send_event("history", 2, "{\"userId\":\"bob\"}");
    assert_told("!2:forbidden:userId ");
    send_event("history", 3, "{\"userId\":\"ann\",\"senderId\":7}");
    assert_told("!3:forbidden:senderId ");
    send_event("publish", 4, "{\"clientMessageId\":{}}");
    assert_told("!4:bad_field:clientMessageId ");
    send_event("message_chunk", 5, "{\"userId\":\"bob\"}"); /* it may name another user */
    assert_told("5={} ");
    send_event("history", 6, "{\"userId\":\"ann\"}");
    assert_asked("roster k |");
}

static void refuses_most_before_the_login(void **state) {
    (void)state;
    send_event("history", 1, "");
    assert_told("!1:not_logged_in ");
    send_event("heartbeat", 2, "");
    assert_told("2={} ");
    assert_nothing_asked();
}

static void takes_long_messages_after_the_login(void **state) {
    (void)state;
    assert_int_equal(client_message_most(client), BEFORE_LOGIN_MOST);
    send_event("login", 0, "");
    assert_int_equal(client_message_most(client), MOST);
    fake_fail(OUTCOME_REFUSED);
    assert_int_equal(client_message_most(client), BEFORE_LOGIN_MOST);
    rows[EVENT_HEARTBEAT].handle = hold;
    send_event("heartbeat", 0, "");
    assert_int_equal(client_message_most(client), BEFORE_LOGIN_MOST);
    send_event("login", 0, ""); /* it waits */
    assert_int_equal(client_message_most(client), MOST);
    request_ok(held, SLICE("{}"));
    held = NULL;
    fake_fail(OUTCOME_REFUSED);
    told_forget();
    client_log_in();
    assert_int_equal(client_message_most(client), MOST);
}

/* --- the socket -----------------------------------------------------------------------------
 */

static void many_that_wait_pause_the_socket(void **state) {
    (void)state;
    for (unsigned i = 0; i < 1024; i++)
        send_event("history", 1, "");
    assert_told_nothing();
    send_event("history", 1, "");
    send_event("history", 1, "");
    assert_told("pause ");
    assert_int_equal(client->backlog->waiting.count, 1025);
    while (client->backlog->waiting.count > 256)
        fake_answer("0");
    assert_null(strstr(told(), "go-on"));
    told_forget();
    fake_answer("0");
    assert_told("1={} go-on ");
}

static void many_bytes_that_wait_pause_the_socket(void **state) {
    static char data[1200];
    (void)state;
    options.max_message = 1000;
    snprintf(data, sizeof data, "\"%0598d\"", 0); /* 600 bytes */
    send_event("history", 1, "");
    send_event("history", 2, data);
    assert_told_nothing();
    send_event("history", 3, data);
    assert_told("pause ");
    assert_true(clients.waiting_bytes >= 1200);
    fake_answer("0");
    assert_told("1={} "); /* more than half of it still waits */
    fake_answer("0");
    assert_told("2={} go-on ");
    assert_int_equal(clients.waiting_bytes, 0);
}

/* --- the end --------------------------------------------------------------------------------
 */

static void goes_with_one_in_flight(void **state) {
    (void)state;
    send_message(1, 0);
    send_message(2, 0);
    client_gone(client);
    assert_false(freed); /* the script's answer comes to it */
    assert_int_equal(clients.waiting_bytes, 0);
    answer_append(1);
    assert_told_nothing();
    assert_asked("offline user:ann node:%s | ann 1-%s %s", lease->incarnation,
                 clients.registry.all.birth, lease->incarnation);
    fake_answer("0");
    assert_true(freed);
}

static void goes_with_one_that_waits_for_what_never_comes(void **state) {
    (void)state;
    send_event("typing", 1, "");
    send_message(2, 0);
    client_gone(client);
    assert_true(abandoned);
    assert_told_nothing();
    assert_asked("offline user:ann node:%s | ann 1-%s %s", lease->incarnation,
                 clients.registry.all.birth, lease->incarnation);
}

static void goes_though_an_answer_is_kept(void **state) {
    (void)state;
    send_event("private_message", 1, "");
    send_message(2, 0);
    assert_appends(2);
    answer_append(1); /* it waits for the answer to the first one */
    assert_told_nothing();
    client_gone(client);
    assert_true(abandoned);
    assert_told_nothing();
    assert_asked("offline user:ann node:%s | ann 1-%s %s", lease->incarnation,
                 clients.registry.all.birth, lease->incarnation);
    fake_answer("0");
    assert_true(freed);
}

static void an_answer_may_end_the_client(void **state) {
    (void)state;
    send_event("typing", 1, "");
    send_message(2, 0);
    kills = true;
    request_ok(held, SLICE("{}"));
    held = NULL;
    assert_told("1={} close:1013:slow ");
    assert_false(abandoned); /* it ended once */
    assert_int_equal(fake.pending, 1);
}

static void answers_and_goes_on(void **state) {
    struct buf data;
    (void)state;
    send_event("typing", 1, "");
    send_event("history", 2, "");
    buf_init(&data);
    buf_str(&data, "{\"a\":1}");
    assert_true(request_answer(held, &data));
    buf_deinit(&data);
    assert_told("1={\"a\":1} ");
    assert_nothing_asked(); /* the rest of its work is done before the next event begins */
    request_ok(held, SLICE("{}"));
    held = NULL;
    assert_told_nothing();
    assert_asked("roster k |");
}

static void answers_nobody_who_is_gone(void **state) {
    struct buf data;
    (void)state;
    send_event("typing", 1, "");
    held->abandon = NULL;
    buf_init(&data);
    buf_str(&data, "{}");
    client_gone(client);
    assert_false(request_answer(held, &data));
    buf_deinit(&data);
    assert_told_nothing();
}

/* --- available ------------------------------------------------------------------------------
 */

static void those_that_were_refused_are_told_once(void **state) {
    (void)state;
    client->wants_available = true;
    clients_tell_available(&clients);
    assert_told_nothing();
    send_message(1, 0);
    fake_fail(OUTCOME_REFUSED);
    told_forget();
    clients_tell_available(&clients);
    clients_tell_available(&clients);
    client_tell_available(client);
    assert_told("available ");
    send_message(1, 0);
    fake_fail(OUTCOME_REFUSED);
    told_forget();
    client_tell_available(client);
    client_tell_available(client);
    assert_told("available ");
}

static void those_that_did_not_ask_for_it_are_not_told(void **state) {
    (void)state;
    send_message(1, 0);
    fake_fail(OUTCOME_REFUSED);
    told_forget();
    clients_tell_available(&clients);
    client_tell_available(client);
    assert_told_nothing();
}

static void who_does_not_read_gets_no_more_long_answers(void **state) {
    (void)state;
    unread = 262145;
    send_event("history", 1, "");
    send_event("read", 2, ""); /* in order, so it waits, too */
    assert_told("want-drained ");
    assert_nothing_asked();
    client_drained(client); /* of an older wish: there is as much again */
    assert_told("want-drained ");
    unread = 0;
    client_drained(client);
    assert_asked("roster k |");
    unread = 262145; /* others are not held back */
    fake_answer("0");
    assert_told("1={} 2={} ");
    send_event("history", 3, "");
    send_event("read", 4, "");
    assert_told("want-drained ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(who_does_not_read_gets_no_more_long_answers),
        CASE(events_take_effect_in_order),
        CASE(an_event_without_an_ack_gets_no_answer),
        CASE(refuses_what_it_does_not_know_or_may_not_do),
        NEW(refuses_most_before_the_login),
        NEW(takes_long_messages_after_the_login),
        CASE(many_that_wait_pause_the_socket),
        CASE(many_bytes_that_wait_pause_the_socket),
        CASE(goes_with_one_in_flight),
        CASE(goes_with_one_that_waits_for_what_never_comes),
        CASE(goes_though_an_answer_is_kept),
        CASE(an_answer_may_end_the_client),
        CASE(answers_and_goes_on),
        CASE(answers_nobody_who_is_gone),
        CASE(those_that_were_refused_are_told_once),
        CASE(those_that_did_not_ask_for_it_are_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
