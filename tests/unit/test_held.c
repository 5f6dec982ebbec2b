#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/redis/held.h"

/* Scripts that wait while their slot moves. */

static char told[64];

static void on_done(void *arg, const struct reply *reply, enum outcome outcome) {
    assert_null(reply);
    assert_int_equal(outcome, OUTCOME_REFUSED);
    strcat(told, arg);
}

static bool push(struct held_scripts *h, const char *name) {
    return held_push(h, 5, 1, 7, slice_of(name), on_done, (void *)name);
}

static void they_stay_in_order(void **state) {
    (void)state;
    struct held_scripts h;
    held_init(&h);
    assert_true(push(&h, "a") && push(&h, "b") && push(&h, "c"));
    assert_int_equal(h.since, 5);
    for (const char *name = "abc"; *name != '\0'; name++) {
        struct held_script *s = held_pop(&h);
        assert_non_null(s);
        assert_int_equal(s->argc, 7);
        assert_memory_equal(s->tail, name, 1);
        free(s);
    }
    assert_null(held_pop(&h));
    assert_int_equal(h.since, 0);
    assert_int_equal(h.bytes, 0);
}

static void all_fail_as_refused(void **state) {
    (void)state;
    struct held_scripts h;
    held_init(&h);
    told[0] = '\0';
    assert_true(push(&h, "a") && push(&h, "b"));
    held_fail(&h);
    assert_string_equal(told, "ab");
    assert_int_equal(h.since, 0);
    assert_int_equal(h.bytes, 0);
    assert_null(held_pop(&h));
}

#define BULK(n, text) "$" #n "\r\n" text "\r\n"

static void only_the_term_is_another(void **state) {
    (void)state;
    struct buf out;
    buf_init(&out);
    assert_true(held_tail(&out,
                          SLICE(BULK(1, "2") BULK(1, "k") BULK(3, "\r\n$") BULK(4, "1234")
                                    BULK(8, "abcdefgh") BULK(0, "")),
                          SLICE("12345")));
    buf_char(&out, '\0');
    assert_string_equal(out.data, BULK(1, "2") BULK(1, "k") BULK(3, "\r\n$") BULK(5, "12345")
                                      BULK(8, "abcdefgh") BULK(0, ""));
    buf_deinit(&out);
}

static void what_is_cut_is_refused(void **state) {
    (void)state;
    static const char whole[] = BULK(1, "1") BULK(1, "k") BULK(4, "1234");
    for (size_t len = 0; len < sizeof whole - 1; len++) {
        struct buf out;
        char *copy = malloc(len + 1);
        memcpy(copy, whole, len);
        buf_init(&out);
        assert_false(held_tail(&out, (struct slice){copy, len}, SLICE("5")));
        buf_deinit(&out);
        free(copy);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_stay_in_order), cmocka_unit_test(all_fail_as_refused),
        cmocka_unit_test(only_the_term_is_another), cmocka_unit_test(what_is_cut_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
