#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/session/offset.h"

static unsigned partitions = 1;

/* Parses a copy with no byte after it, so that a read past its end is found. */
static bool parse(struct offset *o, const char *text, size_t len) {
    static char *copy;
    free(copy);
    copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    *o = (struct offset){.plain = true};
    return offset_parse(o, (struct slice){copy, len}, partitions);
}

static bool parse_text(struct offset *o, const char *text) {
    return parse(o, text, strlen(text));
}

static void plain(void **state) {
    struct offset o;
    (void)state;
    assert_true(parse_text(&o, "660c6e01cfd24.1f.k3f9.room:a.b"));
    assert_true(o.plain && o.given);
    assert_int_equal(o.time, 0x660c6e01cfd24);
    assert_int_equal(o.count, 1);
    const struct mark *m = offset_mark(&o, SLICE("room:a.b"));
    assert_non_null(m);
    assert_int_equal(m->at.seq, 0x1f);
    assert_string_equal(m->at.epoch, "k3f9");
    assert_null(offset_mark(&o, SLICE("room:a")));
}

static void with_positions(void **state) {
    struct offset o;
    (void)state;
    assert_true(parse_text(&o, "~0.deadbeef.1.e1.user:x ff.e2.room:\"y\\ 3.e3.topic:z"));
    assert_false(o.plain);
    assert_int_equal(o.time, 0);
    assert_int_equal(o.term, 0xdeadbeef);
    assert_int_equal(o.count, 3);
    assert_int_equal(offset_mark(&o, SLICE("room:\"y\\"))->at.seq, 0xff);
    assert_int_equal(offset_mark(&o, SLICE("topic:z"))->at.seq, 3);
}

static void with_partitions(void **state) {
    struct offset o;
    (void)state;
    partitions = 3;
    assert_true(parse_text(&o, "*201.AAAB_hB-.7.a.room:x"));
    assert_true(o.plain && o.given);
    assert_int_equal(o.time, 0x201);
    assert_int_equal(o.tides[0].time, 0x201);
    assert_int_equal(o.tides[0].term, 0);
    assert_int_equal(o.tides[1].time, 0x211);
    assert_int_equal(o.tides[1].term, 64 + 62);
    assert_int_equal(o.tides[2].time, 0);
    assert_int_equal(offset_mark(&o, SLICE("room:x"))->at.seq, 7);
    assert_true(parse_text(&o, "+201.beef.---.7.a.room:x 8.b.topic:y"));
    assert_false(o.plain);
    assert_int_equal(o.term, 0xbeef);
    assert_int_equal(offset_mark(&o, SLICE("topic:y"))->at.seq, 8);
    static const char *const wrong[] = {"201.7.a.room:x",
                                        "~201.1.7.a.room:x",
                                        "*201.--.7.a.room:x",
                                        "*201.----.7.a.room:x",
                                        "*201.7.a.room:x",
                                        "*201.AA---.7.a.room:x",
                                        "*201.AAh.--.7.a.room:x",
                                        "*201.AAA--7.a.room:x",
                                        "*201.AA!--.7.a.room:x",
                                        "*1.AAC--.7.a.room:x",
                                        "*201.---.7.a.x 8.b.y",
                                        "+201.---.7.a.room:x",
                                        "*201.AAhhhhhhhhhhhhhB--.7.a.room:x",
                                        "*201.AA",
                                        "*201.A",
                                        "*201.",
                                        "*",
                                        "+"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(parse_text(&o, wrong[i]));
    partitions = 1;
    assert_false(parse_text(&o, "*201.7.a.room:x"));
    assert_false(parse_text(&o, "+201.1.7.a.room:x"));
}

static void tides_are_read_as_they_were_written(void **state) {
    static const uint64_t apart[] = {0,         1, 15, 16, 1000000, 1ULL << 28, 86400000000ULL,
                                     1ULL << 50};
    const uint64_t time = 1ULL << 51;
    (void)state;
    for (size_t i = 0; i < sizeof apart / sizeof *apart; i++) {
        const struct tide tides[] = {
            {.time = time - apart[i], .term = 4095, .settled = true},
            {.time = time + apart[i], .term = 1, .settled = true},
            {.time = time, .settled = false},
        };
        struct tide_said said[3];
        struct buf text;
        buf_init(&text);
        tides_put(&text, tides, 3, time);
        struct slice at = buf_bytes(&text);
        if (apart[i] < 1 << 28) /* 4 minutes */
            assert_true(text.len <= 2 * 8 + 1);
        assert_true(tides_take(&at, said, 3, time));
        assert_int_equal(at.len, 0);
        assert_int_equal(said[0].time, time - apart[i]);
        assert_int_equal(said[1].time, time + apart[i]);
        assert_int_equal(said[0].term, 4095);
        assert_int_equal(said[1].term, 1);
        assert_int_equal(said[2].time, 0);
        buf_deinit(&text);
    }
}

static void refused(void **state) {
    static const char *const wrong[] = {"",
                                        "!",
                                        "~",
                                        ".",
                                        "1",
                                        "1.",
                                        "1.2",
                                        "1.2.e",
                                        "1.2.e.",
                                        "1.2..c",
                                        "1..e.c",
                                        ".2.e.c",
                                        "x.2.e.c",
                                        "1.x.e.c",
                                        "A.2.e.c",
                                        "-1.2.e.c",
                                        "1.2.sixteen-letters-.c",
                                        "20000000000001.2.e.c",
                                        "1.11111111111111111.e.c",
                                        "1.2.e.c ",
                                        "1.2.e.c d",
                                        "1.2.e.c 3.e.d",
                                        "~1.2.e.c",
                                        "~1.x.2.e.c",
                                        "~1.100000002.2.e.c",
                                        "~1.2.3.e.c ",
                                        "~1.2.3.e.c 4.e",
                                        " 1.2.e.c",
                                        "42",
                                        "hello",
                                        "{\"pid\":1}",
                                        "1.2.e. c"};
    struct offset o;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (parse_text(&o, wrong[i]))
            fail_msg("\"%s\" was taken", wrong[i]);
    }
}

static void bytes_and_ends(void **state) {
    static const char whole[] = "~660c6e01cfd24.deadbeef.1.e1.user:x ff.e2.room:y";
    struct offset o;
    (void)state;
    for (size_t len = 0; len < sizeof whole; len++) {
        bool taken = parse(&o, whole, len);
        assert_true(!taken || o.count > 0);
        for (int c = 0; c < 256; c++) {
            char text[sizeof whole];
            memcpy(text, whole, sizeof whole);
            text[len] = (char)c;
            parse(&o, text, sizeof whole - 1);
        }
    }
    assert_false(parse(&o, "1.\0xxxxxxxxxxxx", 15));
}

/* If an epoch ended at a NUL, these would be other epochs, or empty. */
static void nul_in_epoch(void **state) {
    struct offset o;
    (void)state;
    assert_false(parse(&o, "1.2.\0.c", 8));
    assert_false(parse(&o, "1.2.e\0.c", 9));
    assert_false(parse(&o, "~1.2.3.e.c 4.\0.d", 17));
}

static void too_many(void **state) {
    char text[4096] = "~1.1";
    struct offset o;
    (void)state;
    size_t len = strlen(text);
    for (int i = 0; i < OFFSET_MARKS_MOST; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%c%x.e.c%d", i > 0 ? ' ' : '.',
                                i, i);
    assert_true(parse(&o, text, len));
    assert_int_equal(o.count, OFFSET_MARKS_MOST);
    len += (size_t)snprintf(text + len, sizeof text - len, " 1.e.more");
    assert_false(parse(&o, text, len));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(plain),
                                       cmocka_unit_test(with_positions),
                                       cmocka_unit_test(with_partitions),
                                       cmocka_unit_test(tides_are_read_as_they_were_written),
                                       cmocka_unit_test(refused),
                                       cmocka_unit_test(bytes_and_ends),
                                       cmocka_unit_test(nul_in_epoch),
                                       cmocka_unit_test(too_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
