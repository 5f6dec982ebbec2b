#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/redis/cluster_nodes.h"
#include "gateway/redis/slots.h"

/* --- slots and tags -------------------------------------------------------------------------
 */

/* As CLUSTER KEYSLOT answers. */
static void slots_are_those_of_redis(void **state) {
    (void)state;
    assert_int_equal(slots_of_name(SLICE("123456789")), 0x31c3);
    assert_int_equal(slots_of_name(SLICE("foo")), 12182);
    assert_int_equal(slots_of_name(SLICE("bar")), 5061);
    assert_int_equal(slots_of_name(SLICE("")), 0);
    assert_int_equal(slots_of_name(SLICE("room:\xe2\x82\xac")), slots_of_name(SLICE("room:€")));
}

static void tags_are_spread_evenly(void **state) {
    (void)state;
    for (unsigned count = 16; count <= 64; count *= 2) {
        unsigned apart = SLOTS / count;
        uint64_t stretches = 0;
        for (unsigned i = 0; i < count; i++) {
            unsigned slot = slots_of_name(slice_of(slots_tag(i)));
            assert_true(slot % 256 >= 128 - 32 && slot % 256 <= 128 + 32);
            stretches |= 1ULL << (slot / apart);
        }
        assert_true(stretches == (count == 64 ? UINT64_MAX : (1ULL << count) - 1));
    }
}

static void a_tag_leads_to_its_partition(void **state) {
    (void)state;
    for (int i = 0; i < 64; i++)
        assert_int_equal(slots_partition(slice_of(slots_tag((unsigned)i))), i);
    assert_int_equal(slots_partition(SLICE("")), -1);
    assert_int_equal(slots_partition(SLICE("15")), -1);
    assert_int_equal(slots_partition(SLICE("1400")), -1);
}

/* --- CLUSTER NODES --------------------------------------------------------------------------
 */

static const char answer[] =
    "a1 10.0.0.1:7001@17001,one.example,shard-id=9 myself,master - 0 0 1 connected 0-5460 "
    "[93->-b2] 7000\r\n"
    "b2 10.0.0.2:7002@17002 master,fail - 1 2 18 disconnected 5461-10922\n"
    "c3 ::1:7003@17003,three.example master - 1 2 3 connected 10923-16383\n"
    "d4 10.0.0.4:7004@17004 slave b2 1 2 18 connected\n"
    "e5 :0@0 slave,noaddr b2 1 2 18 disconnected\n"
    "f6 10.0.0.6:7006@17006 handshake - 1 2 0 connected\n"
    "g7 10.0.0.7:0@17007 master - 1 2 9 connected 1\n"
    "h8 :7008@17008 myself,master - 1 2 9 connected 1\n"
    "nonsense\n\n";

static const struct redis_place asked = {"seed.example", 7000};
static const struct nodes_view plain = {.from = &asked};
static const struct nodes_view secure = {.tls = true, .from = &asked};

static void nodes_are_read(void **state) {
    (void)state;
    struct slice text = SLICE(answer);
    struct cluster_node n;
    assert_true(cluster_nodes_next(&text, &plain, &n));
    assert_string_equal(n.id, "a1");
    assert_string_equal(n.place.host, "10.0.0.1");
    assert_int_equal(n.place.port, 7001);
    assert_true(n.master && !n.failed);
    assert_int_equal(n.epoch, 1);
    assert_true(cluster_node_has(&n, 0) && cluster_node_has(&n, 5460));
    assert_true(cluster_node_has(&n, 7000));
    assert_false(cluster_node_has(&n, 5461) || cluster_node_has(&n, 93 + 16384));
    assert_true(cluster_nodes_next(&text, &plain, &n));
    assert_string_equal(n.id, "b2");
    assert_true(n.failed);
    assert_true(cluster_nodes_next(&text, &plain, &n));
    assert_string_equal(n.place.host, "::1");
    assert_int_equal(n.place.port, 7003);
    assert_true(cluster_nodes_next(&text, &plain, &n));
    assert_false(n.master);
    assert_string_equal(n.of, "b2");
    assert_true(cluster_nodes_next(&text, &plain, &n)); /* those without an address are not */
    assert_string_equal(n.id, "h8");
    assert_string_equal(n.place.host, "seed.example");
    assert_false(cluster_nodes_next(&text, &plain, &n));
}

/* Certificates have names. */
static void with_tls_by_name(void **state) {
    (void)state;
    struct slice text = SLICE(answer);
    struct cluster_node n;
    assert_true(cluster_nodes_next(&text, &secure, &n));
    assert_string_equal(n.place.host, "one.example");
    assert_true(cluster_nodes_next(&text, &secure, &n));
    assert_string_equal(n.place.host, "10.0.0.2");
}

static void bad_slots_are_none(void **state) {
    (void)state;
    static const char *const bad[] = {"-",       "1-",    "-1",       "a",
                                      "5-16384", "16384", "[5-<-b2]", " "};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cluster_node n = {.slots = slice_of(bad[i])};
        assert_false(cluster_node_has(&n, 5));
        assert_false(cluster_node_has(&n, 1));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(slots_are_those_of_redis),
                                       cmocka_unit_test(tags_are_spread_evenly),
                                       cmocka_unit_test(a_tag_leads_to_its_partition),
                                       cmocka_unit_test(nodes_are_read),
                                       cmocka_unit_test(with_tls_by_name),
                                       cmocka_unit_test(bad_slots_are_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
