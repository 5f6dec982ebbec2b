#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client_bench.h"
#include "gateway/client/limits.h"
#include "told.h"

/* Tests which events of a client fail, above a fake Redis. */

/* --- failing --------------------------------------------------------------------------------
 */

static void those_sent_after_a_failing_message_fail_too(void **state) {
    (void)state;
    send_message(1, 0);
    send_message(2, 0);
    send_event("history", 3, "");
    send_message(4, 0);
    fake_fail(OUTCOME_UNKNOWN);
    assert_told("!1:unavailable/unknown #1 !2:unavailable/refused #2 ");
    assert_asked("roster k |"); /* its order does not matter */
    fake_answer("0");
    assert_told("3={} !4:unavailable/refused #4 ");
    send_message(5, 0); /* sent before it heard of that, maybe */
    assert_told("!5:unavailable/refused #5 ");
    send_message(1, 0);
    send_message(2, 0);
    assert_appends(1);
    answer_append(1);
    assert_appends(2);
    answer_append(2);
    assert_told("1={\"seq\":1,\"timestamp\":7} 2={\"seq\":2,\"timestamp\":7} ");
}

/* It is not known which one will come again, so only those fail that have come. */
static void those_after_one_without_an_id_fail_once(void **state) {
    (void)state;
    send_event("publish", 1, "{}");
    send_event("publish", 2, "{}");
    fake_fail(OUTCOME_REFUSED);
    assert_told("!1:unavailable/refused !2:unavailable/refused ");
    send_event("publish", 3, "{}");
    assert_asked("append topic:t | '' e 0 '' '' ''");
}

static void one_that_does_not_come_again_is_given_up(void **state) {
    (void)state;
    send_message(1, 0);
    fake_fail(OUTCOME_REFUSED);
    loop.time += 1999;
    told_forget();
    send_message(2, 0);
    assert_told("!2:unavailable/refused #2 ");
    loop.time += 1;
    send_message(3, 0);
    assert_appends(3);
}

static void one_that_names_the_one_before_it_fails_whenever_it_comes(void **state) {
    (void)state;
    send_message(1, 0);
    send_message(2, 1);
    fake_fail(OUTCOME_REFUSED);
    loop.time += 60000;
    told_forget();
    send_message(3, 2);
    send_message(4, 3);
    assert_told("!3:unavailable/refused #3 !4:unavailable/refused #4 ");
    send_message(1, 0);
    send_message(2, 1);
    assert_appends(1);
    answer_append(1);
    assert_appends(2);
}

static void of_one_that_is_no_member_only_those_fail_that_name_it(void **state) {
    (void)state;
    send_message(1, 0);
    send_message(2, 1);
    send_message(3, 0);
    fake_answer("-1");
    assert_told("!1:not_a_member #1 !2:unavailable/refused #2 ");
    assert_appends(3);
}

static void what_a_reaped_node_was_to_write_is_sent_again(void **state) {
    (void)state;
    send_message(1, 0);
    fake_answer("-2");
    assert_told("!1:unavailable/refused #1 ");
}

static void nothing_is_sent_to_a_redis_that_is_away_or_full(void **state) {
    (void)state;
    fake.full = true;
    send_message(1, 0);
    send_event("history", 2, "");
    assert_told("!1:unavailable/refused #1 !2:unavailable/refused ");
    fake.full = false;
    fake_fall();
    send_message(1, 0);
    send_event("history", 2, "");
    assert_told("!1:unavailable/refused #1 !2:unavailable/refused ");
    assert_nothing_asked();
}

/* --- the rate -------------------------------------------------------------------------------
 */

static void over_the_rate_a_message_fails_in_its_turn(void **state) {
    (void)state;
    options.rate_limit = 2; /* and 6 at once */
    for (unsigned i = 0; i < 4; i++)
        send_event("heartbeat", 9, "");
    told_forget();
    send_message(1, 0);
    send_message(2, 0);
    send_message(3, 0); /* over it */
    send_event("history", 4, "");
    assert_told_nothing();
    answer_append(1);
    assert_told("1={\"seq\":1,\"timestamp\":7} ");
    answer_append(2);
    assert_told("2={\"seq\":2,\"timestamp\":7} !3:rate_limited #3 !4:rate_limited ");
    loop.time += 1500;  /* what was refused has cost something, too */
    send_message(5, 0); /* the third has not come again */
    assert_told("!5:rate_limited #5 ");
    loop.time += 500;
    send_message(3, 0);
    assert_appends(3);
}

static void over_the_rate_it_fails_at_once_when_none_is_under_way(void **state) {
    (void)state;
    options.rate_limit = 1;
    for (unsigned i = 1; i <= 4; i++)
        send_event("heartbeat", i, "");
    send_message(5, 0);
    assert_told("1={} 2={} 3={} !4:rate_limited !5:rate_limited #5 ");
    loop.time += 2900;
    send_message(5, 0);
    assert_told("!5:rate_limited #5 ");
    loop.time += 1100;
    send_message(5, 0);
    assert_appends(5);
}

static uint64_t pause_after(void (*what)(void)) {
    slow_until = 0;
    what();
    return slow_until != 0 ? slow_until - loop.time : 0;
}

static void refused_event(void) {
    send_event("heartbeat", 1, "");
}

static void unknown_event(void) {
    send_event("nonsense", 1, "");
}

static void bad_frame(void) {
    struct ack ack = {.len = 0};
    client_bad_frame(client, ERR_BAD_JSON, &ack, NULL);
}

static void charge_for_100(void) {
    limits_charge(client, 100);
}

static void over_the_rate_a_connection_is_read_more_slowly(void **state) {
    (void)state;
    options.rate_limit = 10;
    for (unsigned i = 0; i < 30; i++)
        send_event("heartbeat", 1, "");
    assert_int_equal(slow_until, 0);
    assert_int_equal(pause_after(refused_event), 350); /* its unit, and the room for more */
    assert_int_equal(pause_after(unknown_event), 450);
    assert_int_equal(pause_after(bad_frame), 550);
    assert_int_equal(pause_after(charge_for_100), 10000 + 250); /* never for ever */
    loop.time += 13000 + 250;
    told_forget();
    send_event("heartbeat", 1, "");
    assert_told("1={} ");
    assert_int_equal(pause_after(refused_event), 0);
}

static void some_events_cost_more(void **state) {
    (void)state;
    static const struct {
        const char *event;
        unsigned times; /* as often as 30 units allow */
    } table[] = {{"heartbeat", 30}, {"history", 6}, {"login", 10},     {"join", 10},
                 {"subscribe", 10}, {"read", 30},   {"all_member", 30}};
    options.rate_limit = 10;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct event_row *row = event_find(&clients, slice_of(table[i].event));
        loop.time += 20000;
        for (unsigned k = 0; k < table[i].times; k++)
            assert_false(limits_over_rate(client, row));
        assert_true(limits_over_rate(client, row));
    }
    options.rate_limit = 1; /* what costs more than there may ever be */
    loop.time += 60000;
    assert_false(limits_over_rate(client, event_find(&clients, SLICE("history"))));
    assert_true(limits_over_rate(client, event_find(&clients, SLICE("history"))));
}

static void makes_so_many_logs_and_no_more(void **state) {
    (void)state;
    for (unsigned i = 0; i < options.max_subscriptions; i++) {
        assert_true(limits_may_make(client));
        limits_made(client);
    }
    limits_made(client); /* an event may make several */
    assert_false(limits_may_make(client));
    loop.time += 3600000 / options.max_subscriptions;
    assert_true(limits_may_make(client));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(those_sent_after_a_failing_message_fail_too),
        CASE(those_after_one_without_an_id_fail_once),
        CASE(one_that_does_not_come_again_is_given_up),
        CASE(one_that_names_the_one_before_it_fails_whenever_it_comes),
        CASE(of_one_that_is_no_member_only_those_fail_that_name_it),
        CASE(what_a_reaped_node_was_to_write_is_sent_again),
        CASE(nothing_is_sent_to_a_redis_that_is_away_or_full),
        CASE(over_the_rate_a_message_fails_in_its_turn),
        CASE(over_the_rate_it_fails_at_once_when_none_is_under_way),
        CASE(over_the_rate_a_connection_is_read_more_slowly),
        CASE(some_events_cost_more),
        CASE(makes_so_many_logs_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
