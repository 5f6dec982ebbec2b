#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/sio.h"

#define MOST 10
#define P(n) "{\"_placeholder\":true,\"num\":" #n "}"

/* --- valid packets: the parts, and back to the text -----------------------------------------
 */
static const struct {
    const char *text;
    enum sio_type type;
    uint32_t attachments;
    const char *nsp;
    bool has_id;
    uint64_t id;
    const char *payload, *name, *args;
} valid[] = {
    {"0", SIO_CONNECT, 0, "/", false, 0, "", "", ""},
    {"0{}", SIO_CONNECT, 0, "/", false, 0, "{}", "", ""},
    {"0{\"token\":\"1\"}", SIO_CONNECT, 0, "/", false, 0, "{\"token\":\"1\"}", "", ""},
    {"0/admin", SIO_CONNECT, 0, "/admin", false, 0, "", "", ""},
    {"0/admin,", SIO_CONNECT, 0, "/admin", false, 0, "", "", ""},
    {"0/a,{\"b\":1}", SIO_CONNECT, 0, "/a", false, 0, "{\"b\":1}", "", ""},
    {"0/,{}", SIO_CONNECT, 0, "/", false, 0, "{}", "", ""},
    {"0/a-b?c=d", SIO_CONNECT, 0, "/a-b?c=d", false, 0, "", "", ""},
    {"1", SIO_DISCONNECT, 0, "/", false, 0, "", "", ""},
    {"07", SIO_CONNECT, 0, "/", false, 0, "", "", ""},
    {"0/a,7{}", SIO_CONNECT, 0, "/a", false, 0, "{}", "", ""},
    {"1123456789012345678901234567890", SIO_DISCONNECT, 0, "/", false, 0, "", "", ""},
    {"1/admin,", SIO_DISCONNECT, 0, "/admin", false, 0, "", "", ""},
    {"2[\"a\"]", SIO_EVENT, 0, "/", false, 0, "[\"a\"]", "\"a\"", ""},
    {"2[7]", SIO_EVENT, 0, "/", false, 0, "[7]", "7", ""},
    {"2[\"\"]", SIO_EVENT, 0, "/", false, 0, "[\"\"]", "\"\"", ""},
    {"2[\"a\",1,\"2\",{\"3\":[true]}]", SIO_EVENT, 0, "/", false, 0,
     "[\"a\",1,\"2\",{\"3\":[true]}]", "\"a\"", "1,\"2\",{\"3\":[true]}"},
    {"2[ \"a\" , 1 ]", SIO_EVENT, 0, "/", false, 0, "[ \"a\" , 1 ]", "\"a\"", "1 "},
    {"2 [\"a\"]\n", SIO_EVENT, 0, "/", false, 0, "[\"a\"]", "\"a\"", ""},
    {"20[\"a\"]", SIO_EVENT, 0, "/", true, 0, "[\"a\"]", "\"a\"", ""},
    {"2456[\"a\",9007199254740993,1e400,1.0]", SIO_EVENT, 0, "/", true, 456,
     "[\"a\",9007199254740993,1e400,1.0]", "\"a\"", "9007199254740993,1e400,1.0"},
    {"218446744073709551615[\"a\"]", SIO_EVENT, 0, "/", true, UINT64_MAX, "[\"a\"]", "\"a\"",
     ""},
    {"2/x,12[\"a\",[]]", SIO_EVENT, 0, "/x", true, 12, "[\"a\",[]]", "\"a\"", "[]"},
    {"2/\"q'\\,[\"a\"]", SIO_EVENT, 0, "/\"q'\\", false, 0, "[\"a\"]", "\"a\"", ""},
    {"2[\"connected\"]", SIO_EVENT, 0, "/", false, 0, "[\"connected\"]", "\"connected\"", ""},
    {"2[\"Connect\"]", SIO_EVENT, 0, "/", false, 0, "[\"Connect\"]", "\"Connect\"", ""},
    {"2[\"a\"," P(0) "]", SIO_EVENT, 0, "/", false, 0, "[\"a\"," P(0) "]", "\"a\"", P(0)},
    {"2", SIO_EVENT, 0, "/", false, 0, "", "", ""},
    {"2/a,7", SIO_EVENT, 0, "/a", true, 7, "", "", ""},
    {"3", SIO_ACK, 0, "/", false, 0, "", "", ""},
    {"3[]", SIO_ACK, 0, "/", false, 0, "[]", "", ""},
    {"37", SIO_ACK, 0, "/", true, 7, "", "", ""},
    {"37[]", SIO_ACK, 0, "/", true, 7, "[]", "", ""},
    {"37[1,{}]", SIO_ACK, 0, "/", true, 7, "[1,{}]", "", "1,{}"},
    {"3/x,7[ 1]", SIO_ACK, 0, "/x", true, 7, "[ 1]", "", "1"},
    {"51-[\"a\"," P(0) "]", SIO_BINARY_EVENT, 1, "/", false, 0, "[\"a\"," P(0) "]", "\"a\"",
     P(0)},
    {"52-/x,9[\"a\",{\"b\":[" P(1) "]}," P(0) "]", SIO_BINARY_EVENT, 2, "/x", true, 9,
     "[\"a\",{\"b\":[" P(1) "]}," P(0) "]", "\"a\"", "{\"b\":[" P(1) "]}," P(0)},
    {"51-[\"a\", { \"num\" : 0 , \"_placeholder\" : true } ]", SIO_BINARY_EVENT, 1, "/", false,
     0, "[\"a\", { \"num\" : 0 , \"_placeholder\" : true } ]", "\"a\"",
     "{ \"num\" : 0 , \"_placeholder\" : true } "},
    {"51-[\"a\",{\"_placehol\\u0064er\":true,\"num\":0}]", SIO_BINARY_EVENT, 1, "/", false, 0,
     "[\"a\",{\"_placehol\\u0064er\":true,\"num\":0}]", "\"a\"",
     "{\"_placehol\\u0064er\":true,\"num\":0}"},
    {"50-[\"a\",{\"_placeholder\":false,\"num\":0}]", SIO_BINARY_EVENT, 0, "/", false, 0,
     "[\"a\",{\"_placeholder\":false,\"num\":0}]", "\"a\"",
     "{\"_placeholder\":false,\"num\":0}"},
    {"60-[]", SIO_BINARY_ACK, 0, "/", false, 0, "[]", "", ""},
    {"61-[" P(0) "]", SIO_BINARY_ACK, 1, "/", false, 0, "[" P(0) "]", "", P(0)},
    {"61-3[" P(0) "]", SIO_BINARY_ACK, 1, "/", true, 3, "[" P(0) "]", "", P(0)},
    {"510-[\"a\"," P(0) "," P(1) "," P(2) "," P(3) "," P(4) "," P(5) "," P(6) "," P(7) "," P(
         8) "," P(9) "]",
     SIO_BINARY_EVENT, 10, "/", false, 0, NULL, "\"a\"", NULL},
};

static void reads_valid_packets(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
        struct sio_packet p;
        enum sio_error e = sio_read(slice_of(valid[i].text), MOST, &p);
        if (e != SIO_OK)
            fail_msg("%s: %s", valid[i].text, sio_error_text(e));
        assert_int_equal(p.type, valid[i].type);
        assert_int_equal(p.attachments, valid[i].attachments);
        assert_true(slice_is(p.nsp, valid[i].nsp));
        assert_int_equal(p.has_id, valid[i].has_id);
        assert_int_equal(p.id, valid[i].id);
        if (valid[i].payload != NULL)
            assert_true(slice_is(p.payload.raw, valid[i].payload));
        assert_true(slice_is(p.name.raw, valid[i].name));
        if (valid[i].args != NULL && !slice_is(p.args, valid[i].args))
            fail_msg("%s: %.*s", valid[i].text, (int)p.args.len, p.args.ptr);
    }
}

/* Head and payload again are a packet with the same parts. */
static void builds_what_it_reads(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b);
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
        struct sio_packet p, q;
        assert_int_equal(sio_read(slice_of(valid[i].text), MOST, &p), SIO_OK);
        buf_clear(&b);
        sio_put_head(&b, &p);
        buf_slice(&b, p.payload.raw);
        assert_int_equal(sio_read(buf_bytes(&b), MOST, &q), SIO_OK);
        assert_int_equal(p.type, q.type);
        assert_int_equal(p.attachments, q.attachments);
        assert_int_equal(p.has_id, q.has_id);
        assert_int_equal(p.id, q.id);
        assert_true(slice_eq(p.nsp, q.nsp));
        assert_true(slice_eq(p.payload.raw, q.payload.raw));
    }
    struct sio_packet head = {.type = SIO_BINARY_EVENT,
                              .attachments = 2,
                              .nsp = SLICE("/x"),
                              .has_id = true,
                              .id = 9};
    buf_clear(&b);
    sio_put_head(&b, &head);
    assert_true(slice_is(buf_bytes(&b), "52-/x,9"));
    buf_deinit(&b);
}

/* --- invalid ones ---------------------------------------------------------------------------
 */
static const struct {
    const char *text;
    enum sio_error error;
} invalid[] = {
    {"", SIO_E_TYPE},
    {"abc", SIO_E_TYPE},
    {"7", SIO_E_TYPE},
    {"-1", SIO_E_TYPE},
    {" 2[\"a\"]", SIO_E_TYPE},
    {"4{\"message\":\"x\"}", SIO_E_TYPE},
    {"5[\"a\"]", SIO_E_ATTACHMENTS},
    {"5-[\"a\"]", SIO_E_ATTACHMENTS},
    {"51[\"a\"," P(0) "]", SIO_E_ATTACHMENTS},
    {"51", SIO_E_ATTACHMENTS},
    {"5a-[\"a\"]", SIO_E_ATTACHMENTS},
    {"5-1-[\"a\"]", SIO_E_ATTACHMENTS},
    {"5+1-[\"a\"]", SIO_E_ATTACHMENTS},
    {"51.0-[\"a\"]", SIO_E_ATTACHMENTS},
    {"511-[\"a\"]", SIO_E_ATTACHMENTS},
    {"5999999999-[\"a\"," P(0) "]", SIO_E_ATTACHMENTS},
    {"5999999999999999999999999999999-[\"a\"]", SIO_E_ATTACHMENTS},
    {"518446744073709551617-[\"a\"," P(0) "]", SIO_E_ATTACHMENTS},
    {"6x-1[]", SIO_E_ATTACHMENTS},
    {"2/a\nb,[\"a\"]", SIO_E_NAMESPACE},
    {"2/a\x7f,[\"a\"]", SIO_E_NAMESPACE},
    {"218446744073709551616[\"a\"]", SIO_E_ID},
    {"2123456789012345678901234567890[\"a\"]", SIO_E_ID},
    {"2-1[\"a\"]", SIO_E_JSON},
    {"2abc[\"a\"]", SIO_E_JSON},
    {"21.5[\"a\"]", SIO_E_JSON},
    {"2[\"a\"", SIO_E_JSON},
    {"2[\"a\"]]", SIO_E_JSON},
    {"2[\"a\",]", SIO_E_JSON},
    {"2[\"a\",01]", SIO_E_JSON},
    {"2['a']", SIO_E_JSON},
    {"2[\"a\tb\"]", SIO_E_JSON},
    {"0{", SIO_E_JSON},
    {"1 ", SIO_E_JSON},
    {"0null", SIO_E_PAYLOAD},
    {"0[]", SIO_E_PAYLOAD},
    {"0\"a\"", SIO_E_PAYLOAD},
    {"0true", SIO_E_PAYLOAD},
    {"1{}", SIO_E_PAYLOAD},
    {"1[]", SIO_E_PAYLOAD},
    {"2{}", SIO_E_PAYLOAD},
    {"2\"a\"", SIO_E_PAYLOAD},
    {"2null", SIO_E_PAYLOAD},
    {"37{}", SIO_E_PAYLOAD},
    {"37\"a\"", SIO_E_PAYLOAD},
    {"50-", SIO_E_PAYLOAD},
    {"50-{}", SIO_E_PAYLOAD},
    {"2[]", SIO_E_NAME},
    {"2[null]", SIO_E_NAME},
    {"2[true]", SIO_E_NAME},
    {"2[{}]", SIO_E_NAME},
    {"2[[\"a\"]]", SIO_E_NAME},
    {"2[\"connect\"]", SIO_E_NAME},
    {"2[\"connect_error\",1]", SIO_E_NAME},
    {"2[\"disconnect\"]", SIO_E_NAME},
    {"2[\"disconnecting\"]", SIO_E_NAME},
    {"2[\"newListener\"]", SIO_E_NAME},
    {"2[\"removeListener\"]", SIO_E_NAME},
    {"2[\"\\u0063onnect\"]", SIO_E_NAME},
    {"50-[\"connect\"]", SIO_E_NAME},
    {"51-[\"a\"]", SIO_E_PLACEHOLDER},
    {"50-[\"a\"," P(0) "]", SIO_E_PLACEHOLDER},
    {"51-[\"a\"," P(1) "]", SIO_E_PLACEHOLDER},
    {"51-[\"a\"," P(-1) "]", SIO_E_PLACEHOLDER},
    {"51-[\"a\"," P(0.0) "]", SIO_E_PLACEHOLDER},
    {"51-[\"a\",{\"_placeholder\":true,\"num\":\"0\"}]", SIO_E_PLACEHOLDER},
    {"51-[\"a\"," P(null) "]", SIO_E_PLACEHOLDER},
    {"51-[\"a\"," P({}) "]", SIO_E_PLACEHOLDER},
    {"51-[\"a\"," P(99999999999999999999999) "]", SIO_E_PLACEHOLDER},
    {"51-[\"a\"," P(0) "," P(0) "]", SIO_E_PLACEHOLDER},
    {"52-[\"a\"," P(0) "]", SIO_E_PLACEHOLDER},
    {"52-[\"a\"," P(0) "," P(0) "]", SIO_E_PLACEHOLDER},
    {"51-[\"a\"," P(0) "," P(1) "]", SIO_E_PLACEHOLDER},
    {"51-[\"a\",{\"_placeholder\":true}]", SIO_E_PLACEHOLDER},
    {"51-[\"a\",{\"num\":0}]", SIO_E_PLACEHOLDER},
    {"51-[\"a\",{\"_placeholder\":\"true\",\"num\":0}]", SIO_E_PLACEHOLDER},
    {"51-[\"a\",{\"_placeholder\":true,\"num\":0,\"more\":1}]", SIO_E_PLACEHOLDER},
    {"51-[\"a\",{\"_placeholder\":true,\"num\":0,\"more\":{}}]", SIO_E_PLACEHOLDER},
    {"50-[\"a\",{\"\\u005fplaceholder\":true,\"num\":0}]", SIO_E_PLACEHOLDER},
    {"51-[\"a\",\"{\\\"_placeholder\\\":true,\\\"num\\\":0}\"]", SIO_E_PLACEHOLDER},
    {"61-1[]", SIO_E_PLACEHOLDER},
};

static void refuses_invalid_packets(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        struct sio_packet p;
        enum sio_error e = sio_read(slice_of(invalid[i].text), MOST, &p);
        if (e != invalid[i].error)
            fail_msg("%s: %s", invalid[i].text, sio_error_text(e));
    }
}

/* Each prefix of a packet is read, from memory that ends with it. */
static void reads_no_further(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
        size_t len = strlen(valid[i].text);
        for (size_t n = 0; n <= len; n++) {
            char *copy = malloc(n + 1);
            struct sio_packet p;
            memcpy(copy + 1, valid[i].text, n); /* the first byte has the room */
            enum sio_error e = sio_read((struct slice){copy + 1, n}, MOST, &p);
            assert_true(n < len || e == SIO_OK);
            free(copy);
        }
    }
}

static void long_namespaces(void **state) {
    (void)state;
    char text[SIO_NAMESPACE_MAX + 4];
    struct sio_packet p;
    memset(text, 'n', sizeof text);
    memcpy(text, "0/", 2);
    assert_int_equal(sio_read((struct slice){text, SIO_NAMESPACE_MAX + 1}, MOST, &p), SIO_OK);
    assert_int_equal(p.nsp.len, SIO_NAMESPACE_MAX);
    assert_int_equal(sio_read((struct slice){text, SIO_NAMESPACE_MAX + 2}, MOST, &p),
                     SIO_E_NAMESPACE);
}

/* ["a",[[[...placeholder...]]]]: JSON_MAX_DEPTH levels are read, one more is not. */
static void deep_payloads(void **state) {
    (void)state;
    for (unsigned levels = JSON_MAX_DEPTH - 1; levels <= JSON_MAX_DEPTH + 1; levels++) {
        struct buf b;
        struct sio_packet p;
        buf_init(&b);
        buf_str(&b, "51-[\"a\",");
        for (unsigned i = 2; i < levels; i++)
            buf_char(&b, '[');
        buf_str(&b, P(0));
        for (unsigned i = 2; i < levels; i++)
            buf_char(&b, ']');
        buf_char(&b, ']');
        assert_int_equal(sio_read(buf_bytes(&b), MOST, &p),
                         levels <= JSON_MAX_DEPTH ? SIO_OK : SIO_E_DEPTH);
        buf_clear(&b);
        buf_str(&b, "50-[\"a\",");
        for (unsigned i = 1; i < levels; i++)
            buf_char(&b, '[');
        for (unsigned i = 1; i < levels; i++)
            buf_char(&b, ']');
        buf_char(&b, ']');
        assert_int_equal(sio_read(buf_bytes(&b), MOST, &p),
                         levels <= JSON_MAX_DEPTH ? SIO_OK : SIO_E_DEPTH);
        buf_deinit(&b);
    }
}

static void most_attachments(void **state) {
    (void)state;
    for (unsigned n = SIO_ATTACHMENTS_MAX; n <= SIO_ATTACHMENTS_MAX + 1; n++) {
        struct buf b;
        struct sio_packet p;
        buf_init(&b);
        buf_printf(&b, "5%u-[\"a\"", n);
        for (unsigned i = n; i-- > 0;)
            buf_printf(&b, ",{\"_placeholder\":true,\"num\":%u}", i);
        buf_char(&b, ']');
        assert_int_equal(sio_read(buf_bytes(&b), SIO_ATTACHMENTS_MAX, &p),
                         n == SIO_ATTACHMENTS_MAX ? SIO_OK : SIO_E_ATTACHMENTS);
        buf_deinit(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_valid_packets),     cmocka_unit_test(builds_what_it_reads),
        cmocka_unit_test(refuses_invalid_packets), cmocka_unit_test(reads_no_further),
        cmocka_unit_test(long_namespaces),         cmocka_unit_test(deep_payloads),
        cmocka_unit_test(most_attachments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
