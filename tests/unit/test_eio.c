#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/eio.h"

static void reads_packets(void **state) {
    (void)state;
    struct eio_packet p;
    static const char types[] = "0123456b";
    for (const char *c = types; *c != '\0'; c++) {
        char text[8];
        snprintf(text, sizeof text, "%cdata", *c);
        assert_true(eio_read(slice_of(text), &p));
        assert_int_equal(p.type, *c);
        assert_true(slice_is(p.data, "data"));
    }
    assert_true(eio_read(SLICE("2"), &p));
    assert_int_equal(p.data.len, 0);
    static const char *const wrong[] = {"", "7", "/", "a", "B", "abc", "\x1e", " 4x", "\xff"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(eio_read(slice_of(wrong[i]), &p));
    for (int c = 0; c < 256; c++) {
        char one = (char)c;
        bool known = c != 0 && strchr(types, c) != NULL;
        assert_int_equal(eio_read((struct slice){&one, 1}, &p), known);
    }
}

static void splits_payloads(void **state) {
    (void)state;
    static const struct {
        const char *body;
        unsigned count;
        const char *packets[4];
    } cases[] = {
        {"", 0, {NULL}},
        {"4a", 1, {"4a"}},
        {"4a\x1e"
         "4b",
         2,
         {"4a", "4b"}},
        {"4\x1e"
         "bAA==\x1e"
         "3",
         3,
         {"4", "bAA==", "3"}},
        {"\x1e", 2, {"", ""}},
        {"4a\x1e", 2, {"4a", ""}},
        {"\x1e"
         "4a",
         2,
         {"", "4a"}},
        {"4a\x1e\x1e"
         "4b",
         3,
         {"4a", "", "4b"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eio_payload p;
        struct slice packet;
        eio_payload_init(&p, slice_of(cases[i].body));
        for (unsigned n = 0; n < cases[i].count; n++) {
            assert_true(eio_payload_next(&p, &packet));
            assert_true(slice_is(packet, cases[i].packets[n]));
        }
        assert_false(eio_payload_next(&p, &packet));
        assert_false(eio_payload_next(&p, &packet));
    }
}

/* What was built from packets is split into them, whatever they hold. */
static void builds_payloads(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b);
    eio_payload_text(&b, SLICE("4hello"));
    eio_payload_binary(&b, SLICE("\x01\x02\x03\x04"));
    eio_payload_text(&b, SLICE("2"));
    eio_payload_binary(&b, SLICE(""));
    assert_true(slice_is(buf_bytes(&b), "4hello\x1e"
                                        "bAQIDBA==\x1e"
                                        "2\x1e"
                                        "b"));
    buf_deinit(&b);
}

static void tells_errors(void **state) {
    (void)state;
    assert_string_equal(eio_error_body(EIO_E_TRANSPORT),
                        "{\"code\":0,\"message\":\"Transport unknown\"}");
    assert_string_equal(eio_error_body(EIO_E_SID),
                        "{\"code\":1,\"message\":\"Session ID unknown\"}");
    assert_string_equal(eio_error_body(EIO_E_METHOD),
                        "{\"code\":2,\"message\":\"Bad handshake method\"}");
    assert_string_equal(eio_error_body(EIO_E_REQUEST),
                        "{\"code\":3,\"message\":\"Bad request\"}");
    assert_string_equal(eio_error_body(EIO_E_FORBIDDEN),
                        "{\"code\":4,\"message\":\"Forbidden\"}");
    assert_string_equal(eio_error_body(EIO_E_VERSION),
                        "{\"code\":5,\"message\":\"Unsupported protocol version\"}");
    for (enum eio_error e = EIO_E_TRANSPORT; e < EIO_ERROR_COUNT; e++)
        assert_int_equal(eio_error_status(e), e == EIO_E_FORBIDDEN ? 403 : 400);
}

static void finds_query_members(void **state) {
    (void)state;
    static const struct {
        const char *query, *name, *value;
    } cases[] = {
        {"EIO=4&transport=polling", "EIO", "4"},
        {"EIO=4&transport=polling", "transport", "polling"},
        {"EIO=4&transport=polling", "sid", ""},
        {"EIO=4&&sid=a=b&", "sid", "a=b"},
        {"sid=one&sid=two", "sid", "one"},
        {"xsid=one", "sid", ""},
        {"sid", "sid", ""},
        {"sid=", "sid", ""},
        {"", "sid", ""},
        {"&&&", "sid", ""},
        {"sidx=1&sid=2", "sid", "2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(
            slice_is(eio_query(slice_of(cases[i].query), cases[i].name), cases[i].value));
    assert_int_equal(eio_query((struct slice){NULL, 0}, "sid").len, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_packets),       cmocka_unit_test(splits_payloads),
        cmocka_unit_test(builds_payloads),     cmocka_unit_test(tells_errors),
        cmocka_unit_test(finds_query_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
