/* What a Cluster's nodes answer, and what the map of its slots makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/buf.h"
#include "gateway/redis/slot_map.h"

#define LINE(id, place, flags, epoch, slots)                                                   \
    id " " place " " flags "master - 0 0 " epoch " connected" slots "\n"
#define ALL " 0-16383"

/* --- the answers ----------------------------------------------------------------------------
 */

static const struct redis_place asked = {"seed.example", 7000};

static void check_host(enum cluster_endpoint endpoint, bool tls, const char *place,
                       const char *host, const char *ip) {
    struct nodes_view view = {.tls = tls, .endpoint = endpoint, .from = &asked};
    struct cluster_node node;
    char text[256];
    int len = snprintf(text, sizeof text, "a %s myself,master - 0 0 1 connected 5\n", place);
    struct slice rest = {text, (size_t)len};
    assert_true(cluster_nodes_next(&rest, &view, &node));
    assert_string_equal(node.place.host, host);
    assert_string_equal(node.ip, ip);
    assert_int_equal(node.place.port, 7001);
    assert_true(node.myself && node.master && cluster_node_has(&node, 5));
    assert_false(cluster_nodes_next(&rest, &view, &node));
}

static void hosts_are_those_that_the_cluster_prefers(void **state) {
    (void)state;
    static const char bare[] = "10.0.0.1:7001@17001", named[] = "10.0.0.1:7001@17001,n.example",
                      more[] = "::1:7001@17001,n.example,tls-port=0,shard-id=ab",
                      nameless[] = "10.0.0.1:7001@17001,,shard-id=ab", own[] = ":7001@17001";
    check_host(ENDPOINT_IP, false, bare, "10.0.0.1", "10.0.0.1");
    check_host(ENDPOINT_IP, false, named, "10.0.0.1", "10.0.0.1");
    check_host(ENDPOINT_IP, true, named, "n.example", "10.0.0.1");
    check_host(ENDPOINT_IP, true, more, "n.example", "::1");
    check_host(ENDPOINT_IP, true, nameless, "10.0.0.1", "10.0.0.1");
    check_host(ENDPOINT_NAME, false, more, "n.example", "::1");
    check_host(ENDPOINT_NAME, false, bare, "10.0.0.1", "10.0.0.1");
    check_host(ENDPOINT_ASKED, true, named, "seed.example", "10.0.0.1");
    check_host(ENDPOINT_IP, false, own, "seed.example", "");
}

static enum cluster_endpoint endpoint_of(const char *node) {
    struct buf in;
    const struct reply *r;
    struct reply_reader *reader = reply_reader_create();
    buf_init(&in);
    buf_printf(&in, "*1\r\n*3\r\n:0\r\n:16383\r\n%s", node);
    assert_true(reply_reader_feed(reader, in.data, in.len));
    assert_int_equal(reply_reader_next(reader, &r), 1);
    enum cluster_endpoint endpoint = cluster_endpoint_of(r);
    reply_reader_destroy(reader);
    buf_deinit(&in);
    return endpoint;
}

#define PORT_ID ":7001\r\n$1\r\na\r\n"

static void slots_tell_what_is_preferred(void **state) {
    (void)state;
    static const char ip[] = "$8\r\n10.0.0.1\r\n" PORT_ID, name[] = "$1\r\nn\r\n" PORT_ID;
    char text[256];
    snprintf(text, sizeof text, "*3\r\n%s", ip); /* Redis 6 */
    assert_int_equal(endpoint_of(text), ENDPOINT_IP);
    snprintf(text, sizeof text, "*4\r\n%s*0\r\n", ip);
    assert_int_equal(endpoint_of(text), ENDPOINT_IP);
    snprintf(text, sizeof text, "*4\r\n%s*2\r\n$8\r\nhostname\r\n$1\r\nn\r\n", ip);
    assert_int_equal(endpoint_of(text), ENDPOINT_IP);
    snprintf(text, sizeof text, "*4\r\n%s*2\r\n$2\r\nip\r\n$8\r\n10.0.0.1\r\n", name);
    assert_int_equal(endpoint_of(text), ENDPOINT_NAME);
    snprintf(text, sizeof text, "*4\r\n$1\r\n?\r\n" PORT_ID "*2\r\n$2\r\nip\r\n$1\r\n1\r\n");
    assert_int_equal(endpoint_of(text), ENDPOINT_NAME);
    snprintf(text, sizeof text, "*4\r\n$-1\r\n" PORT_ID "*2\r\n$2\r\nip\r\n$1\r\n1\r\n");
    assert_int_equal(endpoint_of(text), ENDPOINT_ASKED);
    assert_int_equal(endpoint_of("*0\r\n"), ENDPOINT_IP);
    assert_int_equal(endpoint_of("$1\r\nx\r\n"), ENDPOINT_IP);
}

/* --- the map --------------------------------------------------------------------------------
 */

struct bench {
    uv_loop_t loop;
    struct slot_map map;
    char at[300]; /* the master of slot 5 */
    unsigned told;
};

static void on_master(void *owner, unsigned index, const struct redis_place *at) {
    struct bench *b = owner;
    assert_int_equal(index, 0);
    snprintf(b->at, sizeof b->at, "%s", redis_place_text(at));
    b->told++;
}

static unsigned ask_none(void *owner, bool all) {
    (void)owner, (void)all;
    return 1;
}

static void on_closed(struct slot_map *m) {
    (void)m;
}

static struct bench *begin(bool tls) {
    static const struct slot_map_events events = {.on_master = on_master, .ask = ask_none};
    struct bench *b = calloc(1, sizeof *b);
    struct redis_seeds seeds = {.count = 1, .all = {asked}};
    struct redis_address login = {.cluster = true, .tls = tls};
    struct slot_map_config config = {.seeds = &seeds, .login = &login, .node = "n"};
    assert_int_equal(uv_loop_init(&b->loop), 0);
    slot_map_init(&b->map, &b->loop, &config, &events, b);
    slot_map_add(&b->map, 5);
    return b;
}

static void end(struct bench *b) {
    slot_map_close(&b->map, on_closed);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    free(b);
}

static bool take(struct bench *b, const char *text) {
    return slot_map_take(&b->map, slice_of(text), &asked);
}

/* The slot's master has been away for so long. */
static void away(struct bench *b, uint64_t ms) {
    b->map.claims[0].down_since = uv_now(&b->loop) - ms;
}

static void check(const struct bench *b, const char *at, unsigned told) {
    assert_string_equal(b->at, at);
    assert_int_equal(b->told, told);
}

static void moved_to_an_address_of_a_known_name(void **state) {
    (void)state;
    struct bench *b = begin(true);
    assert_true(take(b, LINE("a", "10.0.0.1:7001@1,one", "", "1", ALL)
                            LINE("b", "10.0.0.2:7001@1,two", "myself,", "2", "")));
    check(b, "one:7001", 1);
    slot_map_moved(&b->map, 0, &(struct redis_place){"10.0.0.2", 7001});
    check(b, "two:7001", 2);
    slot_map_moved(&b->map, 0, &(struct redis_place){"two", 7001});
    check(b, "two:7001", 2);
    slot_map_moved(&b->map, 0, &(struct redis_place){"10.0.0.3", 7001});
    check(b, "10.0.0.3:7001", 3);
    end(b);
}

static void a_master_at_another_address(void **state) {
    (void)state;
    struct bench *b = begin(false);
    assert_true(take(b, LINE("a", "10.0.0.1:7001@1", "", "1", ALL)));
    slot_map_settled(&b->map, 0);
    /* Another node may be behind. */
    assert_true(take(b, LINE("a", "10.0.0.9:7001@1", "", "1", ALL)));
    check(b, "10.0.0.1:7001", 1);
    assert_true(take(b, LINE("a", "10.0.0.9:7001@1", "myself,", "1", ALL)));
    check(b, "10.0.0.9:7001", 2);
    away(b, 1);
    assert_true(take(b, LINE("a", "10.0.0.8:7001@1", "", "1", ALL)));
    check(b, "10.0.0.8:7001", 3);
    /* Somebody else by the same epoch, and anybody by a lower one, is not believed. */
    assert_true(take(b, LINE("c", "10.0.0.7:7001@1", "", "1", ALL)
                            LINE("a", "10.0.0.8:7001@1", "", "1", "")));
    assert_true(take(b, LINE("a", "10.0.0.7:7001@1", "myself,", "0", ALL)));
    check(b, "10.0.0.8:7001", 3);
    end(b);
}

static void another_cluster_changes_nothing(void **state) {
    (void)state;
    static const char other[] = LINE("x", "10.0.0.5:7001@1", "myself,", "90", ALL),
                      again[] = LINE("y", "10.0.0.1:7001@1", "myself,", "0", ALL);
    struct bench *b = begin(false);
    /* A node that belongs to no Cluster is no measure. */
    assert_true(take(b, LINE("e", "10.0.0.4:7001@1", "myself,", "0", "")));
    assert_true(take(b, LINE("a", "10.0.0.1:7001@1", "", "1", ALL)));
    away(b, 20000);
    assert_false(take(b, other));
    check(b, "10.0.0.1:7001", 1);
    assert_true(take(b, LINE("a", "10.0.0.1:7001@1", "", "1", ALL)));
    /* Made again where it was: only when nothing of it has been there for a while. */
    away(b, 500);
    assert_false(take(b, again));
    away(b, 20000);
    assert_true(take(b, again));
    check(b, "10.0.0.1:7001", 1);
    assert_true(take(b, LINE("y", "10.0.0.2:7001@1", "", "3", ALL)));
    check(b, "10.0.0.2:7001", 2);
    end(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_those_that_the_cluster_prefers),
        cmocka_unit_test(slots_tell_what_is_preferred),
        cmocka_unit_test(moved_to_an_address_of_a_known_name),
        cmocka_unit_test(a_master_at_another_address),
        cmocka_unit_test(another_cluster_changes_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
