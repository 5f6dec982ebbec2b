#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/session/keep.h"
#include "session_bench.h"
#include "told.h"

/* Keeping what may be recovered, above a fake Redis. */

static void keeps_all_in_bites(void **state) {
    enum { COUNT = 250 };
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        if (i > 0)
            ann = client_make();
        save(NULL);
        fake_answer("0");
    }
    loop.time += 29999;
    sessions_keep(&sessions);
    assert_nothing_asked();
    loop.time += 1;
    sessions_keep(&sessions);
    assert_int_equal(fake.pending, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(strncmp(fake_asked(), "keep sio:" NAME, 29), 0);
        assert_string_equal(fake_argument(0), TTL);
        assert_true((strstr(fake_asked(), ann->session->pid) != NULL) == (i == 2));
        assert_string_not_equal(fake_argument(i < 2 ? 100 : 50), "");
        fake_answer("0");
    }
    assert_nothing_asked();
    sessions_keep(&sessions);
    assert_nothing_asked();
    loop.time += 29999;
    sessions_keep(&sessions);
    assert_nothing_asked();
}

static void learns_when_it_keeps_them(void **state) {
    char id[CLIENT_ID_SIZE], second_id[CLIENT_ID_SIZE];
    (void)state;
    save(NULL);
    fake_answer("0");
    struct client *first = ann;
    ann = client_make();
    save(NULL);
    fake_answer("0");
    told_forget();
    loop.time += 30000;
    sessions_keep(&sessions);
    client_id(first, id);
    client_id(ann, second_id);
    assert_asked("keep sio:%s sio:%s | " TTL " %s %s", first->session->pid, ann->session->pid,
                 id, second_id);
    fake_answer("0 2 1");
    assert_told("close:1000:recovered by another connection ");
    assert_int_equal(freed, 1);
    assert_whole("''", "");
}

static void what_is_on_its_way_tells_more_than_keeping_does(void **state) {
    (void)state;
    save(NULL);
    fake_answer("0");
    loop.time += 30000;
    sessions_keep(&sessions);
    save(NULL);
    fake_answer("0 2");
    assert_int_equal(freed, 0);
    assert_session("add", " " TTL " salt 0 room ''");
    fake_answer("0");
    assert_told("saved saved ");
}

static void writes_all_again_in_another_term(void **state) {
    enum { COUNT = 2001 };
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        if (i > 0)
            ann = client_make();
        save(NULL);
        fake_answer("0");
        told_forget();
    }
    strcpy(fake.redis.partitions[0].term, "t2");
    sessions_redis_up(&sessions, fake.redis.partitions);
    loop.time += 1;
    sessions_keep(&sessions);
    assert_int_equal(fake.pending, 2000);
    assert_int_equal(strncmp(strchr(fake_asked(), '|'), "| put ", 6), 0);
    fake_answer_all();
    loop.time += 1;
    sessions_keep(&sessions);
    assert_int_equal(fake.pending, 1);
    assert_whole("''", "");
}

static void writes_all_again_when_redis_may_have_lost_it(void **state) {
    (void)state;
    save(NULL);
    fake_answer("0");
    sessions_doubt(&sessions, fake.redis.partitions);
    loop.time += 1;
    sessions_keep(&sessions);
    assert_whole("''", "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(keeps_all_in_bites),
        CASE(learns_when_it_keeps_them),
        CASE(what_is_on_its_way_tells_more_than_keeping_does),
        CASE(writes_all_again_in_another_term),
        CASE(writes_all_again_when_redis_may_have_lost_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
