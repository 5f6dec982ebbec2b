#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/emitters/packet.h"

/* --- MessagePack, written by msgpack-c ------------------------------------------------------
 */
static msgpack_sbuffer bytes;
static msgpack_packer packer;

static int begin(void **state) {
    (void)state;
    msgpack_sbuffer_init(&bytes);
    msgpack_packer_init(&packer, &bytes, msgpack_sbuffer_write);
    return 0;
}

static int end(void **state) {
    (void)state;
    msgpack_sbuffer_destroy(&bytes);
    return 0;
}

static void put_text(const char *text) {
    msgpack_pack_str_with_body(&packer, text, strlen(text));
}

static struct slice written(void) {
    return (struct slice){bytes.data, bytes.size};
}

/* The one value that was written, as JSON; NULL: it was refused. The caller frees it. */
static char *as_json(struct slice from, char **binaries) {
    struct pack p;
    struct buf out, bin;
    struct pack_json json = {.out = &out, .bin = &bin};
    if (!pack_read(&p, from))
        return NULL;
    buf_init(&out);
    buf_init(&bin);
    bool good = pack_put(&json, &p.root);
    buf_char(&out, '\0');
    buf_char(&bin, '\0');
    pack_free(&p);
    if (binaries != NULL)
        *binaries = bin.data;
    else
        free(bin.data);
    if (good)
        return out.data;
    free(out.data);
    return NULL;
}

static void assert_json(const char *raw, size_t len, const char *wanted) {
    char *json = as_json((struct slice){raw, len}, NULL);
    if (wanted == NULL)
        assert_null(json);
    else
        assert_string_equal(json, wanted);
    free(json);
}
#define JSON_OF(raw, wanted) assert_json(raw, sizeof(raw) - 1, wanted)

static void test_values(void **state) {
    (void)state;
    JSON_OF("\xc0", "null");
    JSON_OF("\xc2", "false");
    JSON_OF("\xc3", "true");
    JSON_OF("\x7f", "127");
    JSON_OF("\xe0", "-32");
    JSON_OF("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615");
    JSON_OF("\xd3\x80\0\0\0\0\0\0\0", "-9223372036854775808");
    JSON_OF("\xcb\x3f\xf8\0\0\0\0\0\0", "1.5");
    JSON_OF("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a", "0.1");
    JSON_OF("\xca\x3f\xc0\0\0", "1.5");
    JSON_OF("\xcb\x7f\xf0\0\0\0\0\0\0", "null"); /* infinite */
    JSON_OF("\xa3\"\n\\", "\"\\\"\\n\\\\\"");
    JSON_OF("\xd9\x02\xc3\xa4", "\"\xc3\xa4\"");
    JSON_OF("\xa1\xff", NULL);         /* no UTF-8 */
    JSON_OF("\xa3\xed\xa0\x80", NULL); /* half a surrogate pair */
    JSON_OF("\x82\xa1k\x93\x01\x02\x03\x07\x80", "{\"k\":[1,2,3],\"7\":{}}");
    JSON_OF("\x81\xc0\x01", NULL); /* a key that is no text */
}

static void test_extensions(void **state) {
    (void)state;
    JSON_OF("\xd6\xff\0\0\0\x01", "\"1970-01-01T00:00:01.000Z\"");
    JSON_OF("\xd7\xff\x1d\x34\xce\x80\x66\x38\x81\xd9", "\"2024-05-06T07:08:09.122Z\"");
    JSON_OF("\xc7\x0c\xff\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
            "\"1969-12-31T23:59:59.000Z\"");
    JSON_OF("\xd7\0\xff\xff\xff\xff\xff\xff\xff\xff", "\"1969-12-31T23:59:59.999Z\"");
    JSON_OF("\xd4\0\0", "null");
    JSON_OF("\xd4\x05\0", NULL);
    JSON_OF("\xc7\x0c\xff\0\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", NULL); /* no such year */
}

static void test_binaries(void **state) {
    char *bin;
    (void)state;
    msgpack_pack_array(&packer, 2);
    msgpack_pack_bin_with_body(&packer, "\0\xff\x07", 3);
    msgpack_pack_bin_with_body(&packer, "", 0);
    char *json = as_json(written(), &bin);
    assert_string_equal(json, "[{\"_placeholder\":true,\"num\":0},"
                              "{\"_placeholder\":true,\"num\":1}]");
    assert_string_equal(bin, "[\"AP8H\",\"\"");
    free(json);
    free(bin);
}

static void test_depth(void **state) {
    char deep[PACK_DEEPEST + 2];
    (void)state;
    memset(deep, '\x91', sizeof deep);
    deep[PACK_DEEPEST] = '\xc0';
    assert_json(deep, PACK_DEEPEST, NULL); /* cut off */
    char *json = as_json((struct slice){deep, PACK_DEEPEST + 1}, NULL);
    assert_int_equal(strlen(json), 2 * PACK_DEEPEST + 4);
    free(json);
    deep[PACK_DEEPEST] = '\x91';
    deep[PACK_DEEPEST + 1] = '\xc0';
    assert_json(deep, sizeof deep, NULL);
    deep[PACK_DEEPEST] = '\x90'; /* one without values is one, too */
    assert_json(deep, PACK_DEEPEST + 1, NULL);
}

/* What is announced, and cannot be there, is refused before memory is taken for it. */
static void test_unsound(void **state) {
    (void)state;
    JSON_OF("", NULL);
    JSON_OF("\xc1", NULL);
    JSON_OF("\x01\x02", NULL); /* two values */
    JSON_OF("\xdd\xff\xff\xff\xff\xc0", NULL);
    JSON_OF("\xdf\x80\0\0\0\xc0\xc0", NULL);
    JSON_OF("\xdb\xff\xff\xff\xff", NULL);
    JSON_OF("\xc6\0\0\0\x02x", NULL);
    JSON_OF("\xdc\0", NULL);
    JSON_OF("\x92\x92\xc0\xc0", NULL);
    JSON_OF("\xcd\x01", NULL);
}

/* --- broadcasts -----------------------------------------------------------------------------
 */

static void put_packet(unsigned type, unsigned arguments) {
    msgpack_pack_map(&packer, 3);
    put_text("type");
    msgpack_pack_unsigned_int(&packer, type);
    put_text("nsp");
    put_text("/admin");
    put_text("data");
    msgpack_pack_array(&packer, 1 + arguments);
    put_text("hello");
    for (unsigned i = 0; i < arguments; i++)
        msgpack_pack_unsigned_int(&packer, i);
}

static void put_opts(const char *room) {
    msgpack_pack_map(&packer, 2);
    put_text("rooms");
    msgpack_pack_array(&packer, 1);
    put_text(room);
    put_text("flags");
    msgpack_pack_nil(&packer);
}

static void test_packet(void **state) {
    struct packet p;
    struct slice name;
    (void)state;
    msgpack_pack_array(&packer, 3);
    put_text("emitter");
    put_packet(2, 2);
    put_opts("r");
    assert_null(packet_read(&p, written()));
    assert_true(slice_is(p.event, "hello") && slice_is(p.nsp, "/admin"));
    assert_true(slice_is(buf_bytes(&p.args), "[0,1]") && p.only.len == 0 && p.bin.len == 0);
    assert_true(packet_name(p.rooms, 0, &name) && slice_is(name, "r"));
    assert_false(packet_name(p.rooms, 1, &name) || packet_name(p.except, 0, &name));
    packet_free(&p);
}

static void test_old_packet(void **state) {
    struct packet p;
    (void)state;
    msgpack_pack_array(&packer, 2);
    put_packet(5, 1);
    put_opts("r");
    assert_null(packet_read(&p, written()));
    assert_true(slice_is(p.only, "0"));
    packet_free(&p);
}

static const char *wrong_with(unsigned type, unsigned arguments, const char *room) {
    struct packet p;
    msgpack_sbuffer_clear(&bytes);
    msgpack_pack_array(&packer, 2);
    put_packet(type, arguments);
    put_opts(room);
    const char *wrong = packet_read(&p, written());
    if (wrong == NULL)
        packet_free(&p);
    return wrong;
}

static void test_wrong_packets(void **state) {
    (void)state;
    assert_null(wrong_with(2, 10, "r"));
    assert_string_equal(wrong_with(2, 11, "r"), "it has more than 10 arguments");
    assert_string_equal(wrong_with(3, 1, "r"), "it is no event");
    assert_string_equal(wrong_with(2, 1, ""), "its rooms are no texts");
    assert_string_equal(wrong_with(2, 1, "\xff"), "its rooms are no texts");
}

/* --- orders ---------------------------------------------------------------------------------
 */

static const char *order(struct order_read *o, const char *text) {
    return order_read(o, SLICE("socket.io-request#/admin#"), slice_of(text));
}

static void test_orders(void **state) {
    struct order_read o;
    (void)state;
    assert_null(
        order(&o, "{\"type\":2,\"opts\":{\"rooms\":[\"a\"],\"except\":[]},\"rooms\":[\"b\"]}"));
    assert_int_equal(o.kind, ORDER_JOIN);
    assert_true(slice_is(o.nsp, "/admin") && slice_is(o.who.raw, "[\"a\"]"));
    assert_null(order(&o, "{\"type\":3,\"opts\":{},\"rooms\":[]}"));
    assert_int_equal(o.kind, ORDER_LEAVE);
    assert_null(order(&o, "{\"type\":4,\"opts\":{\"rooms\":null},\"close\":true}"));
    assert_true(o.kind == ORDER_DISCONNECT && o.close);
    assert_null(order(&o, "{\"type\":5,\"requestId\":\"x\"}"));
    assert_int_equal(o.kind, ORDER_OTHER);
    assert_non_null(order(&o, "{\"type\":2,\"opts\":{},\"rooms\":\"b\"}"));
    assert_non_null(order(&o, "{\"type\":2,\"opts\":{}}"));
    assert_non_null(order(&o, "{\"type\":2,\"sid\":\"x\",\"room\":\"b\"}"));
    assert_non_null(order(&o, "{\"type\":\"2\",\"opts\":{}}"));
    assert_non_null(order(&o, "{\"type\":10,\"opts\":{}}"));
    assert_non_null(order(&o, "[]"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_extensions),
        cmocka_unit_test_setup_teardown(test_binaries, begin, end),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_unsound),
        cmocka_unit_test_setup_teardown(test_packet, begin, end),
        cmocka_unit_test_setup_teardown(test_old_packet, begin, end),
        cmocka_unit_test_setup_teardown(test_wrong_packets, begin, end),
        cmocka_unit_test(test_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
