#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_redis.h"
#include "gateway/api/json.h"

/* The answers of the API, from what the partitions of Redis told. */

static struct answers answers;
static struct buf out;
static unsigned char master[4];

static void begin(unsigned partitions) {
    assert_true(answers_init(&answers, partitions));
    buf_init(&out);
}

static void told_by(unsigned partition, struct reply *reply) {
    answers_put(&answers, partition, reply);
    fake_reply_free(reply);
}

static void assert_out(const char *expected) {
    assert_false(out.failed);
    buf_char(&out, '\0');
    assert_string_equal(out.data, expected);
    buf_deinit(&out);
    answers_deinit(&answers);
}

static void put_cluster(void) {
    const struct cluster_view view = {.node = "n1",
                                      .incarnation = "n1.a",
                                      .lease_timeout_ms = 5000,
                                      .latency_us = 1250,
                                      .rooms = 3,
                                      .users = 2};
    api_put_cluster(&out, &view, &answers, master);
}

#define TIME(ms) "0 " #ms "000 "
#define STATS    "[ address h:1 version 1 ready 1 connections 4 ]"
#define SAID                                                                                   \
    "\"address\":\"h:1\",\"version\":\"1\",\"connections\":4,\"channels\":0,"                  \
    "\"deliveries_per_second\":0,\"events_per_second\":0,\"queue_bytes\":0,\"rss_bytes\":0,"   \
    "\"uptime_s\":0,\"loop_turn_ms\":{\"max\":0.000},\"ready\":true}"

static void one_redis(void **state) {
    (void)state;
    begin(1);
    told_by(0, fake_reply(TIME(1000) "[ [ n1.a 990 3 " STATS " ] ] [ [ x 1 2 ] [ y 7 9 ] ] 5 "
                                     "[ [ bob 900 '' ] ] 'role:master'"));
    put_cluster();
    assert_out("{\"node\":\"n1\",\"incarnation\":\"n1.a\",\"time\":1000,"
               "\"lease_timeout_ms\":5000,\"nodes\":[{\"incarnation\":\"n1.a\",\"node\":\"n1\","
               "\"lease_age_ms\":10,\"users\":3," SAID "],"
               "\"rooms\":[{\"room\":\"x\",\"online\":1,\"total\":2},"
               "{\"room\":\"y\",\"online\":7,\"total\":9}],\"online\":{\"count\":5,"
               "\"users\":[{\"id\":\"bob\",\"last_heartbeat_age_ms\":100}]},"
               "\"redis\":{\"role\":\"master\",\"latency_ms\":1.250}}\n");
}

/* Partition 2 is down; 0 and 3 are on one master. */
static void lists_of_partitions_are_one(void **state) {
    (void)state;
    begin(4);
    memcpy(master, (unsigned char[]){0, 1, 2, 0}, 4);
    told_by(0, fake_reply(TIME(1000) "[ [ n1.a 990 1 " STATS " ] ] [ [ x 5 5 ] [ w 1 1 ] ] 1 "
                                     "[ [ bob 900 '' ] ] 'run_id:r0'"));
    told_by(1, fake_reply(TIME(2000) "[ [ n1.b 1990 2 [ ] ] [ n1.0 1 6 [ ] ] ] [ [ y 7 7 ] ] 2 "
                                     "[ [ eve 1950 Eve ] [ old 100 '' ] ] 'run_id:r1'"));
    told_by(3,
            fake_reply(TIME(1000) "[ [ n1.c 980 4 [ ] ] ] [ [ b 5 6 ] [ z 5 5 ] ] 4 [ ] ''"));
    put_cluster();
    assert_out("{\"node\":\"n1\",\"incarnation\":\"n1.a\",\"time\":1000,"
               "\"lease_timeout_ms\":5000,\"nodes\":[{\"incarnation\":\"n1.a\",\"node\":\"n1\","
               "\"lease_age_ms\":10,\"users\":7," SAID ",{\"incarnation\":\"n1.0\","
               "\"node\":\"n1\",\"lease_age_ms\":1999,\"users\":6,\"ready\":false}],"
               "\"rooms\":[{\"room\":\"y\",\"online\":7,\"total\":7},"
               "{\"room\":\"b\",\"online\":5,\"total\":6},{\"room\":\"x\",\"online\":5,"
               "\"total\":5}],\"online\":{\"count\":7,"
               "\"users\":[{\"id\":\"eve\",\"username\":\"Eve\",\"last_heartbeat_age_ms\":50},"
               "{\"id\":\"bob\",\"last_heartbeat_age_ms\":100}]},"
               "\"redis\":{\"masters\":[{\"partitions\":[0,3],\"run_id\":\"r0\"},"
               "{\"partitions\":[1],\"run_id\":\"r1\"}],\"latency_ms\":1.250},"
               "\"partitions\":4,\"degraded\":[2]}\n");
}

/* The master's first partition fell after it was asked, and INFO with it. */
static void a_master_may_tell_nothing(void **state) {
    (void)state;
    begin(2);
    memcpy(master, (unsigned char[]){0, 0}, 2);
    told_by(1, fake_reply(TIME(1) "[ ] [ ] 0 [ ] ''"));
    put_cluster();
    assert_out("{\"node\":\"n1\",\"incarnation\":\"n1.a\",\"time\":1,"
               "\"lease_timeout_ms\":5000,\"nodes\":[],\"rooms\":[],\"online\":{\"count\":0,"
               "\"users\":[]},\"redis\":{\"masters\":[{\"partitions\":[1]}],"
               "\"latency_ms\":1.250},\"partitions\":2,\"degraded\":[0]}\n");
}

static void a_page_of_users(void **state) {
    struct online_page page = {.cursor = SLICE("17")};
    (void)state;
    begin(2);
    told_by(1, fake_reply("0 1000000 17 [ [ bob 900 '' ] ] 0"));
    api_put_online(&out, &page, &answers);
    assert_out("{\"time\":1000,\"users\":[{\"id\":\"bob\",\"last_heartbeat_age_ms\":100}],"
               "\"more\":true,\"cursor\":\"17\"}\n");
    page = (struct online_page){.exact = SLICE("bob"), .parted = true, .skipped = 1ULL << 63};
    begin(3);
    told_by(0, fake_reply("0 1000000 0 [ [ bob 900 '' ] ] 0"));
    told_by(2, fake_reply("0 2000000 0 [ [ bobo 1990 '' ] [ bob 900 '' ] ] 11"));
    api_put_online(&out, &page, &answers);
    assert_out("{\"time\":1000,\"users\":[{\"id\":\"bob\",\"last_heartbeat_age_ms\":100},"
               "{\"id\":\"bobo\",\"last_heartbeat_age_ms\":10}],\"more\":false,"
               "\"degraded\":[63]}\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_redis),
        cmocka_unit_test(lists_of_partitions_are_one),
        cmocka_unit_test(a_master_may_tell_nothing),
        cmocka_unit_test(a_page_of_users),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
