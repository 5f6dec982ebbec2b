#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/redis/errors.h"

/* The very texts of Redis 6.0, 6.2 and 7.0. */
static const struct {
    const char *text;
    const char *code;
    enum outcome outcome;
} table[] = {
    {"OOM command not allowed when used memory > 'maxmemory'.", "OOM", OUTCOME_REFUSED},
    {"OOM command not allowed when used memory > 'maxmemory'. script: 2fa1b0, on "
     "@user_script:88.",
     "OOM", OUTCOME_REFUSED},
    {"ERR Error running script (call to f_2fa1b0): @user_script:88: @user_script: 88: -OOM "
     "command not allowed when used memory > 'maxmemory'.",
     "OOM", OUTCOME_REFUSED},
    {"READONLY You can't write against a read only replica. script: 2fa1b0, on "
     "@user_script:9.",
     "READONLY", OUTCOME_REFUSED},
    {"ERR Error running script (call to f_2fa1b0): @user_script:9: @user_script: 9: -READONLY "
     "You can't write against a read only replica. ",
     "READONLY", OUTCOME_REFUSED},
    {"ERR Error running script (call to f_2fa1b0): @user_script:9: @user_script: 9: -MISCONF "
     "Redis is configured to save RDB snapshots, but it is currently not able to persist",
     "MISCONF", OUTCOME_REFUSED},
    {"ERR Error running script (call to f_2fa1b0): @user_script:9: @user_script: 9: "
     "-NOREPLICAS "
     "Not enough good replicas to write.",
     "NOREPLICAS", OUTCOME_REFUSED},
    /* What broke in the middle may have written before. */
    {"ERR Error running script (call to f_2fa1b0): @user_script:9: attempt to index a nil "
     "value",
     "ERR", OUTCOME_UNKNOWN},
    {"WRONGTYPE Operation against a key holding the wrong kind of value script: 2fa1b0, on "
     "@user_script:9.",
     "WRONGTYPE", OUTCOME_UNKNOWN},
    {"ERR Error running script (call to f_2fa1b0): @user_script:9: -WRONGTYPE Operation "
     "against "
     "a key holding the wrong kind of value",
     "WRONGTYPE", OUTCOME_UNKNOWN},
    {"NOPERM this user has no permissions to run the 'evalsha' command", "NOPERM",
     OUTCOME_REFUSED},
    {"NOPERM this user has no permissions to run the 'xadd' command script: 2fa1b0, on "
     "@user_script:9.",
     "NOPERM", OUTCOME_UNKNOWN},
    {"STALE another term stands in Redis", "STALE", OUTCOME_REFUSED},
    {"ERR unknown command ': -OOM '", "ERR", OUTCOME_UNKNOWN},
    {"ERR Error running script (call to f_2fa1b0): : -", "ERR", OUTCOME_UNKNOWN},
    {"", "", OUTCOME_UNKNOWN},
};

static void what_a_cluster_says(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool moves, moved;
        const char *host;
        int port;
    } said[] = {
        {"MOVED 3999 127.0.0.1:6381", true, true, "127.0.0.1", 6381},
        {"MOVED 3999 ::1:6381", true, true, "::1", 6381},
        {"MOVED 3999 :6381", true, true, "same", 6381},
        {"MOVED 3999 ?:6381", true, false, "same", 1},
        {"MOVED 3999 host:0", true, false, "same", 1},
        {"MOVED 3999 host:65536", true, false, "same", 1},
        {"MOVED 3999 host", true, false, "same", 1},
        {"MOVED 6381", true, false, "same", 1},
        {"MOVED ", true, false, "same", 1},
        {"ASK 3999 127.0.0.1:6381", true, false, "same", 1},
        {"TRYAGAIN Multiple keys request during rehashing of slot", true, false, "same", 1},
        {"CLUSTERDOWN Hash slot not served", true, false, "same", 1},
        {"MOVEDX 3999 a:1", false, false, "same", 1},
        {"ERR MOVED 1 a:1", false, false, "same", 1}};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        struct redis_place at = {.host = "same", .port = 1};
        unsigned slot;
        struct slice text = slice_of(said[i].text);
        assert_int_equal(redis_error_moves(text), said[i].moves);
        assert_int_equal(redis_error_moved(text, &at, &slot), said[i].moved);
        if (said[i].moved) {
            assert_int_equal(slot, 3999);
            assert_string_equal(at.host, said[i].host);
            assert_int_equal(at.port, said[i].port);
        }
        if (said[i].moves)
            assert_int_equal(redis_error_outcome(text), OUTCOME_REFUSED);
    }
}

static void is_a_script_unread(void **state) {
    static const char *const unread[] = {"LOADING Redis is loading the dataset in memory",
                                         "BUSY Redis is busy running a script.",
                                         "NOAUTH Authentication required.",
                                         "CLUSTERDOWN Hash slot not served",
                                         "MOVED 3999 127.0.0.1:6381",
                                         "TRYAGAIN Multiple keys request during rehashing"};
    static const char *const read[] = {
        "NOSCRIPT No matching script.",
        "OOM command not allowed when used memory > 'maxmemory'.",
        "STALE another term stands in Redis", "ERR Error running script (call to f_1): LOADING",
        ""};
    (void)state;
    for (size_t i = 0; i < sizeof unread / sizeof *unread; i++)
        assert_true(redis_error_unread(slice_of(unread[i])));
    for (size_t i = 0; i < sizeof read / sizeof *read; i++)
        assert_false(redis_error_unread(slice_of(read[i])));
}

static void each_text(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct slice text = slice_of(table[i].text);
        if (!slice_is(redis_error_code(text), table[i].code))
            fail_msg("%s", table[i].text);
        assert_int_equal(redis_error_outcome(text), table[i].outcome);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_text),
                                       cmocka_unit_test(is_a_script_unread),
                                       cmocka_unit_test(what_a_cluster_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
