#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/err.h"

/* Codes are the protocol: a row that moves or is renamed breaks clients. */
static void codes_are_those_of_the_protocol(void **state) {
    (void)state;
    static const char *const codes[] = {
        "ok",          "bad_json",     "bad_message",   "unknown_event",     "missing_field",
        "bad_field",   "too_large",    "not_logged_in", "already_logged_in", "unauthorized",
        "forbidden",   "not_a_member", "too_many",      "rate_limited",      "rejected",
        "unavailable", "internal",
    };
    assert_int_equal(ERR_COUNT, sizeof codes / sizeof *codes);
    for (int e = 0; e < ERR_COUNT; e++)
        assert_string_equal(err_code((enum err)e), codes[e]);
}

static void codes_are_distinct_words(void **state) {
    (void)state;
    for (int e = 0; e < ERR_COUNT; e++) {
        const char *code = err_code((enum err)e);
        assert_true(*code != '\0');
        for (const char *c = code; *c != '\0'; c++)
            assert_true(islower((unsigned char)*c) || *c == '_');
        for (int other = 0; other < e; other++)
            assert_string_not_equal(code, err_code((enum err)other));
    }
}

/* They are put into JSON without being escaped. */
static void messages_need_no_escaping(void **state) {
    (void)state;
    assert_string_equal(err_message(ERR_OK), "");
    for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
        const char *message = err_message((enum err)e);
        assert_true(*message != '\0');
        assert_null(strpbrk(message, "\"\\\n\r\t"));
    }
}

static void outcomes_have_words(void **state) {
    (void)state;
    assert_null(err_outcome(OUTCOME_NONE));
    assert_string_equal(err_outcome(OUTCOME_REFUSED), "refused");
    assert_string_equal(err_outcome(OUTCOME_UNKNOWN), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_those_of_the_protocol),
        cmocka_unit_test(codes_are_distinct_words),
        cmocka_unit_test(messages_need_no_escaping),
        cmocka_unit_test(outcomes_have_words),
    };
    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
