/* Tests the negotiation of permessage-deflate (RFC 7692, 7.1). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/ws_extension.h"

#define PMD "permessage-deflate"
#define ANY WS_WINDOW_ANY

static const struct {
    const char *offers;
    unsigned window;
} cases[] = {
    /* What browsers and libraries send. */
    {PMD "; client_max_window_bits", ANY}, /* Chromium, ws, Socket.IO on Node */
    {PMD, ANY},                            /* Firefox, Safari */
    {"x-webkit-deflate-frame", 0},         /* Safari before 2014 */
    {PMD "; client_no_context_takeover; server_no_context_takeover", ANY}, /* .NET, Go */
    {PMD "; server_no_context_takeover; client_max_window_bits=12", ANY},
    {PMD "; client_max_window_bits; server_max_window_bits=15", 15}, /* Python */

    /* The window that is promised. */
    {PMD "; server_max_window_bits=8", 8},
    {PMD "; server_max_window_bits=9", 9},
    {PMD "; server_max_window_bits=10", 10},
    {PMD "; server_max_window_bits=15", 15},
    {PMD "; server_max_window_bits=\"11\"", 11},
    {PMD "; server_max_window_bits=\"1\\2\"", 12},
    {PMD "; server_max_window_bits=7", 0},
    {PMD "; server_max_window_bits=16", 0},
    {PMD "; server_max_window_bits=0", 0},
    {PMD "; server_max_window_bits=09", 0},
    {PMD "; server_max_window_bits=+9", 0},
    {PMD "; server_max_window_bits=9.", 0},
    {PMD "; server_max_window_bits=101", 0},
    {PMD "; server_max_window_bits=10000000000000000000000", 0},
    {PMD "; server_max_window_bits=1x", 0},
    {PMD "; server_max_window_bits", 0},
    {PMD "; client_max_window_bits=8", ANY},
    {PMD "; client_max_window_bits=15", ANY},
    {PMD "; client_max_window_bits=\"9\"", ANY},
    {PMD "; client_max_window_bits=7", 0},
    {PMD "; client_max_window_bits=16", 0},
    {PMD "; client_max_window_bits=08", 0},
    {PMD "; client_max_window_bits=x", 0},

    /* Parameters. */
    {PMD "; server_no_context_takeover=1", 0},
    {PMD "; client_no_context_takeover=true", 0},
    {PMD "; server_no_context_takeover; server_no_context_takeover", 0},
    {PMD "; client_no_context_takeover; client_no_context_takeover", 0},
    {PMD "; client_max_window_bits; client_max_window_bits", 0},
    {PMD "; client_max_window_bits; client_max_window_bits=10", 0},
    {PMD "; server_max_window_bits=10; server_max_window_bits=10", 0},
    {PMD "; unknown", 0},
    {PMD "; unknown=1; client_max_window_bits", 0},
    {PMD "; client_max_window_bits; unknown=\"a\"", 0},
    {PMD "; Client_Max_Window_Bits", 0},

    /* Several offers: the first that can be served. */
    {PMD "; server_max_window_bits=10, " PMD, 10},
    {PMD "; unknown, " PMD "; server_max_window_bits=12", 12},
    {PMD "; server_max_window_bits=7, " PMD, ANY},
    {"permessage-bzip2, " PMD "; server_max_window_bits=9", 9},
    {"foo; bar=baz; a=\"b\", " PMD, ANY},
    {PMD "; server_max_window_bits=9,other;x", 9},
    {"permessage-deflate2", 0},
    {"xpermessage-deflate", 0},
    {"permessage-snappy; a, permessage-bzip2", 0},

    /* Blanks, and empty members of the list (RFC 9110, 5.6.1). */
    {"  " PMD "  ", ANY},
    {"\t" PMD "\t;\tserver_max_window_bits\t=\t9\t", 9},
    {PMD ";server_max_window_bits=9;client_max_window_bits", 9},
    {",, " PMD " ,,", ANY},
    {PMD ", ," PMD "; unknown", ANY},

    /* What is no list. */
    {"", 0},
    {"   ", 0},
    {",", 0},
    {";", 0},
    {PMD ";", 0},
    {PMD "; ", 0},
    {PMD ";;client_max_window_bits", 0},
    {PMD "; =9", 0},
    {PMD "; server_max_window_bits=", 0},
    {PMD "; server_max_window_bits=\"", 0},
    {PMD "; server_max_window_bits=\"9", 0},
    {PMD "; server_max_window_bits=\"9\\", 0},
    {PMD "; server_max_window_bits=\"\"", 0},
    {PMD "; server_max_window_bits=\"9 \"", 0},
    {PMD "; server_max_window_bits=\"9\"9", 0},
    {PMD "; server_max_window_bits=9=9", 0},
    {PMD " client_max_window_bits", 0},
    {PMD " " PMD, 0},
    {PMD "/", 0},
    {PMD ", (", 0},
    {PMD ", foo; a=\"b c\"", 0},
    {"\"" PMD "\"", 0},
    {PMD "\xc3\xa9", 0},
};

static void the_first_offer_that_can_be_served(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t len = strlen(cases[i].offers);
        char *exact = malloc(len > 0 ? len : 1); /* so that a read beyond it is found */
        assert_non_null(exact);
        memcpy(exact, cases[i].offers, len);
        unsigned window = ws_extension_choose((struct slice){exact, len});
        free(exact);
        if (window != cases[i].window)
            fail_msg("%s: %u, not %u", cases[i].offers, window, cases[i].window);
    }
}

static void the_answer(void **state) {
    (void)state;
    char out[WS_EXTENSION_SIZE];
    ws_extension_answer(out, WS_WINDOW_ANY);
    assert_string_equal(out, PMD "; server_no_context_takeover; client_no_context_takeover");
    for (unsigned window = WS_WINDOW_LEAST; window <= 15; window++) {
        char expected[WS_EXTENSION_SIZE];
        snprintf(expected, sizeof expected,
                 PMD "; server_no_context_takeover; client_no_context_takeover; "
                     "server_max_window_bits=%u",
                 window);
        ws_extension_answer(out, window);
        assert_string_equal(out, expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_offer_that_can_be_served),
        cmocka_unit_test(the_answer),
    };
    return cmocka_run_group_tests_name("ws_extension", tests, NULL, NULL);
}
