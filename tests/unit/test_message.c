#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/json.h"
#include "gateway/channel/message.h"

/* Parses a copy that ends where the frame ends, so that ASan sees a read beyond it. */
static bool parse_exact(const char *text, size_t len) {
    struct message m;
    char *copy = malloc(len + 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    char *exact = realloc(copy, len == 0 ? 1 : len);
    assert_non_null(exact);
    bool good = message_parse(&m, (struct slice){exact, len});
    if (good) {
        assert_ptr_equal(m.frame.ptr, exact);
        assert_int_equal(m.frame.len, len);
        assert_true(m.data.ptr + m.data.len == exact + len - 1);
    }
    free(exact);
    return good;
}

static void assert_slice(struct slice s, const char *expected) {
    if (!slice_is(s, expected))
        fail_msg("got \"%.*s\", expected \"%s\"", (int)s.len, s.ptr, expected);
}

struct good {
    const char *frame, *channel, *epoch;
    uint64_t seq, time;
    const char *event, *origin, *data;
};
static const struct good good_frames[] = {
    {"{\"channel\":\"room:a\",\"epoch\":\"e1\",\"seq\":7,\"time\":1700000000000001,"
     "\"event\":\"message\",\"origin\":\"n1:2\",\"data\":{\"x\":1}}",
     "\"room:a\"", "e1", 7, 1700000000000001, "message", "n1:2", "{\"x\":1}"},
    {"{\"channel\":\"room:a\",\"epoch\":\"e\",\"seq\":1,\"time\":0,\"event\":\"x\",\"data\":1}",
     "\"room:a\"", "e", 1, 0, "x", "", "1"},
    {"{\"channel\":\"a\",\"seq\":0,\"time\":5,\"event\":\"x\",\"data\":null}", "\"a\"", "", 0,
     5, "x", "", "null"},
    {"{\"channel\":\"a\",\"seq\":0,\"time\":5,\"event\":\"x\",\"origin\":\"o\",\"data\":\"\"}",
     "\"a\"", "", 0, 5, "x", "o", "\"\""},
    {"{\"channel\":\"q\\\"\\\\\",\"epoch\":\"e\",\"seq\":3,\"time\":4,\"event\":\"x\",\"data\":"
     "[]}",
     "\"q\\\"\\\\\"", "e", 3, 4, "x", "", "[]"},
    {"{\"channel\":\"\\u0022,\\\"seq\\\":9\",\"epoch\":\"e\",\"seq\":3,\"time\":4,\"event\":"
     "\"x\",\"data\":[]}",
     "\"\\u0022,\\\"seq\\\":9\"", "e", 3, 4, "x", "", "[]"},
    {"{\"channel\":\"a\",\"epoch\":\"e\",\"seq\":3,\"time\":4,\"event\":\"x\",\"data\":"
     "{\"a\":\"}\",\"b\":\"\\\"}{\",\"data\":{\"c\":\"]\"}}}",
     "\"a\"", "e", 3, 4, "x", "", "{\"a\":\"}\",\"b\":\"\\\"}{\",\"data\":{\"c\":\"]\"}}"},
    {"{\"channel\":\"a\",\"epoch\":\"e\",\"seq\":3,\"time\":4,\"event\":\"x\",\"data\":"
     " \"\\\",\\\"origin\\\":\\\"o\\\"\" }",
     "\"a\"", "e", 3, 4, "x", "", " \"\\\",\\\"origin\\\":\\\"o\\\"\" "},
    {"{\"channel\":\"a\",\"epoch\":\"e\",\"seq\":999999999999999999,\"time\":"
     "999999999999999998,\"event\":\"x\",\"data\":1e400}",
     "\"a\"", "e", 999999999999999999, 999999999999999998, "x", "", "1e400"},
    {"{\"channel\":\"\xc3\xa9\xf0\x9f\x98\x80\",\"epoch\":\"e\",\"seq\":1,\"time\":1,\"event\":"
     "\"x\",\"data\":\"\xc3\xa9\"}",
     "\"\xc3\xa9\xf0\x9f\x98\x80\"", "e", 1, 1, "x", "", "\"\xc3\xa9\""},
};
#define GOOD_COUNT (sizeof good_frames / sizeof *good_frames)

static void takes_good_frames_apart(void **state) {
    (void)state;
    for (size_t i = 0; i < GOOD_COUNT; i++) {
        const struct good *g = &good_frames[i];
        struct message m;
        memset(&m, 0x5a, sizeof m);
        assert_true(message_parse(&m, slice_of(g->frame)));
        assert_ptr_equal(m.frame.ptr, g->frame);
        assert_int_equal(m.frame.len, strlen(g->frame));
        assert_slice(m.channel, g->channel);
        assert_slice(m.epoch, g->epoch);
        assert_true(m.seq == g->seq);
        assert_true(m.time == g->time);
        assert_slice(m.event, g->event);
        assert_slice(m.origin, g->origin);
        assert_slice(m.data, g->data);
        assert_int_equal(m.ephemeral, g->seq == 0);
        for (int codec = 0; codec < CODEC_COUNT; codec++)
            assert_null(m.encoded[codec].plain.slab);
    }
}

/* The data is not looked into, so a prefix that ends in a brace of the data looks whole. Every
 * other one must be refused. */
static void refuses_each_prefix(void **state) {
    (void)state;
    for (size_t i = 0; i < GOOD_COUNT; i++) {
        const char *frame = good_frames[i].frame;
        size_t data = strlen(frame) - 1 - strlen(good_frames[i].data);
        for (size_t len = 0; len < strlen(frame); len++) {
            bool looks_whole = len >= data + 2 && frame[len - 1] == '}';
            assert_int_equal(parse_exact(frame, len), looks_whole);
        }
        assert_true(parse_exact(frame, strlen(frame)));
    }
}

/* Each byte of a frame replaced by some that mean something: refused or taken, never a crash.
 */
static void survives_each_changed_byte(void **state) {
    (void)state;
    static const char bytes[] = "\"\\{}[],:0n\0\xff";
    for (size_t i = 0; i < GOOD_COUNT; i++) {
        size_t len = strlen(good_frames[i].frame);
        char copy[512];
        assert_true(len < sizeof copy);
        for (size_t at = 0; at < len; at++) {
            for (size_t b = 0; b < sizeof bytes - 1; b++) {
                memcpy(copy, good_frames[i].frame, len);
                copy[at] = bytes[b];
                parse_exact(copy, len);
            }
        }
    }
}

static void refuses_other_shapes(void **state) {
    (void)state;
    static const char *const bad[] = {
        /* no frame at all */
        "",
        "{",
        "{}",
        "null",
        "{\"channel\":",
        "\"channel\"",
        /* white space */
        " {\"channel\":\"a\",\"seq\":0,\"time\":5,\"event\":\"x\",\"data\":1}",
        "{ \"channel\":\"a\",\"seq\":0,\"time\":5,\"event\":\"x\",\"data\":1}",
        "{\"channel\": \"a\",\"seq\":0,\"time\":5,\"event\":\"x\",\"data\":1}",
        "{\"channel\":\"a\",\"seq\":0,\"time\":5,\"event\":\"x\",\"data\":1}\n",
        /* the order */
        "{\"seq\":0,\"channel\":\"a\",\"time\":5,\"event\":\"x\",\"data\":1}",
        "{\"channel\":\"a\",\"seq\":1,\"epoch\":\"e\",\"time\":5,\"event\":\"x\",\"data\":1}",
        "{\"channel\":\"a\",\"time\":5,\"seq\":0,\"event\":\"x\",\"data\":1}",
        "{\"channel\":\"a\",\"seq\":0,\"event\":\"x\",\"time\":5,\"data\":1}",
        "{\"channel\":\"a\",\"seq\":0,\"time\":5,\"origin\":\"o\",\"event\":\"x\",\"data\":1}",
        "{\"channel\":\"a\",\"seq\":0,\"time\":5,\"data\":1,\"event\":\"x\"}",
        /* something missing */
        "{\"epoch\":\"e\",\"seq\":1,\"time\":5,\"event\":\"x\",\"data\":1}",
        "{\"channel\":\"a\",\"time\":5,\"event\":\"x\",\"data\":1}",
        "{\"channel\":\"a\",\"seq\":0,\"event\":\"x\",\"data\":1}",
        "{\"channel\":\"a\",\"seq\":0,\"time\":5,\"data\":1}",
        "{\"channel\":\"a\",\"seq\":0,\"time\":5,\"event\":\"x\"}",
        "{\"channel\":\"a\",\"seq\":0,\"time\":5,\"event\":\"x\",\"data\":}",
        "{\"channel\":\"a\",\"seq\":0,\"time\":5,\"event\":\"x\",\"data\":1]",
        /* seq 0 has no epoch, any other has one */
        "{\"channel\":\"a\",\"seq\":1,\"time\":5,\"event\":\"x\",\"data\":1}",
        "{\"channel\":\"a\",\"epoch\":\"e\",\"seq\":0,\"time\":5,\"event\":\"x\",\"data\":1}",
        "{\"channel\":\"a\",\"epoch\":\"\",\"seq\":1,\"time\":5,\"event\":\"x\",\"data\":1}",
        /* wrong types */
        "{\"channel\":1,\"seq\":0,\"time\":5,\"event\":\"x\",\"data\":1}",
        "{\"channel\":\"a\",\"epoch\":1,\"seq\":1,\"time\":5,\"event\":\"x\",\"data\":1}",
        "{\"channel\":\"a\",\"seq\":\"0\",\"time\":5,\"event\":\"x\",\"data\":1}",
        "{\"channel\":\"a\",\"seq\":-1,\"time\":5,\"event\":\"x\",\"data\":1}",
        "{\"channel\":\"a\",\"seq\":,\"time\":5,\"event\":\"x\",\"data\":1}",
        "{\"channel\":\"a\",\"seq\":0.0,\"time\":5,\"event\":\"x\",\"data\":1}",
        "{\"channel\":\"a\",\"seq\":0,\"time\":1e3,\"event\":\"x\",\"data\":1}",
        "{\"channel\":\"a\",\"seq\":0,\"time\":5,\"event\":x,\"data\":1}",
        /* words are plain */
        "{\"channel\":\"a\",\"epoch\":\"\\u0065\",\"seq\":1,\"time\":5,\"event\":\"x\","
        "\"data\":1}",
        "{\"channel\":\"a\",\"seq\":0,\"time\":5,\"event\":\"\\n\",\"data\":1}",
        "{\"channel\":\"a\",\"seq\":0,\"time\":5,\"event\":\"x\",\"origin\":\"\\\"\",\"data\":"
        "1}",
        /* 19 digits; and so many that they wrap around to a small number */
        "{\"channel\":\"a\",\"epoch\":\"e\",\"seq\":1000000000000000000,\"time\":5,\"event\":"
        "\"x\",\"data\":1}",
        "{\"channel\":\"a\",\"seq\":0,\"time\":1000000000000000000,\"event\":\"x\",\"data\":1}",
        "{\"channel\":\"a\",\"epoch\":\"e\",\"seq\":18446744073709551617,\"time\":5,\"event\":"
        "\"x\",\"data\":1}",
        "{\"channel\":\"a\",\"epoch\":\"e\",\"seq\":"
        "11111111111111111111111111111111111111111111,"
        "\"time\":5,\"event\":\"x\",\"data\":1}",
        /* a channel's string that does not end */
        "{\"channel\":\"a\\\",\"seq\":0,\"time\":5,\"event\":\"x\",\"data\":1}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (parse_exact(bad[i], strlen(bad[i])))
            fail_msg("accepted: %s", bad[i]);
    }
}

/* --- frames that are built ------------------------------------------------------------------
 */

/* message_parse accepts texts that are no entry of a log, because it does not look into the
 * data. */
static void looks_into_an_entry(void **state) {
    static const char head[] =
        "{\"channel\":\"a\",\"epoch\":\"e\",\"seq\":3,\"time\":4,\"event\":\"x\",\"data\":";
    static const char *const bad[] = {"{\"a\":]}", "\"abc", "\"\xff\"", "1,", "{}{}", "\"\n\""};
    char text[200];
    struct message m;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "%s%s}", head, bad[i]);
        assert_true(message_parse(&m, slice_of(text)));
        assert_false(message_parse_entry(&m, slice_of(text)));
    }
    snprintf(text, sizeof text, "%s{\"a\":[1.0]}}", head);
    assert_true(message_parse_entry(&m, slice_of(text)));
    assert_slice(m.data, "{\"a\":[1.0]}");
    assert_false(message_parse_entry(&m, SLICE("junk")));
    assert_false(message_parse_entry(&m, (struct slice){NULL, 0}));
}

static void parse_frame(const struct buf *frame, struct json_value fields[6]) {
    static const char *const names[] = {"channel", "seq", "time", "event", "data", "epoch"};
    struct json_value root;
    assert_int_equal(json_parse(buf_bytes(frame), &root), JSON_OK);
    json_fields(root, names, fields, 6);
}

static void builds_a_bare_event(void **state) {
    (void)state;
    static const char *const data[] = {"{}", "null", "{\"a\":\"}\\\"\"}", "[1,2]"};
    for (size_t i = 0; i < 4; i++) {
        struct message m;
        struct buf frame;
        struct json_value fields[6];
        char expected[64];
        buf_init(&frame);
        memset(&m, 0x5a, sizeof m);
        assert_true(message_bare(&m, &frame, "user_online", slice_of(data[i])));
        snprintf(expected, sizeof expected, "{\"event\":\"user_online\",\"data\":%s}", data[i]);
        assert_slice(m.frame, expected);
        assert_slice(m.event, "user_online");
        assert_slice(m.data, data[i]);
        assert_true(m.data.ptr > frame.data && m.data.ptr < frame.data + frame.len);
        assert_int_equal(m.channel.len, 0);
        assert_int_equal(m.epoch.len, 0);
        assert_true(m.ephemeral);
        assert_true(m.seq == 0);
        assert_null(m.encoded[CODEC_JSON].plain.slab);
        parse_frame(&frame, fields);
        assert_slice(fields[3].raw, "\"user_online\"");
        assert_slice(fields[4].raw, data[i]);
        assert_int_equal(fields[0].type, JSON_NONE);
        buf_deinit(&frame);
    }
}

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void check_built(const struct message *m, const struct buf *frame, const char *channel,
                        const char *event, uint64_t from) {
    struct json_value fields[6];
    char name[200];
    uint64_t number;
    parse_frame(frame, fields);
    ptrdiff_t len = json_decode(fields[0], name, sizeof name);
    assert_int_equal(len, strlen(channel));
    assert_memory_equal(name, channel, (size_t)len);
    assert_true(slice_eq(m->channel, fields[0].raw));
    assert_true(json_uint64(fields[1], &number) && number == 0 && m->seq == 0);
    assert_true(json_uint64(fields[2], &number) && number == m->time);
    assert_true(m->time >= from && m->time <= now_us());
    assert_slice(m->event, event);
    assert_true(slice_eq(m->data, fields[4].raw));
    assert_int_equal(fields[5].type, JSON_NONE);
    assert_true(m->ephemeral);
    assert_true(slice_eq(m->frame, buf_bytes(frame)));
}

static const char *const channels[] = {"a",           "room:b",   "with\"quote",
                                       "back\\slash", "\xc3\xa9", "raw/\xf0\x9f\x98\x80"};
#define CHANNEL_COUNT (sizeof channels / sizeof *channels)

static void builds_an_ephemeral_event(void **state) {
    (void)state;
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        struct message m;
        struct buf frame;
        uint64_t from = now_us();
        buf_init(&frame);
        assert_true(message_ephemeral(&m, &frame, slice_of(channels[i]), "typing",
                                      SLICE("{\"who\":\"}\\\"{\"}")));
        check_built(&m, &frame, channels[i], "typing", from);
        assert_slice(m.data, "{\"who\":\"}\\\"{\"}");
        buf_deinit(&frame);
    }
}

static void builds_around_a_text(void **state) {
    (void)state;
    static const char text[] = "a \"b\" \\ {c}\n\t\x01\x7f \xe2\x82\xac end\0after";
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        for (size_t len = 0; len < sizeof text; len++) {
            if (len > 15 && len < 19)
                continue; /* inside of a character */
            struct message m;
            struct buf frame;
            char back[64];
            uint64_t from = now_us();
            buf_init(&frame);
            bool built =
                message_text(&m, &frame, slice_of(channels[i]), (struct slice){text, len});
            assert_true(built);
            check_built(&m, &frame, channels[i], "message", from);
            struct json_value data = {JSON_STRING, m.data};
            assert_int_equal(json_decode(data, back, sizeof back), len);
            assert_memory_equal(back, text, len);
            buf_deinit(&frame);
        }
    }
}

static void done_lets_go_once(void **state) {
    (void)state;
    struct slabs slabs = {0};
    struct message m;
    assert_true(message_parse(&m, slice_of(good_frames[0].frame)));
    message_done(&m, &slabs);
    assert_non_null(slabs_reserve(&slabs, 4));
    m.encoded[CODEC_JSON] = frame_of(slabs_commit(&slabs, 4));
    assert_int_equal(slabs.current[SLAB_PLAIN]->refs, 2);
    message_done(&m, &slabs);
    assert_null(m.encoded[CODEC_JSON].plain.slab);
    assert_int_equal(slabs.current[SLAB_PLAIN]->refs, 1);
    message_done(&m, &slabs);
    assert_int_equal(slabs.current[SLAB_PLAIN]->refs, 1);
    slabs_deinit(&slabs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_good_frames_apart),    cmocka_unit_test(refuses_each_prefix),
        cmocka_unit_test(survives_each_changed_byte), cmocka_unit_test(refuses_other_shapes),
        cmocka_unit_test(looks_into_an_entry),        cmocka_unit_test(builds_a_bare_event),
        cmocka_unit_test(builds_an_ephemeral_event),  cmocka_unit_test(builds_around_a_text),
        cmocka_unit_test(done_lets_go_once),
    };
    return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
