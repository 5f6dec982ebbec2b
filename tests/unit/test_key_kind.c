#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/data/key_kind.h"

static const struct deployment one = {.prefix = "sluice:", .partitions = 1};
static const struct deployment cluster = {.prefix = "sluice:", .partitions = 16};

static struct key_kind read_key(const struct deployment *d, const char *key) {
    return key_kind_of(d, slice_of(key));
}

static void expect_data(const struct deployment *d, const char *key, enum key_owner owner,
                        enum key_part part, const char *name, const char *suffix) {
    struct key_kind k = read_key(d, key);
    assert_int_equal(k.class, KEY_DATA);
    assert_int_equal(k.owner, owner);
    assert_int_equal(k.part, part);
    assert_true(slice_is(k.name, name));
    assert_true(slice_is(k.suffix, suffix));
}

static void test_data(void **state) {
    (void)state;
    expect_data(&one, "sluice:{room:a}:log", OWNER_ROOM, PART_LOG, "room:a", ":log");
    expect_data(&one, "sluice:{dm:a:b}:ids:59", OWNER_DM, PART_IDS, "dm:a:b", ":ids:59");
    expect_data(&one, "sluice:{user:a}:unread", OWNER_USER, PART_UNREAD, "user:a", ":unread");
}

static void test_data_apart(void **state) {
    (void)state;
    expect_data(&cluster, "sluice:{14}room:a:log", OWNER_ROOM, PART_LOG, "room:a", ":log");
    expect_data(&cluster, "sluice:{14}room:a:ids:log", OWNER_ROOM, PART_LOG, "room:a:ids",
                ":log");
    expect_data(&cluster, "sluice:{14}room:a:ids:7:ids:59", OWNER_ROOM, PART_IDS,
                "room:a:ids:7", ":ids:59");
    expect_data(&cluster, "sluice:{14}room:outbox:meta", OWNER_ROOM, PART_META, "room:outbox",
                ":meta");
    assert_true(slice_is(read_key(&cluster, "sluice:{14}dm:a:b:ids:59").bucket, "59"));
}

struct other {
    const struct deployment *of;
    const char *key;
    enum key_class class;
};

static void test_others(void **state) {
    static const struct other all[] = {
        {&one, "sluice:nodes", KEY_PRESENCE},
        {&one, "sluice:clock", KEY_OWN},
        {&one, "sluice:tap", KEY_OWN},
        {&one, "sluice:topics", KEY_PRESENCE},
        {&one, "sluice:{node:n1.x}:topics", KEY_PRESENCE},
        {&one, "sluice:tap:meta", KEY_OWN},
        {&cluster, "sluice:{14}tap", KEY_OWN},
        {&cluster, "sluice:{14}tap:meta", KEY_OWN},
        {&one, "sluice:api", KEY_WAITING},
        {&one, "sluice:api:refused", KEY_WAITING},
        {&one, "sluice:api:lease", KEY_PRESENCE},
        {&cluster, "sluice:{14}api", KEY_WAITING},
        {&cluster, "sluice:{14}api:refused", KEY_WAITING},
        {&cluster, "sluice:{14}api:lease", KEY_PRESENCE},
        {&cluster, "sluice:{14}events:metrics", KEY_WAITING},
        {&one, "sluice:{sio:abc}", KEY_SESSION},
        {&one, "sluice:{user:a}:conns", KEY_PRESENCE},
        {&one, "sluice:{node:n1.x}:users", KEY_PRESENCE},
        {&one, "sluice:{room:a}:here", KEY_PRESENCE},
        {&one, "sluice:{room:a}:other", KEY_UNKNOWN},
        {&one, "sluice:{room:a", KEY_UNKNOWN},
        {&one, "sluice:", KEY_UNKNOWN},
        {&one, "sluic", KEY_UNKNOWN},
        {&one, "other:{room:a}:log", KEY_UNKNOWN},
        {&cluster, "sluice:partitions", KEY_OWN},
        {&cluster, "sluice:{14}term", KEY_OWN},
        {&cluster, "sluice:{14}migration", KEY_OWN},
        {&cluster, "sluice:{14}online", KEY_PRESENCE},
        {&cluster, "sluice:{14}told", KEY_PRESENCE},
        {&cluster, "sluice:{14}heard", KEY_PRESENCE},
        {&cluster, "sluice:{14}outbox", KEY_WAITING},
        {&cluster, "sluice:{14}user:a:pending", KEY_WAITING},
        {&cluster, "sluice:{14}stamp:lobby ann", KEY_PRESENCE},
        {&cluster, "sluice:{14}stamp:a:b ann", KEY_PRESENCE},
        {&cluster, "sluice:{14}sio:abc", KEY_SESSION},
        {&cluster, "sluice:{14}node:n1.x:stats", KEY_PRESENCE},
        {&cluster, "sluice:{14}", KEY_UNKNOWN},
        {&cluster, "sluice:{14", KEY_UNKNOWN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (read_key(all[i].of, all[i].key).class != all[i].class)
            fail_msg("%s", all[i].key);
    }
}

static void test_pattern(void **state) {
    struct deployment odd = {.prefix = "a*[b]?:", .partitions = 1};
    struct buf out = {0};
    (void)state;
    key_pattern(&odd, &out);
    assert_true(slice_is(buf_bytes(&out), "a\\*\\[b\\]\\?:*"));
    buf_deinit(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_data_apart),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
