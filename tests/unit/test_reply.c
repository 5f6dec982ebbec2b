#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "gateway/redis/reply.h"

#define BIG 100000

/* Of AddressSanitizer, with which all unit programs are built. */
size_t __sanitizer_get_current_allocated_bytes(void);

/* Prints a reply, so that one comparison checks all of it: s(..) t(..) e(..) i(..) n [..]. */
static void print_reply(struct buf *out, const struct reply *r) {
    static const char kinds[] = {'s', 't', 'e'};
    if (r->type == REPLY_ARRAY) {
        buf_char(out, '[');
        for (size_t i = 0; i < r->count; i++)
            print_reply(out, r->items[i]);
        buf_char(out, ']');
    } else if (r->type == REPLY_NIL) {
        buf_char(out, 'n');
    } else if (r->type == REPLY_INTEGER) {
        buf_printf(out, "i(%lld)", r->integer);
    } else if (r->text.len > 1000) {
        unsigned sum = 0;
        for (size_t i = 0; i < r->text.len; i++)
            sum = sum * 31 + (unsigned char)r->text.ptr[i];
        buf_printf(out, "%c(%zu bytes, %u)", kinds[r->type], r->text.len, sum);
    } else {
        buf_char(out, kinds[r->type]);
        buf_char(out, '(');
        buf_slice(out, r->text);
        buf_char(out, ')');
        assert_int_equal(r->text.ptr[r->text.len], '\0');
    }
}

/* Takes all whole replies; returns the last verdict, 0 or -1. */
static int drain(struct reply_reader *r, struct buf *out) {
    for (;;) {
        const struct reply *reply;
        int got = reply_reader_next(r, &reply);
        if (got != 1)
            return got;
        print_reply(out, reply);
        buf_char(out, ' ');
    }
}

static const char stream[] = "+OK\r\n"
                             "-ERR no such thing\r\n"
                             ":0\r\n"
                             ":-42\r\n"
                             ":9223372036854775807\r\n"
                             "$5\r\nhello\r\n"
                             "$0\r\n\r\n"
                             "$-1\r\n"
                             "*-1\r\n"
                             "*0\r\n"
                             "+\r\n"
                             "$6\r\na\r\nb\0c\r\n"
                             "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\n{}\r\n"
                             "*5\r\n:1\r\n*2\r\n+in\r\n*1\r\n*0\r\n$-1\r\n*-1\r\n-WRONG x\r\n"
                             ":7\r\n";
static const char expected[] = "t(OK) e(ERR no such thing) i(0) i(-42) i(9223372036854775807) "
                               "s(hello) s() n n [] t() s(a\r\nb\0c) [s(message)s(c)s({})] "
                               "[i(1)[t(in)[[]]]nne(WRONG x)] i(7) ";

static void check_printed(struct buf *out) {
    assert_int_equal(out->len, sizeof expected - 1);
    assert_memory_equal(out->data, expected, sizeof expected - 1);
    buf_deinit(out);
}

static void reads_each_kind_at_once(void **state) {
    (void)state;
    struct reply_reader *r = reply_reader_create();
    struct buf out;
    buf_init(&out);
    assert_true(reply_reader_feed(r, stream, sizeof stream - 1));
    assert_int_equal(drain(r, &out), 0);
    check_printed(&out);
    reply_reader_destroy(r);
}

/* Fed in two parts, cut at each byte, and byte for byte; asked for a reply after each part. */
static void reads_each_split(void **state) {
    (void)state;
    size_t len = sizeof stream - 1;
    for (size_t cut = 0; cut <= len; cut++) {
        struct reply_reader *r = reply_reader_create();
        struct buf out;
        buf_init(&out);
        assert_true(reply_reader_feed(r, stream, cut));
        assert_int_equal(drain(r, &out), 0);
        assert_true(reply_reader_feed(r, stream + cut, len - cut));
        assert_int_equal(drain(r, &out), 0);
        check_printed(&out);
        reply_reader_destroy(r);
    }
    for (size_t step = 1; step <= 7; step++) {
        struct reply_reader *r = reply_reader_create();
        struct buf out;
        buf_init(&out);
        for (size_t at = 0; at < len; at += step) {
            size_t part = len - at < step ? len - at : step;
            char *copy = malloc(part); /* the reader keeps none of what it was fed */
            assert_non_null(copy);
            memcpy(copy, stream + at, part);
            assert_true(reply_reader_feed(r, copy, part));
            free(copy);
            assert_int_equal(drain(r, &out), 0);
        }
        check_printed(&out);
        reply_reader_destroy(r);
    }
}

static void put_big(struct buf *b, unsigned seed) {
    buf_printf(b, "$%d\r\n", BIG);
    for (unsigned i = 0; i < BIG; i++)
        buf_char(b, (char)(i * 7 + i / 256 + seed));
    buf_str(b, "\r\n");
}

/* Larger than an arena block, alone and beside small ones in one array, again and again. */
static void reads_big_strings(void **state) {
    (void)state;
    static const size_t parts[] = {1000, 16384, 65536, SIZE_MAX};
    struct buf in;
    struct buf whole;
    buf_init(&in);
    buf_init(&whole);
    for (unsigned i = 0; i < 4; i++) {
        put_big(&in, i);
        buf_str(&in, "*3\r\n:1\r\n");
        put_big(&in, i);
        buf_str(&in, "*2\r\n$2\r\nok\r\n+x\r\n");
        buf_str(&in, "$1\r\ny\r\n");
    }
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        struct reply_reader *r = reply_reader_create();
        struct buf out;
        buf_init(&out);
        for (size_t at = 0; at < in.len;) {
            size_t part = in.len - at < parts[p] ? in.len - at : parts[p];
            assert_true(reply_reader_feed(r, in.data + at, part));
            assert_int_equal(drain(r, &out), 0);
            at += part;
        }
        if (p == 0)
            buf_slice(&whole, buf_bytes(&out));
        assert_true(slice_eq(buf_bytes(&out), buf_bytes(&whole)));
        buf_deinit(&out);
        reply_reader_destroy(r);
    }
    unsigned sum = 0; /* of the first: seed 0 */
    char text[64];
    for (unsigned i = 0; i < BIG; i++)
        sum = sum * 31 + (unsigned char)(i * 7 + i / 256);
    int len = snprintf(text, sizeof text, "s(%d bytes, %u) [i(1)s(", BIG, sum);
    assert_memory_equal(whole.data, text, (size_t)len);
    buf_deinit(&whole);
    buf_deinit(&in);
}

static void reads_long_and_deep_arrays(void **state) {
    (void)state;
    struct buf in;
    struct reply_reader *r = reply_reader_create();
    const struct reply *reply;
    buf_init(&in);
    buf_str(&in, "*20000\r\n");
    for (int i = 0; i < 20000; i++)
        buf_printf(&in, ":%d\r\n", i);
    buf_str(&in, "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n$4\r\ndeep\r\n");
    for (size_t at = 0; at < in.len; at += 16384)
        assert_true(
            reply_reader_feed(r, in.data + at, in.len - at < 16384 ? in.len - at : 16384));
    assert_int_equal(reply_reader_next(r, &reply), 1);
    assert_int_equal(reply->count, 20000);
    for (size_t i = 0; i < 20000; i++)
        assert_int_equal(reply_number(reply_item(reply, i)), i);
    assert_int_equal(reply_reader_next(r, &reply), 1);
    for (int i = 0; i < 5; i++)
        reply = reply_item(reply, 0);
    assert_true(slice_is(reply_text(reply), "deep"));
    assert_int_equal(reply_reader_next(r, &reply), 0);
    buf_deinit(&in);
    reply_reader_destroy(r);
}

/* Around each length at which an array gets more room; each item is an array, too. */
static void reads_arrays_of_each_length(void **state) {
    (void)state;
    struct reply_reader *r = reply_reader_create();
    const struct reply *reply;
    struct buf in;
    buf_init(&in);
    for (size_t count = 60; count < 600; count++) {
        buf_clear(&in);
        buf_printf(&in, "*%zu\r\n", count);
        for (size_t i = 0; i < count; i++)
            buf_printf(&in, "*2\r\n$-1\r\n:%zu\r\n", i);
        assert_true(reply_reader_feed(r, in.data, in.len));
        assert_int_equal(reply_reader_next(r, &reply), 1);
        assert_int_equal(reply->count, count);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(reply_number(reply_item(reply_item(reply, i), 1)), i);
        assert_int_equal(reply_item(reply, count)->type, REPLY_NIL);
    }
    buf_deinit(&in);
    reply_reader_destroy(r);
}

/* Memory is taken for what has come. */
static void an_announced_length_takes_no_memory(void **state) {
    (void)state;
    static const char head[] = "*2000000000\r\n*2000000000\r\n:1\r\n";
    const struct reply *reply;
    size_t before = __sanitizer_get_current_allocated_bytes();
    struct reply_reader *r = reply_reader_create();
    assert_true(reply_reader_feed(r, head, sizeof head - 1));
    assert_int_equal(reply_reader_next(r, &reply), 0);
    assert_true(__sanitizer_get_current_allocated_bytes() - before < 100000);
    reply_reader_destroy(r);
}

/* A reply holds while more is fed, until the next call of reply_reader_next. */
static void a_reply_holds_until_the_next(void **state) {
    (void)state;
    struct reply_reader *r = reply_reader_create();
    const struct reply *reply;
    assert_true(reply_reader_feed(r, "*2\r\n$5\r\nfirst\r\n+x\r\n$3\r\nsec", 27));
    assert_int_equal(reply_reader_next(r, &reply), 1);
    assert_true(reply_reader_feed(r, "\r\n", 2));
    assert_int_equal(reply->count, 2);
    assert_true(slice_is(reply_text(reply_item(reply, 0)), "first"));
    assert_int_equal(reply_reader_next(r, &reply), 1);
    assert_true(slice_is(reply_text(reply), "sec"));
    reply_reader_destroy(r);
}

static void a_copy_outlives_the_reader(void **state) {
    struct buf first, second;
    struct reply *copies[32];
    size_t count = 0;
    (void)state;
    buf_init(&first);
    buf_init(&second);
    struct reply_reader *reader = reply_reader_create();
    const struct reply *reply;
    assert_true(reply_reader_feed(reader, stream, strlen(stream)));
    while (reply_reader_next(reader, &reply) == 1) {
        assert_true(count < sizeof copies / sizeof *copies);
        copies[count] = reply_copy(reply);
        assert_non_null(copies[count++]);
        print_reply(&first, reply);
    }
    reply_reader_destroy(reader);
    for (size_t i = 0; i < count; i++) {
        print_reply(&second, copies[i]);
        free(copies[i]);
    }
    assert_true(count > 5 && slice_eq(buf_bytes(&first), buf_bytes(&second)));
    buf_deinit(&first);
    buf_deinit(&second);
}

static void refuses_garbage(void **state) {
    (void)state;
    static const char *const bad[] = {
        "hello\r\n",
        "\r\n",
        "HTTP/1.1 400 Bad Request\r\n",
        "$x\r\n",
        ":\r\n",
        "*x\r\n",
        ":12a\r\n",
        "*1\r\nx\r\n",
        "$-2\r\n",
        "*-2\r\n",
        "*2\r\n+a\r\nb",
        ": 1\r\n",
        "$99999999999999999999\r\n",
        "*1\r\n$z\r\n",
        ":9223372036854775808\r\n",
        "#t\r\n", /* RESP3 */
        ",1.5\r\n",
        "*2\r\n:1\r\n#f\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (size_t step = 1; step < 40; step += 38) {
            struct reply_reader *r = reply_reader_create();
            struct buf out;
            int got = 0;
            buf_init(&out);
            assert_true(reply_reader_feed(r, "+good\r\n", 7));
            size_t len = strlen(bad[i]);
            for (size_t at = 0; at < len && got == 0; at += step) {
                reply_reader_feed(r, bad[i] + at, len - at < step ? len - at : step);
                got = drain(r, &out);
            }
            if (got != -1)
                fail_msg("taken: %s", bad[i]);
            assert_true(slice_is(buf_bytes(&out), "t(good) "));
            buf_deinit(&out);
            reply_reader_destroy(r);
        }
    }
}

/* A reply that is under way when a connection dies is freed whole. */
static void can_be_destroyed_at_each_byte(void **state) {
    (void)state;
    for (size_t cut = 0; cut < sizeof stream; cut++) {
        struct reply_reader *r = reply_reader_create();
        const struct reply *reply;
        assert_true(reply_reader_feed(r, stream, cut));
        while (reply_reader_next(r, &reply) == 1)
            continue;
        reply_reader_destroy(r);
    }
    reply_reader_destroy(reply_reader_create());
    reply_reader_destroy(NULL);
}

static struct reply text_reply(enum reply_type type, const char *text) {
    return (struct reply){.type = type, .text = slice_of(text)};
}

static void numbers_are_read_from_all_kinds(void **state) {
    (void)state;
    static const struct {
        const char *text;
        long long number;
    } table[] = {{"0", 0},
                 {"7", 7},
                 {"-7", -7},
                 {"007", 7},
                 {"1700000000000001", 1700000000000001},
                 {"99999999999999999", 99999999999999999},
                 {"-99999999999999999", -99999999999999999},
                 {"", 0},
                 {"-", 0},
                 {"x", 0},
                 {"1x", 0},
                 {"x1", 0},
                 {" 1", 0},
                 {"1 ", 0},
                 {"+1", 0},
                 {"--1", 0},
                 {"1.5", 0},
                 {"1e3", 0}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct reply string = text_reply(REPLY_STRING, table[i].text);
        struct reply status = text_reply(REPLY_STATUS, table[i].text);
        struct reply error = text_reply(REPLY_ERROR, table[i].text);
        assert_true(reply_number(&string) == table[i].number);
        assert_true(reply_number(&status) == table[i].number);
        assert_true(reply_number(&error) == 0);
    }
    struct reply integer = {.type = REPLY_INTEGER, .integer = LLONG_MIN};
    assert_true(reply_number(&integer) == LLONG_MIN);
    struct reply empty = {.type = REPLY_ARRAY};
    assert_true(reply_number(&empty) == 0);
    assert_true(reply_number(reply_item(&empty, 0)) == 0);
}

/* More digits than fit: the right number or 0, never other digits. */
static void long_numbers_are_not_cut(void **state) {
    (void)state;
    static const struct {
        const char *text;
        long long number;
    } table[] = {{"999999999999999999", 999999999999999999},
                 {"-999999999999999999", -999999999999999999},
                 {"1234567890123456789", 1234567890123456789},
                 {"9223372036854775807", LLONG_MAX},
                 {"12345678901234567x9", 0},
                 {"123456789012345678x", 0},
                 {"99999999999999999999", 0},
                 {"111111111111111111111111111111111111", 0}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct reply r = text_reply(REPLY_STRING, table[i].text);
        long long n = reply_number(&r);
        if (n != table[i].number && n != 0)
            fail_msg("%s became %lld", table[i].text, n);
    }
}

static void items_and_texts_need_no_check(void **state) {
    (void)state;
    struct reply a = text_reply(REPLY_STRING, "a");
    struct reply *items[] = {&a, &a};
    struct reply array = {.type = REPLY_ARRAY, .count = 2, .items = items};
    assert_ptr_equal(reply_item(&array, 1), &a);
    assert_int_equal(reply_item(&array, 2)->type, REPLY_NIL);
    assert_int_equal(reply_item(&array, SIZE_MAX)->type, REPLY_NIL);
    assert_int_equal(reply_item(&a, 0)->type, REPLY_NIL);
    assert_int_equal(reply_item(NULL, 0)->type, REPLY_NIL);
    assert_int_equal(reply_item(reply_item(reply_item(&array, 9), 9), 9)->type, REPLY_NIL);
    struct reply error = text_reply(REPLY_ERROR, "ERR");
    struct reply status = text_reply(REPLY_STATUS, "OK");
    assert_true(slice_is(reply_text(&a), "a"));
    assert_true(slice_is(reply_text(&status), "OK"));
    assert_int_equal(reply_text(&error).len, 0);
    assert_int_equal(reply_text(&array).len, 0);
    assert_int_equal(reply_text(reply_item(NULL, 0)).len, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_each_kind_at_once),
        cmocka_unit_test(reads_each_split),
        cmocka_unit_test(reads_big_strings),
        cmocka_unit_test(reads_long_and_deep_arrays),
        cmocka_unit_test(reads_arrays_of_each_length),
        cmocka_unit_test(an_announced_length_takes_no_memory),
        cmocka_unit_test(a_reply_holds_until_the_next),
        cmocka_unit_test(a_copy_outlives_the_reader),
        cmocka_unit_test(refuses_garbage),
        cmocka_unit_test(can_be_destroyed_at_each_byte),
        cmocka_unit_test(numbers_are_read_from_all_kinds),
        cmocka_unit_test(long_numbers_are_not_cut),
        cmocka_unit_test(items_and_texts_need_no_check),
    };
    return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
