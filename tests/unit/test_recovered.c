#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "session_bench.h"
#include "told.h"

/* Tests the reading of a session that comes back from Redis, above a fake Redis. */

static bool reads(struct recovered *what, struct reply *reply) {
    *what = (struct recovered){.count = 0};
    bool good = recovered_read(what, reply);
    fake_reply_free(reply);
    return good;
}

static void reads_what_redis_has(void **state) {
    struct recovered what;
    (void)state;
    assert_true(reads(&what, fake_reply("0 123 owner x user ann username Ann role admin "
                                        "origin b-1 room room:r salt 7 c:room:r 'a 5 100' "
                                        "c:topic:t 'b 0 0'")));
    assert_true(slice_is(name_slice(&what.user), "ann"));
    assert_true(slice_is(name_slice(&what.username), "Ann"));
    assert_true(slice_is(name_slice(&what.role), "admin"));
    assert_string_equal(what.origin, "b-1");
    assert_string_equal(what.room, "room:r");
    assert_int_equal(what.salt, 7);
    assert_int_equal(what.clock, 123);
    assert_int_equal(what.count, 2);
    assert_string_equal(what.channels[0].name, "room:r");
    assert_string_equal(what.channels[0].floor.epoch, "a");
    assert_int_equal(what.channels[0].floor.seq, 5);
    assert_int_equal(what.channels[0].since, 100);
    assert_string_equal(what.channels[1].name, "topic:t");
    recovered_deinit(&what);
    assert_int_equal(what.count, 0);
    assert_true(reads(&what, fake_reply("0 1 user ann origin b-1 room ''")));
    assert_string_equal(what.room, "");
    assert_int_equal(what.count, 0);
    recovered_deinit(&what);
}

static void takes_no_answer_that_is_none_of_ours(void **state) {
    static char longest[201];
    struct recovered what;
    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    const char *const wrong[] = {
        "1",
        "-2",
        "1 1 user ann origin b-1",
        "0",
        "0 1 user ann",
        "0 1 origin b-1",
        "0 1 user '' origin b-1",
        "0 1 user ann origin ''",
        "0 1 user ann origin b-1 c:room:r ''",
        "0 1 user ann origin b-1 c:room:r a",
        "0 1 user ann origin b-1 c:room:r ' 5 100'",
        "0 1 user ann origin b-1 c:room:r 'a 5 100 7'",
        "0 1 user ann origin b-1 c:room:r 'a x 100'",
        "0 1 user ann origin b-1 c:room:r 'sixteen-letters- 5 100'",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (reads(&what, fake_reply("%s", wrong[i])))
            fail_msg("\"%s\" was taken", wrong[i]);
        recovered_deinit(&what);
    }
    static const char *const fields[] = {"user", "username", "role", "origin", "room"};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        assert_false(reads(&what, fake_reply("0 1 user ann origin b-1 %s %s c:r 'a 5 1'",
                                             fields[i], longest)));
        recovered_deinit(&what);
    }
    assert_false(reads(&what, fake_reply("0 1 user ann origin b-1 c:%s 'a 5 1'", longest)));
    recovered_deinit(&what);
    memset(longest, '1', sizeof longest - 1);
    assert_false(reads(&what, fake_reply("0 1 user ann origin b-1 c:r 'a 5 %s'", longest)));
    recovered_deinit(&what);
}

static void goes_on_as_it_was(void **state) {
    struct recovered what;
    (void)state;
    assert_true(reads(&what, fake_reply("0 512 user ann origin b-1 salt 7 room room:r "
                                        "c:room:r 'a 2 90' c:topic:t 'a 3 80'")));
    what.base = 400;
    struct sub *room = subscribe("room:r", 4), *topic = subscribe("topic:t", 5);
    fake_answer("0 a 5 4 100 [ ]");
    fake_answer("0 a 5 5 100 [ ]");
    what.channels[0].moved = true;
    session_restore(ann->session, &what);
    session_restore_channel(room, &what.channels[0]);
    session_restore_channel(topic, &what.channels[1]);
    recovered_deinit(&what);
    assert_int_equal(ann->session->base, 400);
    assert_int_equal(ann->session->high, 512);
    assert_int_equal(ann->session->term, session_term(ann->session) ^ 7);
    assert_int_equal(ann->session->moved, 1);
    fake_fail(OUTCOME_REFUSED); /* the page of room:r */
    save(room);
    assert_whole("room:r", " c:room:r a 2 90 c:topic:t a 3 80");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(reads_what_redis_has),
        CASE(takes_no_answer_that_is_none_of_ours),
        CASE(goes_on_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
