#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/redis/declared.h"
#include "gateway/redis/found.h"
#include "gateway/redis/scripts.h"

/* The keys of a call. */

static void assert_declares(const char *spec, size_t count, bool whole, const char *wanted) {
    const struct slice bases[] = {SLICE("a"), SLICE("bb"), SLICE("c"), SLICE("d")};
    const struct declared_names around = {SLICE("p:"), SLICE("p:{"), SLICE("}"), SLICE("x")};
    struct declared d;
    struct buf out, plain;
    size_t keys = 0;
    declared_read(&d, spec, false);
    buf_init(&out);
    buf_init(&plain);
    declared_put(&d, &out, &around, bases, count, whole);
    for (const char *at = out.data, *end = at + out.len; at < end; keys++) {
        size_t len = strtoul(at + 1, NULL, 10);
        at = strchr(at, '\n') + 1;
        buf_append(&plain, at, len);
        buf_char(&plain, ' ');
        at += len + 2;
    }
    buf_char(&plain, '\0');
    assert_string_equal(plain.data, wanted);
    assert_int_equal(keys, declared_count(&d, count, whole));
    buf_deinit(&out);
    buf_deinit(&plain);
}

static void bases_then_theirs_then_the_partition_s(void **state) {
    (void)state;
    assert_declares("meta log; clock", 1, true, "p:{a} p:{a}:meta p:{a}:log p:clock ");
    assert_declares("x/y", 4, true,
                    "p:{a} p:{bb} p:{c} p:{d} p:{a}:x p:{bb}:y p:{c}:x p:{d}:y ");
    assert_declares("x/>y", 3, true, "p:{a} p:{bb} p:{c} p:{a}:x p:{bb}:y p:{c}:y ");
    assert_declares("x/", 2, true, "p:{a} p:{bb} p:{a}:x ");
    assert_declares("; clock term", 0, true, "p:clock p:term ");
}

static void some_are_left_out(void **state) {
    (void)state;
    const char *spec = "@1 x ?y; clock ?ids";
    struct declared d;
    const struct slice none[] = {SLICE("a"), {NULL, 0}}, some[] = {SLICE("a"), SLICE("b")};
    assert_declares(spec, 1, false, "p:{a} p:{a}:x p:clock ");
    assert_declares(spec, 1, true, "p:{a} p:{a}:x p:{a}:y p:clock p:ids ");
    declared_read(&d, spec, false);
    assert_false(declared_whole(&d, none, 2));
    assert_false(declared_whole(&d, none, 1));
    assert_true(declared_whole(&d, some, 2));
}

#define BULK(n, text) "$" #n "\r\n" text "\r\n"
#define TAIL          BULK(1, "2") BULK(1, "a") BULK(4, "last") BULK(1, "7") BULK(3, "arg")

static void assert_wanted(long long first, size_t more, bool apart, const char *tail,
                          const char *wanted) {
    struct reply number = {.type = REPLY_INTEGER, .integer = first};
    struct reply key = {.type = REPLY_STRING, .text = SLICE("new")};
    struct reply *items[] = {&number, &key, &key};
    const struct reply all = {.type = REPLY_ARRAY, .count = 1 + more, .items = items};
    struct buf out;
    unsigned added = 0;
    buf_init(&out);
    assert_int_equal(found_wants(&all), first == SCRIPT_FOUND);
    bool good = found_tail(&out, slice_of(tail), &all, apart, &added);
    assert_int_equal(good, wanted != NULL);
    if (good) {
        buf_char(&out, '\0');
        assert_string_equal(out.data, wanted);
        assert_int_equal(added, more);
    }
    buf_deinit(&out);
}

static void what_a_script_found_comes_after_its_keys(void **state) {
    (void)state;
    assert_wanted(SCRIPT_FOUND, 1, false, TAIL,
                  BULK(1, "3") BULK(1, "a") BULK(4, "last") BULK(3, "new") BULK(1, "7")
                      BULK(3, "arg"));
    assert_wanted(SCRIPT_FOUND, 2, true, TAIL,
                  BULK(1, "4") BULK(1, "a") BULK(3, "new") BULK(3, "new") BULK(4, "last")
                      BULK(1, "7") BULK(3, "arg"));
    assert_wanted(SCRIPT_REVOKED, 0, false, TAIL, NULL); /* no key is wanted */
    assert_wanted(SCRIPT_FOUND, 1, false, BULK(1, "3") BULK(1, "a"), NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bases_then_theirs_then_the_partition_s),
        cmocka_unit_test(some_are_left_out),
        cmocka_unit_test(what_a_script_found_comes_after_its_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
