#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/channel/hub.h"
#include "gateway/session/offset.h"
#include "session_bench.h"
#include "told.h"

/* The offsets that a client is sent when Redis has partitions, here three, above a fake Redis.
 * The last digit of a channel's name is its partition. A tide is "AA", for the term, and its
 * distance: "A" is 0, "C" 1 earlier, "D" 1 later, "E" 2 earlier ... */

static void an_offset_has_the_tides(void **state) {
    (void)state;
    enter("room:r0");
    enter("topic:t1");
    ring("room:r0", 6, 0x200);
    ring("topic:t1", 6, 0x1ff); /* another clock */
    ring("room:r0", 7, 0x201);
    assert_told("6:*200.AAA--.6.a.room:r0 6:*1ff.AADAAA-.6.a.topic:t1 "
                "7:*201.AAAAAE-.7.a.room:r0 ");
}

static void a_channel_that_heals_is_named(void **state) {
    char page[600];
    (void)state;
    enter("room:r0");
    enter("topic:t1");
    ring("topic:t1", 8, 0x206); /* 6 and 7 are missing */
    ring("room:r0", 6, 0x205);
    assert_told("6:+205.0.AAA--.6.a.room:r0 5.a.topic:t1 ");
    snprintf(page, sizeof page, "%s ", frame("topic:t1", 6, 0x203));
    strcat(page, frame("topic:t1", 7, 0x204));
    fake_answer("0 a 7 5 %u [ ] %s", 0x205, page);
    assert_told("6:+203.0.AAF--.6.a.topic:t1 7:+204.0.AAD--.7.a.topic:t1 "
                "8:+206.0.AAC--.8.a.topic:t1 ");
    ring("room:r0", 7, 0x207); /* the tide of 1 is not there yet */
    assert_told("7:+207.0.AAA--.7.a.room:r0 8.a.topic:t1 ");
    ring("topic:t1", 9, 0x208);
    assert_told("9:*208.AACAAA-.9.a.topic:t1 ");
}

static void a_partition_that_is_away_costs_nothing(void **state) {
    (void)state;
    enter("room:r0");
    enter("topic:t1");
    enter("topic:u1");
    ring("topic:t1", 6, 0x1ff);
    told_forget();
    fake_lose(bell_of("topic:t1"));
    fake_lose(bell_of("topic:u1"));
    ring("room:r0", 6, 0x200);
    assert_told("6:*200.AAAAAC-.6.a.room:r0 ");
    fake_confirm(bell_of("topic:u1"));
    fake_confirm(bell_of("topic:t1"));
    ring("room:r0", 7, 0x200); /* out of order, as a clock was set back */
    fake_answer("0 a 5 5 %u [ ]", 0x1ff);
    ring("topic:u1", 6, 0x202); /* the tide moves, and topic:t1 was not read */
    ring("room:r0", 8, 0x203);
    assert_told("7:+200.0.-AAC-.7.a.room:r0 "
                "6:+202.0.-AAA-.6.a.topic:u1 7.a.room:r0 6.a.topic:t1 "
                "8:+203.0.AAAAAC-.8.a.room:r0 6.a.topic:t1 ");
    fake_answer("0 a 6 6 %u [ ]", 0x202);
    ring("room:r0", 9, 0x204);
    assert_told("9:*204.AAAAAE-.9.a.room:r0 ");
}

static void another_term_says_nothing_until_a_later_time(void **state) {
    (void)state;
    enter("room:r0");
    enter("topic:t1");
    enter("topic:u1");
    ring("topic:t1", 6, 0x200);
    told_forget();
    hub_redis_up(&hub, redis_at(&fake.redis, 1), true);
    ring("room:r0", 6, 0x200);
    ring("topic:u1", 6, 0x1f0); /* its clock is behind that of the former master */
    ring("topic:u1", 7, 0x201);
    assert_told("6:+200.0.AAA--.6.a.room:r0 6.a.topic:t1 "
                "6:+1f0.0.AAhB--.6.a.topic:u1 6.a.topic:t1 "
                "7:*201.AACAAA-.7.a.topic:u1 ");
}

static void an_older_position_is_owed(void **state) {
    (void)state;
    enter("room:r0");
    subscribe("topic:t1", 4);
    fake_answer("0 a 5 4 256 [ ]");
    assert_int_not_equal(ann->session->salt, 0);
    told_forget();
    fake_answer("0 a 5 4 256 [ ] %s", frame("topic:t1", 5, 0x90));
    ring("room:r0", 6, 0x200);
    uint32_t salt = ann->session->salt;
    assert_told("5:+90.%x.---.5.a.topic:t1 6:+200.%x.AAA--.6.a.room:r0 5.a.topic:t1 ", salt,
                salt);
    enter("topic:u1");
    ring("topic:u1", 6, 0x100); /* not later than when topic:t1 was entered */
    assert_told("6:+100.%x.AAhQAAA-.6.a.topic:u1 5.a.topic:t1 ", salt);
    ring("topic:u1", 7, 0x101);
    assert_told("7:*101.AA~PAAA-.7.a.topic:u1 ");
}

static void what_came_back_is_owed(void **state) {
    struct recovered_channel was = {.name = "topic:t1", .floor = {.epoch = "a", .seq = 3}};
    const struct recovered what = {.salt = 0};
    (void)state;
    position_set(&was.at, SLICE("a"), 5);
    struct sub *sub = enter("topic:t1"); /* the clock says 100 */
    session_restore(ann->session, &what);
    session_restore_channel(sub, &was);
    enter("room:r0");
    ring("room:r0", 6, 0x200);
    enter("topic:u1");
    ring("topic:u1", 6, 100);
    ring("topic:u1", 7, 101);
    ring("room:r0", 7, 0x201);
    assert_told("6:+200.0.AAA--.6.a.room:r0 5.a.topic:t1 "
                "6:+64.0.AA5ZAAA-.6.a.topic:u1 5.a.topic:t1 "
                "7:*65.AA3ZAAA-.7.a.topic:u1 7:*201.AAAAA4Z-.7.a.room:r0 ");
}

static void a_beacon_moves_the_tide(void **state) {
    (void)state;
    enter("room:r0");
    subscribe("topic:t1", 4);
    fake_answer("0 a 5 4 256 [ ]");
    fake_answer("0 a 5 4 256 [ ] %s", frame("topic:t1", 5, 0x90));
    told_forget();
    uint32_t salt = ann->session->salt;
    ring("room:r0", 6, 0x200);
    hub_tide(&hub, redis_at(&fake.redis, 1), 0x100); /* as old as the check */
    ring("room:r0", 7, 0x201);
    hub_tide(&hub, redis_at(&fake.redis, 1), 0x1fe);
    hub_tide(&hub, redis_at(&fake.redis, 1), 0x1fe); /* nothing was appended since */
    ring("room:r0", 8, 0x202);
    assert_told("6:+200.%x.AAA--.6.a.room:r0 5.a.topic:t1 "
                "7:+201.%x.AAAAAiQ-.7.a.room:r0 5.a.topic:t1 "
                "8:*202.AAAAAI-.8.a.room:r0 ",
                salt, salt);
    hub_tide(&hub, redis_at(&fake.redis, 1), 0x1f0); /* the clock was lost */
    ring("room:r0", 9, 0x203);
    assert_told("9:+203.%x.AAA--.9.a.room:r0 5.a.topic:t1 ", salt);
}

static void what_is_entered_is_not_covered_by_earlier_offsets(void **state) {
    (void)state;
    enter("topic:t1");
    ring("topic:t1", 6, 0x200);
    told_forget();
    enter("topic:u1"); /* the check says 100, but 512 was delivered */
    save(NULL);
    assert_whole("''", " c:topic:t1 a 5 100 c:topic:u1 a 5 512");
}

static void too_many_names_are_not_said(void **state) {
    char name[16];
    (void)state;
    for (unsigned i = 0; i < OFFSET_MARKS_MOST + 1; i++) {
        snprintf(name, sizeof name, "topic:%u.1", i);
        enter(name);
    }
    enter("room:r0");
    for (unsigned i = 0; i < OFFSET_MARKS_MOST + 1; i++) {
        snprintf(name, sizeof name, "topic:%u.1", i);
        ring(name, 7, 0x200 + i); /* heals */
    }
    told_forget();
    ring("room:r0", 6, 0x200);
    assert_told("6:! ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE_APART(an_offset_has_the_tides),
        CASE_APART(a_channel_that_heals_is_named),
        CASE_APART(a_partition_that_is_away_costs_nothing),
        CASE_APART(another_term_says_nothing_until_a_later_time),
        CASE_APART(an_older_position_is_owed),
        CASE_APART(what_came_back_is_owed),
        CASE_APART(a_beacon_moves_the_tide),
        CASE_APART(what_is_entered_is_not_covered_by_earlier_offsets),
        CASE_APART(too_many_names_are_not_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
