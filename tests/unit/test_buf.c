#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/buf.h"

static void assert_bytes(const struct buf *b, const char *expected) {
    assert_false(b->failed);
    assert_int_equal(b->len, strlen(expected));
    if (b->len > 0)
        assert_memory_equal(b->data, expected, b->len);
    assert_true(slice_is(buf_bytes(b), expected));
}

static void starts_empty(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b);
    assert_null(b.data);
    assert_int_equal(b.cap, 0);
    assert_bytes(&b, "");
    buf_deinit(&b);
}

static void appends_each_kind(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b);
    buf_append(&b, "ab", 2);
    buf_append(&b, NULL, 0);
    buf_slice(&b, SLICE("cd"));
    buf_slice(&b, (struct slice){NULL, 0});
    buf_str(&b, "ef");
    buf_str(&b, "");
    buf_char(&b, 'g');
    buf_printf(&b, "[%d,%s]", -7, "x");
    buf_printf(&b, "%s", "");
    assert_bytes(&b, "abcdefg[-7,x]");
    buf_deinit(&b);
}

static void appends_numbers(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b);
    buf_u64(&b, 0);
    buf_char(&b, ' ');
    buf_u64(&b, 10);
    buf_char(&b, ' ');
    buf_u64(&b, UINT64_MAX);
    assert_bytes(&b, "0 10 18446744073709551615");
    buf_deinit(&b);
}

static void grows_and_keeps_the_bytes(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b);
    for (unsigned i = 0; i < 100000; i++)
        buf_char(&b, (char)(i % 251));
    assert_false(b.failed);
    assert_int_equal(b.len, 100000);
    assert_true(b.cap >= b.len && b.cap < 2 * b.len);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(b.data[i], (char)(i % 251));
    buf_deinit(&b);
    assert_null(b.data);
}

/* Every length around the room that is left, so that the text once fits with its NUL, once
 * without, and once not at all. */
static void prints_at_each_edge(void **state) {
    (void)state;
    for (int used = 0; used < 70; used++) {
        struct buf b;
        buf_init(&b);
        for (int i = 0; i < used; i++)
            buf_char(&b, 'x');
        buf_printf(&b, "%s", "0123456789");
        assert_int_equal(b.len, used + 10);
        assert_memory_equal(b.data + used, "0123456789", 10);
        buf_deinit(&b);
    }
}

static void prints_long_text(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "%05000d", 7);
    assert_int_equal(b.len, 5000);
    assert_int_equal(b.data[0], '0');
    assert_int_equal(b.data[4999], '7');
    buf_deinit(&b);
}

static void keeps_nul_bytes(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b);
    buf_append(&b, "a\0b", 3);
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "a\0b", 3);
    buf_deinit(&b);
}

static void reserves_room(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b);
    assert_true(buf_reserve(&b, 0));
    assert_true(buf_reserve(&b, 1000));
    assert_true(b.cap - b.len >= 1000);
    const char *before = b.data;
    memset(b.data, 'y', 1000);
    b.len = 1000;
    assert_true(buf_reserve(&b, b.cap - b.len));
    assert_ptr_equal(b.data, before);
    buf_deinit(&b);
}

static void clear_keeps_the_memory(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b);
    buf_str(&b, "something");
    const char *before = b.data;
    buf_clear(&b);
    assert_bytes(&b, "");
    assert_ptr_equal(b.data, before);
    buf_str(&b, "else");
    assert_bytes(&b, "else");
    buf_deinit(&b);
}

static void a_failed_one_stays_failed(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b);
    buf_str(&b, "kept");
    assert_false(buf_reserve(&b, SIZE_MAX / 2));
    assert_true(b.failed);
    assert_false(buf_reserve(&b, 0));
    buf_str(&b, "no");
    buf_char(&b, 'n');
    buf_u64(&b, 1);
    buf_printf(&b, "%d", 1);
    assert_true(b.failed);
    assert_int_equal(b.len, 4);
    buf_clear(&b);
    buf_str(&b, "yes");
    assert_bytes(&b, "yes");
    assert_false(buf_reserve(&b, SIZE_MAX));
    buf_deinit(&b);
    assert_false(b.failed);
    buf_str(&b, "again");
    assert_bytes(&b, "again");
    buf_deinit(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_empty),           cmocka_unit_test(appends_each_kind),
        cmocka_unit_test(appends_numbers),        cmocka_unit_test(grows_and_keeps_the_bytes),
        cmocka_unit_test(prints_at_each_edge),    cmocka_unit_test(prints_long_text),
        cmocka_unit_test(keeps_nul_bytes),        cmocka_unit_test(reserves_room),
        cmocka_unit_test(clear_keeps_the_memory), cmocka_unit_test(a_failed_one_stays_failed),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
