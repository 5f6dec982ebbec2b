/* Private messages whose log and inboxes are in three partitions: each step, and what comes of
 * it when it fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_redis.h"
#include "gateway/channel/outbox.h"

#define FRAME_OF(epoch, seq, data)                                                             \
    "{\"channel\":\"dm:ann:bob\",\"epoch\":\"" epoch "\",\"seq\":" seq                         \
    ",\"time\":1700000000123456,"                                                              \
    "\"event\":\"new_private_message\",\"data\":" data "}"
#define FRAME FRAME_OF("e1", "7", "{\"first\":1}")
#define DATA                                                                                   \
    "{\"senderId\":\"ann\",\"receiverId\":\"bob\",\"content\":\"hi\","                         \
    "\"timestamp\":1700000000123,\"seq\":7}"
/* after: the place before the message; whole, late; how many the user has read. */
#define INBOX(to, from, after, data, id)                                                       \
    "inbox@%u user:" to " | " from " " after " e1 7 ann " id " c1 3 " data
#define TO_BOB(data, id) INBOX("bob", "ann", "e0 6 1 '' 2", data, id), BOBS
#define TO_ANN(data, id) INBOX("ann", "bob", "e0 6 1 '' 5", data, id), ANNS
#define POSTED           "posted@0 dm:ann:bob | e1 7"

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
    static struct lane lane;
    static struct sending place;
    lane_init(&lane);
    place = (struct sending){.lane = &lane};
    return private_send(&sending, &fake.redis, &m, &place, on_done);
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

static void answer_dm(const char *cut) {
    fake_answer("0 7 1700000000123456 e1 3 e0 1 5 2 %s", cut);
}

/* frame: of the first one. */
static void answer_repeat(const char *frame) {
    fake_answer("0 7 1700000000123456 e1 3 '' 1 5 2 '' %s", frame);
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
    assert_asked("private dm:ann:bob user:bob user:ann | '' ann bob "
                 "{\"senderId\":\"ann\",\"receiverId\":\"bob\",\"content\":\"hi\" '' c1");
    fake_answer("0 7 1700000000123456 1 e2 5 log-bytes");
    assert_true(good && last.seq == 7 && last.time == 1700000000123456 && last.delivered);
    assert_true(last.cut && last.inbox.seq == 5);
    assert_string_equal(last.inbox.epoch, "e2");
}

static void the_sender_is_told_after_both_inboxes(void **state) {
    (void)state;
    begin_message("");
    answer_dm("''");
    assert_asked(TO_BOB(DATA, "''"));
    fake_answer("0 e3 9 1 ''");
    assert_int_equal(told, 0);
    assert_asked(TO_ANN(DATA, "''"));
    fake_answer("0 e2 5 0 ''");
    assert_int_equal(told, 1);
    assert_true(good && last.seq == 7 && last.time == 1700000000123456 && last.delivered);
    assert_true(!last.cut && last.inbox.seq == 5);
    assert_string_equal(last.inbox.epoch, "e2");
    assert_asked(POSTED);
    fake_answer("0");
}

static void a_third_step_that_fails_does_no_harm(void **state) {
    (void)state;
    begin_message("");
    answer_dm("log-bytes");
    fake_answer("0 e3 9 0 ''");
    fake_answer("0 e2 5 1 log-bytes");
    assert_true(good && last.cut && !last.delivered);
    fake_fail(OUTCOME_UNKNOWN);
    assert_int_equal(told, 1);
}

static void to_oneself_there_is_one_inbox(void **state) {
    (void)state;
    assert_int_equal(send_to("ann", ""), APPEND_SENT);
    fake_answer("0 7 1700000000123456 e1 3 e0 1 5 2 ''");
    fake_answer("0 e2 5 1 ''");
    assert_true(good && last.delivered && last.inbox.seq == 5);
    assert_asked("posted@0 dm:ann:ann | e1 7");
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

static void an_inbox_that_fails_leaves_the_rest(void **state) {
    (void)state;
    begin_message("");
    answer_dm("''");
    fake_fail(OUTCOME_REFUSED); /* bob's */
    assert_int_equal(told, 0);
    fake_answer("0 e2 5 0 ''");
    assert_failed(OUTCOME_UNKNOWN);
    private_deinit(&sending);
    begin_message("");
    answer_dm("''");
    fake_answer("0 e3 9 1 ''");
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
    answer_dm("''");
    assert_failed(OUTCOME_UNKNOWN);
}

#define REPEAT_TO(to, from, read, data) INBOX(to, from, "'' 6 1 1 " read, data, "ann:x")

static void a_repeat_brings_what_the_first_one_said(void **state) {
    (void)state;
    begin_message("ann:x");
    answer_repeat(FRAME);
    assert_asked(REPEAT_TO("bob", "ann", "2", "{\"first\":1}"), BOBS);
    fake_answer("0 e3 9 1 ''");
    assert_asked(REPEAT_TO("ann", "bob", "5", "{\"first\":1}"), ANNS);
    fake_answer("0 e2 5 1 ''");
    assert_true(good && last.seq == 7);
    fake_answer("0");
}

static void a_repeat_of_a_message_that_is_gone_brings_its_own(void **state) {
    (void)state;
    begin_message("ann:x");
    answer_repeat("''");
    assert_asked(REPEAT_TO("bob", "ann", "2", DATA), BOBS);
    fake_answer("0 e3 9 1 ''");
    fake_answer("0 e2 5 1 ''");
    assert_true(good);
    fake_answer("0");
}

/* --- an inbox that lacks others -------------------------------------------------------------
 */

#define MISSING(mark, wanted, user)                                                            \
    "missing@0 dm:ann:bob | " mark " " wanted " " user " 64 262144"

/* Bob's lacks what is after this mark. */
static void begin_behind(const char *mark) {
    begin_message("");
    answer_dm("''");
    fake_answer("1 e3 8 1 '' %s", mark);
    fake_answer("0 e2 5 0 ''"); /* ann's */
}

static void what_an_inbox_lacks_comes_first(void **state) {
    (void)state;
    begin_behind("e0 5");
    assert_asked(MISSING("e0 5", "e1 7", "bob"));
    fake_answer("0 0 1 e1 7 '' 2 bob bob:y c2 4 '%s' ann '' c1 3 '%s'",
                FRAME_OF("e0", "6", "{\"two\":2}"), FRAME);
    assert_asked("inbox@%u user:bob | ann e0 5 '' 1 2 e0 6 bob bob:y c2 4 {\"two\":2} "
                 "e1 7 ann '' c1 3 {\"first\":1}",
                 BOBS);
    assert_int_equal(told, 0);
    fake_answer("0 e3 10 1 log-bytes");
    assert_true(good && last.delivered && last.cut && last.inbox.seq == 5);
    assert_asked(POSTED);
    fake_answer("0");
}

static void pages_follow_each_other_up_to_the_message(void **state) {
    (void)state;
    begin_behind("'' 0");
    assert_asked(MISSING("'' 0", "e1 7", "bob"));
    fake_answer("0 1 1 e1 6 1 '' bob '' c2 4 '%s'", FRAME_OF("e0", "6", "{\"two\":2}"));
    assert_asked("inbox@%u user:bob | ann '' 0 1 1 '' e0 6 bob '' c2 4 {\"two\":2}", BOBS);
    fake_answer("0 e3 9 1 ''");
    assert_asked(MISSING("e1 6", "e1 7", "bob"));
    fake_answer("0 1 1 e1 7 '' '' ann '' c1 3 '%s'", FRAME); /* there are later ones */
    assert_asked("inbox@%u user:bob | ann e1 6 '' 1 '' e1 7 ann '' c1 3 {\"first\":1}", BOBS);
    fake_answer("0 e3 10 1 ''");
    assert_true(good);
    fake_answer("0");
}

static void an_inbox_that_was_brought_it_meanwhile_is_asked_again(void **state) {
    (void)state;
    begin_behind("e0 5");
    fake_answer("0 0 1 e1 7 '' 2 ann '' c1 3 '%s'", FRAME);
    fake_answer("1 e3 9 1 '' e0 6");
    assert_asked(MISSING("e0 6", "e1 7", "bob"));
    fake_answer("0 0 1 e1 7 '' 2");
    assert_true(good);
    fake_answer("0");
}

static void a_message_that_the_log_lost_is_brought_to_nobody(void **state) {
    (void)state;
    begin_behind("e2 8");
    assert_asked(MISSING("e2 8", "e1 7", "bob"));
    fake_answer("0 0 0 e2 8 '' 2");
    assert_failed(OUTCOME_UNKNOWN);
}

static void nobody_asks_for_ever(void **state) {
    (void)state;
    begin_behind("e0 5");
    for (unsigned i = 0; i < 64; i++) {
        fake_answer("0 0 1 e1 7 '' 2 ann '' c1 3 '%s'", FRAME);
        assert_int_equal(told, 0);
        fake_answer("1 e3 9 1 '' e0 5");
    }
    assert_failed(OUTCOME_UNKNOWN);
}

static void a_log_that_cannot_be_asked(void **state) {
    (void)state;
    begin_behind("e0 5");
    fake_fail(OUTCOME_REFUSED);
    assert_failed(OUTCOME_UNKNOWN);
}

/* --- the outbox -----------------------------------------------------------------------------
 */

static struct outbox outbox;

static void tick(uint64_t now) {
    outbox_tick(&outbox, now);
}

static void ask_names(uint64_t now) {
    tick(now);
    assert_asked("outbox@0 | 4000 64");
}

static void begin_names(void) {
    outbox_init(&outbox, &fake.redis, 1000);
    ask_names(1000);
}

/* The answers of the two other partitions. */
static void no_other_names(void) {
    assert_asked("outbox@1 | 4000 64");
    fake_answer("0 0");
    assert_asked("outbox@2 | 4000 64");
    fake_answer("0 0");
}

static void one_redis_has_no_outbox(void **state) {
    (void)state;
    fake.redis.count = 1;
    outbox_init(&outbox, &fake.redis, 1000);
    tick(1000);
    assert_nothing_asked();
}

#define WHERE(user, peer) "inbox@%u user:" user " | " peer " '' 0 '' '' ''"

static void both_inboxes_are_brought_level(void **state) {
    (void)state;
    begin_names();
    fake_answer("0 0 dm:ann:bob");
    no_other_names();
    assert_asked(WHERE("bob", "ann"), BOBS);
    fake_answer("1 e3 8 1 '' e0 5");
    assert_asked(WHERE("ann", "bob"), ANNS);
    fake_answer("1 e2 5 1 '' e1 7");
    assert_asked(MISSING("e0 5", "'' ''", "bob"));
    fake_answer("0 0 0 e1 7 '' 2 ann '' c1 3 '%s'", FRAME);
    assert_asked(MISSING("e1 7", "'' ''", "ann"));
    fake_answer("0 0 0 e1 8 '' 2"); /* another one has come */
    assert_asked("inbox@%u user:bob | ann e0 5 '' 1 2 e1 7 ann '' c1 3 {\"first\":1}", BOBS);
    fake_answer("0 e3 9 1 ''");
    assert_asked(POSTED);
    fake_answer("0");
    tick(1999);
    assert_nothing_asked();
    ask_names(2000);
    fake_answer("0 0");
    no_other_names();
}

static void a_name_whose_step_fails_stays(void **state) {
    (void)state;
    begin_names();
    fake_answer("0 0 dm:ann:bob");
    no_other_names();
    fake_fail(OUTCOME_REFUSED);
    tick(2000); /* this partition's are still under way */
    fake_answer("1 e2 5 1 '' e1 7");
    no_other_names();
    fake_answer("0 0 0 e1 7 '' 2");
    assert_nothing_asked();
    ask_names(3000);
    fake_fail(OUTCOME_UNKNOWN);
    no_other_names();
}

/* Those whose inboxes are away keep none of the others waiting. */
static void more_names_are_asked_for_at_once(void **state) {
    (void)state;
    begin_names();
    fake.redis.partitions[ANNS].up = fake.redis.partitions[BOBS].up = false;
    for (unsigned i = 0; i < 15; i++) {
        fake_answer("0 1 dm:ann:bob dm:ann:bob");
        if (i == 0) {
            fake_answer("0 0");
            fake_answer("0 0");
        }
        assert_asked("outbox@0 | 4000 64");
    }
    fake_answer("0 1 dm:ann:bob"); /* enough for now */
    assert_nothing_asked();
    ask_names(2000);
    fake_answer("0 0");
}

static void a_name_of_nonsense_is_left_out(void **state) {
    (void)state;
    begin_names();
    fake_answer("0 0 nonsense dm: dm:a dm:a: dm:a:b:c");
    no_other_names();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(one_partition_has_one_step),
        TEST(the_sender_is_told_after_both_inboxes),
        TEST(a_third_step_that_fails_does_no_harm),
        TEST(to_oneself_there_is_one_inbox),
        TEST(a_first_step_that_fails_has_its_outcome),
        TEST(an_inbox_that_fails_leaves_the_rest),
        TEST(nothing_begins_while_an_inbox_is_away),
        TEST(an_inbox_that_goes_away_is_not_asked),
        TEST(a_repeat_brings_what_the_first_one_said),
        TEST(a_repeat_of_a_message_that_is_gone_brings_its_own),
        TEST(what_an_inbox_lacks_comes_first),
        TEST(pages_follow_each_other_up_to_the_message),
        TEST(an_inbox_that_was_brought_it_meanwhile_is_asked_again),
        TEST(a_message_that_the_log_lost_is_brought_to_nobody),
        TEST(nobody_asks_for_ever),
        TEST(a_log_that_cannot_be_asked),
        TEST(one_redis_has_no_outbox),
        TEST(both_inboxes_are_brought_level),
        TEST(a_name_whose_step_fails_stays),
        TEST(more_names_are_asked_for_at_once),
        TEST(a_name_of_nonsense_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
