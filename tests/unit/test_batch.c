/* Messages that share a call of their script, and the order of each sender. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_redis.h"
#include "gateway/redis/batch.h"
#include "told.h"

static struct lane ann, bob;

struct message {
    struct sending sending;
    char name;
    bool keeps; /* it is not over when it is answered */
};
static struct message messages[26 + BATCH_MOST];

static void on_done(void *arg, const struct reply *reply, enum outcome outcome) {
    struct message *m = arg;
    if (reply == NULL)
        tell("!%c%s ", m->name, outcome == OUTCOME_REFUSED ? "" : "?");
    else
        tell("%c%lld ", m->name, reply_number(reply_item(reply, 0)));
    if (!m->keeps)
        lane_over(&m->sending, reply == NULL);
}

/* after: the message that it names, or 0. The channel of partition 1 has the name of a digit.
 */
static bool append_to(const char *channel, struct lane *lane, char name, char after) {
    struct message *m = &messages[(unsigned char)name - 'a'];
    struct slice key = slice_of(channel), args[] = {{&m->name, 1}};
    *m = (struct message){.name = name, .keeps = m->keeps};
    m->sending =
        (struct sending){.lane = lane, .own = (uint64_t)name, .after = (uint64_t)after};
    return redis_append(redis_partition(&fake.redis, key), &m->sending, SCRIPT_append, &key, 1,
                        args, 1, on_done, m);
}

static void append(struct lane *lane, char name) {
    assert_true(append_to("t", lane, name, 0));
}

static int begin(void **state) {
    (void)state;
    fake_begin();
    fake_split(2);
    lane_init(&ann);
    lane_init(&bob);
    memset(messages, 0, sizeof messages);
    told_forget();
    return 0;
}

static int end(void **state) {
    (void)state;
    fake_end();
    assert_int_equal(ann.count, 0);
    assert_int_equal(ann.bytes, 0);
    assert_int_equal(fake.redis.partitions[0].appending_bytes, 0);
    return 0;
}

static void those_of_a_turn_share_a_call(void **state) {
    (void)state;
    append(&ann, 'a');
    append(&bob, 'b');
    append(&ann, 'c');
    assert_true(append_to("t1", &bob, 'd', 0)); /* waits: it is in another partition */
    assert_asked("append t | 11 a 21 b 11 c");
    fake_answer("0 [ 0 1 ] [ 0 2 ] [ -1 ]");
    assert_told("a0 b0 c-1 ");
    assert_asked("append t1 | '' d");
    fake_answer("0 1");
    assert_told("d0 ");
}

static void what_comes_meanwhile_shares_the_next_one(void **state) {
    (void)state;
    append(&ann, 'a');
    fake_turn();
    append(&ann, 'b');
    append(&ann, 'c');
    append(&bob, 'd'); /* is not held up */
    assert_asked("append t | '' a");
    fake_answer("0");
    assert_asked("append t | '' d");
    fake_answer("0");
    assert_asked("append t | 11 b 11 c");
    fake_answer("0 [ 0 ] [ 0 ]");
    assert_told("a0 d0 b0 c0 ");
}

static void one_that_fails_takes_those_after_it_along(void **state) {
    (void)state;
    append(&ann, 'a');
    append(&ann, 'b');
    append(&bob, 'c');
    append(&ann, 'd');
    fake_turn();
    append(&ann, 'e');
    fake_answer("0 [ 0 ] [ -6 OOM ] [ 0 ] [ -7 ]");
    assert_told("a0 !b !d !e c0 ");
    append(&ann, 'f');
    assert_asked("append t | '' f");
    fake_answer("0");
}

static void a_call_that_fails_fails_all(void **state) {
    (void)state;
    append(&ann, 'a');
    append(&ann, 'b');
    fake_turn();
    append(&ann, 'c');
    fake_fail(OUTCOME_UNKNOWN);
    assert_told("!a? !b? !c ");
}

static void an_error_in_the_middle_may_have_written(void **state) {
    (void)state;
    append(&ann, 'a');
    append(&bob, 'b');
    fake_answer("0 [ -6 WRONGTYPE ] [ 0 ]");
    assert_told("!a? b0 ");
}

/* What names it fails, and the rest is tried again. */
static void one_that_is_no_member_is_left_behind(void **state) {
    (void)state;
    append(&ann, 'a');
    assert_true(append_to("t", &ann, 'b', 'a'));
    assert_true(append_to("t", &ann, 'c', 'b'));
    append(&ann, 'd');
    fake_turn();
    append(&ann, 'e');
    fake_answer("0 [ -1 ] [ -7 ] [ -7 ] [ -7 ]");
    assert_told("a-1 !b !c ");
    assert_asked("append t | 11 d 11 e");
    fake_answer("0 [ 0 ] [ 0 ]");
    assert_told("d0 e0 ");
}

static void the_rest_waits_until_it_is_over(void **state) {
    (void)state;
    messages[0].keeps = true;
    append(&ann, 'a');
    append(&ann, 'b');
    fake_answer("0 [ -1 ] [ -7 ]");
    assert_told("a-1 ");
    assert_nothing_asked();
    append(&ann, 'c');
    assert_nothing_asked();
    lane_over(&messages[0].sending, true);
    assert_told("!b !c ");
}

static void alone_it_waits_for_all_and_all_for_it(void **state) {
    (void)state;
    messages[1].keeps = true;
    append(&ann, 'a');
    struct slice key = SLICE("dm"), args[] = {SLICE("b")};
    messages[1].name = 'b';
    messages[1].sending = (struct sending){.lane = &ann, .alone = true};
    assert_true(redis_append(&fake.redis.partitions[0], &messages[1].sending, SCRIPT_dm, &key,
                             1, args, 1, on_done, &messages[1]));
    append(&ann, 'c');
    assert_asked("append t | '' a");
    fake_answer("0");
    assert_asked("dm dm | b");
    fake_answer("0");
    assert_nothing_asked();
    lane_over(&messages[1].sending, false);
    assert_asked("append t | '' c");
    fake_answer("0");
    assert_told("a0 b0 c0 ");
}

static void a_call_has_so_many_at_most(void **state) {
    (void)state;
    static struct lane lanes[BATCH_MOST + 1];
    for (int i = 0; i <= BATCH_MOST; i++) {
        lane_init(&lanes[i]);
        append(&lanes[i], (char)('a' + i));
    }
    fake_turn();
    assert_int_equal(fake.pending, 2);
    fake_answer("0");
    assert_asked("append t | '' %c", 'a' + BATCH_MOST);
    fake_answer("0");
    assert_int_equal(lanes[BATCH_MOST].count, 0);
    told_forget();
}

static void when_the_link_falls_in_the_same_turn_nothing_was_sent(void **state) {
    (void)state;
    append(&ann, 'a');
    append(&ann, 'b');
    fake_fall();
    fake_turn();
    assert_told("!a !b ");
    assert_false(append_to("t", &ann, 'c', 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        TEST(those_of_a_turn_share_a_call),
        TEST(what_comes_meanwhile_shares_the_next_one),
        TEST(one_that_fails_takes_those_after_it_along),
        TEST(a_call_that_fails_fails_all),
        TEST(an_error_in_the_middle_may_have_written),
        TEST(one_that_is_no_member_is_left_behind),
        TEST(the_rest_waits_until_it_is_over),
        TEST(alone_it_waits_for_all_and_all_for_it),
        TEST(a_call_has_so_many_at_most),
        TEST(when_the_link_falls_in_the_same_turn_nothing_was_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
