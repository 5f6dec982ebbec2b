#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/presence/membership.h"
#include "gateway/presence/overdue.h"
#include "gateway/presence/placing.h"
#include "registry_bench.h"
#include "told.h"

/* Rooms hear of users whose keys are in another partition, above a fake Redis with two. */

static struct metrics counted;

/* The second partition, where r1 is. */
static void cut(void) {
    fake.redis.partitions[1].up = false;
}

static int set_up_split(void **state) {
    set_up(state);
    fake_split(2);
    return 0;
}

static void on_told_rooms(void *arg, size_t good) {
    (void)arg;
    tell("good:%zu ", good);
}

static void on_room(void *arg, const struct reply *reply, enum outcome outcome) {
    (void)arg;
    if (reply != NULL)
        tell("room:%lld ", reply_number(reply_item(reply, 1)));
    else
        tell(outcome == OUTCOME_UNKNOWN ? "unknown " : "refused ");
}

/* Places what a script of the first partition answers. */
static void place(const char *answer) {
    struct reply *reply = fake_reply("%s", answer);
    placing_all(&fake.redis, fake.redis.partitions, reply, 1, on_told_rooms, NULL);
    fake_reply_free(reply); /* it is kept */
}

static void tells_the_rooms_of_each_partition_and_takes_out_the_notes(void **state) {
    (void)state;
    place("0 [ ann 1 r0 7 0 1 r1 7 5 1 r4 7 0 0 ]");
    assert_asked(
        "place room:r0 stamp:r0 ann room:r4 stamp:r4 ann | '' ann 7 0 1 1 ann 7 0 0 1");
    fake_answer("0");
    assert_asked("place room:r1 stamp:r1 ann | '' ann 7 5 1 1");
    assert_told_nothing();
    fake_answer("0");
    assert_told("good:3 ");
    assert_asked("placed user:ann user:ann user:ann | ann r0 7 ann r1 7 ann r4 7");
}

static void tells_of_some_users_at_once(void **state) {
    (void)state;
    place("0 [ ann 1 r1 7 0 1 ] [ bob 0 r1 9 0 1 ]");
    assert_asked(
        "place room:r1 stamp:r1 ann room:r1 stamp:r1 bob | '' ann 7 0 1 1 bob 9 0 1 0");
    fake_answer("0");
    assert_asked("placed user:ann user:bob | ann r1 7 bob r1 9");
}

static void a_note_stays_whose_room_was_not_told(void **state) {
    (void)state;
    place("0 [ ann 1 r0 7 0 1 r1 7 0 1 ]");
    fake_answer("0");
    fake_fail(OUTCOME_UNKNOWN);
    assert_told("good:1 ");
    assert_asked("placed user:ann | ann r0 7");
    fake_answer("0");
    assert_nothing_asked();
}

static void a_note_stays_whose_partition_is_down(void **state) {
    (void)state;
    cut();
    place("0 [ ann 1 r1 7 0 1 ]");
    assert_told("good:0 ");
    assert_nothing_asked();
}

static void nothing_to_place_is_done_at_once(void **state) {
    (void)state;
    place("0");
    place("0 [ ann 1 ]");
    assert_told("good:0 good:0 ");
    assert_nothing_asked();
}

static void a_long_list_goes_in_pieces(void **state) {
    (void)state;
    struct buf text;
    buf_init(&text);
    buf_str(&text, "0 [ ann 1");
    for (int i = 0; i < 65; i++)
        buf_printf(&text, " r%03d-1 7 0 1", i);
    buf_str(&text, " ]");
    buf_char(&text, '\0');
    place(text.data);
    assert_int_equal(fake.pending, 2);
    fake_answer("0");
    assert_asked("place room:r064-1 stamp:r064-1 ann | '' ann 7 0 1 1");
    fake_answer("0");
    assert_told("good:65 ");
    assert_int_equal(fake.pending, 2);
    buf_deinit(&text);
}

/* --- entering and leaving -------------------------------------------------------------------
 */

static void leave(const char *channel) {
    assert_true(membership_leave(&leases, SLICE("ann"), slice_of(channel), LEAVES_INSIDE,
                                 on_room, NULL));
}

static void the_user_s_partition_decides_then_the_room_answers(void **state) {
    (void)state;
    leave("room:r1");
    assert_asked("leave user:ann | ann r1 %s 1", lease->incarnation);
    fake_answer("0 1 [ ann 1 r1 7 7 0 ]");
    assert_told_nothing();
    assert_asked("place room:r1 stamp:r1 ann | 1 ann 7 7 0 1");
    fake_answer("0 1 5 6");
    assert_told("room:1 ");
    assert_asked("placed user:ann | ann r1 7");
}

static void a_refusal_of_the_user_s_partition_is_the_answer(void **state) {
    (void)state;
    leave("room:r1");
    fake_answer("-2");
    assert_told("room:0 ");
    assert_nothing_asked();
    leave("room:r1");
    fake_fail(OUTCOME_REFUSED);
    assert_told("refused ");
}

static void nobody_knows_of_a_room_that_does_not_answer(void **state) {
    (void)state;
    leave("room:r1");
    fake_answer("0 1 [ ann 1 r1 7 7 0 ]");
    fake_fail(OUTCOME_REFUSED);
    assert_told("refused ");
    assert_nothing_asked(); /* the note stays */
    leave("room:r1");
    cut();
    fake_answer("0 1 [ ann 1 r1 8 8 0 ]");
    assert_told("unknown ");
    assert_nothing_asked();
}

static void nothing_begins_while_the_room_s_partition_is_down(void **state) {
    (void)state;
    cut();
    assert_false(membership_leave(&leases, SLICE("ann"), SLICE("room:r1"), LEAVES_INSIDE,
                                  on_room, NULL));
    assert_nothing_asked();
}

/* --- the registry and the sweep -------------------------------------------------------------
 */

static void rooms_hear_of_the_first_connection_and_the_last(void **state) {
    (void)state;
    struct user *ann = user_make("ann");
    registry_want(&ann->g, true);
    fake_answer("0 1 0 [ ann 1 r1 7 0 1 ]");
    assert_asked("place room:r1 stamp:r1 ann | '' ann 7 0 1 1");
    fake_answer("0");
    assert_asked("placed user:ann | ann r1 7");
    fake_answer("0");
    registry_want(&ann->g, false);
    fake_answer("0 1 0 [ ann 0 r1 8 0 1 ]");
    assert_asked("place room:r1 stamp:r1 ann | '' ann 8 0 1 0");
}

static void on_done(void *owner) {
    (void)owner;
    tell("done ");
}

static void sweeps_as_long_as_rooms_can_be_told(void **state) {
    (void)state;
    struct overdue overdue;
    overdue_init(&overdue, &fake.redis, lease, &counted);
    overdue_turn(&overdue);
    overdue_turn(&overdue); /* one at a time */
    assert_asked("pending | 256 ''");
    fake_answer("0 1 [ ann 0 r1 7 0 1 ]");
    assert_asked("place room:r1 stamp:r1 ann | '' ann 7 0 1 0");
    fake_answer("0");
    assert_asked("placed user:ann | ann r1 7");
    fake_answer("0");
    assert_asked("pending | 256 ''");
    cut();
    fake_answer("0 1 [ bob 0 r1 7 0 1 ]");
    assert_nothing_asked();
    overdue_turn(&overdue);
    fake_answer("0 0");
    assert_nothing_asked();
}

static void the_last_node_sweeps_all_notes(void **state) {
    (void)state;
    struct overdue overdue;
    overdue_init(&overdue, &fake.redis, lease, &counted);
    overdue_turn(&overdue);
    overdue_take_all(&overdue, on_done, NULL);
    fake_answer("0 0");
    assert_asked("due | 64 1 '' 0");
    fake_answer("0 0 0 0 1");
    assert_asked("pending | 256 1");
    fake_answer("0 0");
    assert_told("done ");
}

#define SPLIT(name) cmocka_unit_test_setup_teardown(name, set_up_split, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        SPLIT(tells_the_rooms_of_each_partition_and_takes_out_the_notes),
        SPLIT(tells_of_some_users_at_once),
        SPLIT(a_note_stays_whose_room_was_not_told),
        SPLIT(a_note_stays_whose_partition_is_down),
        SPLIT(nothing_to_place_is_done_at_once),
        SPLIT(a_long_list_goes_in_pieces),
        SPLIT(the_user_s_partition_decides_then_the_room_answers),
        SPLIT(a_refusal_of_the_user_s_partition_is_the_answer),
        SPLIT(nobody_knows_of_a_room_that_does_not_answer),
        SPLIT(nothing_begins_while_the_room_s_partition_is_down),
        SPLIT(rooms_hear_of_the_first_connection_and_the_last),
        SPLIT(sweeps_as_long_as_rooms_can_be_told),
        SPLIT(the_last_node_sweeps_all_notes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
