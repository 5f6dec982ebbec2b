/* Private messages whose log and inboxes are in three partitions: each step, and what comes of
 * it when it fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_redis.h"
#include "gateway/channel/outbox.h"

#define FRAME                                                                                  \
    "{\"channel\":\"dm:ann:bob\",\"epoch\":\"e1\",\"seq\":7,\"time\":1700000000123456,"        \
    "\"event\":\"new_private_message\",\"data\":{\"first\":1}}"
#define DATA                                                                                   \
    "{\"senderId\":\"ann\",\"receiverId\":\"bob\",\"content\":\"hi\","                         \
    "\"timestamp\":1700000000123,\"seq\":7}"
#define INBOX(to, data, id, noted)                                                             \
    "inbox@%u user:" to " | ann bob " data " " id " c1 e1 7 3 2 " noted

enum { DM, ANNS, BOBS };

static unsigned place_apart(struct slice name) {
    return slice_is(name, "user:ann") ? ANNS : slice_is(name, "user:bob") ? BOBS : DM;
}

/* --- a message ------------------------------------------------------------------------------
 */

static struct private_send sending;
static unsigned told;
static bool good;
static struct private_sent last;
static enum outcome why;

static void on_done(struct private_send *s, const struct private_sent *sent,
                    enum outcome outcome) {
    assert_ptr_equal(s, &sending);
    told++;
    good = sent != NULL;
    if (good)
        last = *sent;
    why = outcome;
}

static enum append_result send_to(const char *receiver, const char *id) {
    struct private_message m = {.sender = SLICE("ann"),
                                .receiver = slice_of(receiver),
                                .content = SLICE("\"hi\""),
                                .id = slice_of(id),
                                .origin = SLICE("c1")};
    told = 0;
    return private_send(&sending, &fake.redis, &m, on_done);
}

static int begin(void **state) {
    (void)state;
    fake_begin();
    fake_split(3);
    fake.place = place_apart;
    return 0;
}

static int end(void **state) {
    (void)state;
    assert_nothing_asked();
    private_deinit(&sending);
    fake_end();
    return 0;
}

static void begin_message(const char *id) {
    assert_int_equal(send_to("bob", id), APPEND_SENT);
    assert_asked("dm@0 dm:ann:bob | ann bob {\"senderId\":\"ann\",\"receiverId\":\"bob\","
                 "\"content\":\"hi\" %s c1",
                 *id != '\0' ? id : "''");
}

static void answer_dm(const char *cut, const char *frame) {
    fake_answer("0 7 1700000000123456 e1 3 2 a-note %s %s", cut, frame);
}

static void assert_failed(enum outcome outcome) {
    assert_int_equal(told, 1);
    assert_false(good);
    assert_int_equal(why, outcome);
}

static void one_partition_has_one_step(void **state) {
    (void)state;
    fake.place = NULL;
    assert_int_equal(send_to("bob", ""), APPEND_SENT);
    assert_asked("private dm:ann:bob user:bob user:ann | ann bob "
                 "{\"senderId\":\"ann\",\"receiverId\":\"bob\",\"content\":\"hi\" '' c1");
    fake_answer("0 7 1700000000123456 1 e2 5 log-bytes");
    assert_true(good && last.seq == 7 && last.time == 1700000000123456 && last.delivered);
    assert_true(last.cut && last.inbox.seq == 5);
    assert_string_equal(last.inbox.epoch, "e2");
}

static void the_sender_is_told_after_both_inboxes(void **state) {
    (void)state;
    begin_message("");
    answer_dm("''", "");
    assert_asked(INBOX("bob", DATA, "''", "''"), BOBS);
    fake_answer("0 e3 9 1");
    assert_int_equal(told, 0);
    assert_asked(INBOX("ann", DATA, "''", "''"), ANNS);
    fake_answer("0 e2 5 0");
    assert_int_equal(told, 1);
    assert_true(good && last.seq == 7 && last.time == 1700000000123456 && last.delivered);
    assert_true(!last.cut && last.inbox.seq == 5);
    assert_string_equal(last.inbox.epoch, "e2");
    assert_asked("posted@0 dm:ann:bob | a-note");
    fake_answer("0");
}

static void a_note_that_stays_does_no_harm(void **state) {
    (void)state;
    begin_message("");
    answer_dm("log-bytes", "");
    fake_answer("0 e3 9 0");
    fake_answer("0 e2 5 1 log-bytes");
    assert_true(good && last.cut && !last.delivered);
    fake_fail(OUTCOME_UNKNOWN);
    assert_int_equal(told, 1);
}

static void to_oneself_there_is_one_inbox(void **state) {
    (void)state;
    assert_int_equal(send_to("ann", ""), APPEND_SENT);
    fake_answer("0 7 1700000000123456 e1 3 2 a-note ''");
    fake_answer("0 e2 5 1");
    assert_true(good && last.delivered && last.inbox.seq == 5);
    assert_asked("posted@0 dm:ann:ann | a-note");
    fake_answer("0");
}

static void a_first_step_that_fails_has_its_outcome(void **state) {
    (void)state;
    begin_message("");
    fake_fail(OUTCOME_REFUSED);
    assert_failed(OUTCOME_REFUSED);
    private_deinit(&sending);
    begin_message("");
    fake_fail(OUTCOME_UNKNOWN);
    assert_failed(OUTCOME_UNKNOWN);
}

static void an_inbox_that_fails_leaves_the_note(void **state) {
    (void)state;
    begin_message("");
    answer_dm("''", "");
    fake_fail(OUTCOME_REFUSED); /* bob's */
    assert_int_equal(told, 0);
    fake_answer("0 e2 5 0");
    assert_failed(OUTCOME_UNKNOWN);
    private_deinit(&sending);
    begin_message("");
    answer_dm("''", "");
    fake_answer("0 e3 9 1");
    fake_fail(OUTCOME_UNKNOWN); /* ann's */
    assert_failed(OUTCOME_UNKNOWN);
}

static void nothing_begins_while_an_inbox_is_away(void **state) {
    (void)state;
    for (unsigned away = DM; away <= BOBS; away++) {
        fake.redis.partitions[away].up = false;
        assert_int_equal(send_to("bob", ""), APPEND_AWAY);
        assert_nothing_asked();
        private_deinit(&sending);
        fake.redis.partitions[away].up = true;
    }
    fake.full = true;
    assert_int_equal(send_to("bob", ""), APPEND_AWAY);
}

static void an_inbox_that_goes_away_is_not_asked(void **state) {
    (void)state;
    begin_message("");
    fake.redis.partitions[ANNS].up = fake.redis.partitions[BOBS].up = false;
    answer_dm("''", "");
    assert_failed(OUTCOME_UNKNOWN);
}

static void a_repeat_brings_what_the_first_one_said(void **state) {
    (void)state;
    begin_message("ann:x");
    answer_dm("''", FRAME);
    assert_asked(INBOX("bob", "{\"first\":1}", "ann:x", "''"), BOBS);
    fake_answer("0 e3 9 1");
    assert_asked(INBOX("ann", "{\"first\":1}", "ann:x", "''"), ANNS);
    fake_answer("0 e2 5 1");
    assert_true(good && last.seq == 7);
    fake_answer("0");
}

static void a_repeat_of_a_message_that_is_gone_brings_its_own(void **state) {
    (void)state;
    begin_message("ann:x");
    answer_dm("''", "''");
    assert_asked(INBOX("bob", DATA, "ann:x", "''"), BOBS);
    fake_answer("0 e3 9 1");
    fake_answer("0 e2 5 1");
    assert_true(good);
    fake_answer("0");
}

/* --- notes ----------------------------------------------------------------------------------
 */

static struct outbox outbox;
#define NOTE(note) note " ann bob '' c1 '" FRAME "' 3 2 "

static void tick(uint64_t now) {
    outbox_tick(&outbox, now);
}

static void ask_notes(uint64_t now) {
    tick(now);
    assert_asked("outbox@0 | 5000 64 262144");
}

static void begin_notes(void) {
    outbox_init(&outbox, &fake.redis, 1000);
    ask_notes(1000);
}

/* The answers of the two other partitions. */
static void no_other_notes(void) {
    assert_asked("outbox@1 | 5000 64 262144");
    fake_answer("0 0");
    assert_asked("outbox@2 | 5000 64 262144");
    fake_answer("0 0");
}

static void one_redis_has_no_notes(void **state) {
    (void)state;
    fake.redis.count = 1;
    outbox_init(&outbox, &fake.redis, 1000);
    tick(1000);
    assert_nothing_asked();
}

static void a_note_is_done(void **state) {
    (void)state;
    begin_notes();
    fake_answer("0 0 " NOTE("n1"));
    no_other_notes();
    assert_asked(INBOX("bob", "{\"first\":1}", "''", "1"), BOBS);
    fake_answer("0 e3 9 1");
    assert_asked(INBOX("ann", "{\"first\":1}", "''", "1"), ANNS);
    fake_answer("0 e2 5 1");
    assert_asked("posted@0 dm:ann:bob | n1");
    fake_answer("0");
    tick(1999);
    assert_nothing_asked();
    ask_notes(2000);
    fake_answer("0 0");
    no_other_notes();
}

static void a_note_that_fails_stays(void **state) {
    (void)state;
    begin_notes();
    fake_answer("0 1 " NOTE("n1"));
    no_other_notes();
    fake_fail(OUTCOME_REFUSED);
    tick(2000); /* this partition's are still under way */
    fake_answer("0 e2 5 1");
    no_other_notes();
    assert_nothing_asked(); /* more wait, but nothing goes through */
    ask_notes(3000);
    fake_fail(OUTCOME_UNKNOWN);
    no_other_notes();
}

static void more_notes_are_asked_for_at_once(void **state) {
    (void)state;
    begin_notes();
    fake_answer("0 1 " NOTE("n1") NOTE("n2"));
    no_other_notes();
    for (unsigned i = 0; i < 4; i++)
        fake_answer("0 e3 9 1");
    assert_asked("posted@0 dm:ann:bob | n1");
    fake_answer("0");
    assert_asked("posted@0 dm:ann:bob | n2");
    fake_answer("0");
    assert_asked("outbox@0 | 5000 64 262144");
    fake_answer("0 0");
}

static void a_note_of_nonsense_is_taken_out(void **state) {
    (void)state;
    begin_notes();
    fake_answer("0 0 n1 ann bob '' c1 nonsense 3 2");
    no_other_notes();
    assert_asked("posted@0 dm:ann:bob | n1");
    fake_answer("0");
}

static void no_inbox_is_up(void **state) {
    (void)state;
    begin_notes();
    fake.redis.partitions[ANNS].up = fake.redis.partitions[BOBS].up = false;
    fake_answer("0 1 " NOTE("n1"));
    fake_answer("0 0");
    fake_answer("0 0");
    assert_nothing_asked();
    ask_notes(2000);
    fake_answer("0 0");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(one_partition_has_one_step),
        TEST(the_sender_is_told_after_both_inboxes),
        TEST(a_note_that_stays_does_no_harm),
        TEST(to_oneself_there_is_one_inbox),
        TEST(a_first_step_that_fails_has_its_outcome),
        TEST(an_inbox_that_fails_leaves_the_note),
        TEST(nothing_begins_while_an_inbox_is_away),
        TEST(an_inbox_that_goes_away_is_not_asked),
        TEST(a_repeat_brings_what_the_first_one_said),
        TEST(a_repeat_of_a_message_that_is_gone_brings_its_own),
        TEST(one_redis_has_no_notes),
        TEST(a_note_is_done),
        TEST(a_note_that_fails_stays),
        TEST(more_notes_are_asked_for_at_once),
        TEST(a_note_of_nonsense_is_taken_out),
        TEST(no_inbox_is_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
