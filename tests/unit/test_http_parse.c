#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/list.h"
#include "gateway/net/http_parse.h"
#include "gateway/net/http_request.h"

/* --- requests without a connection ----------------------------------------------------------
 * Each text is fed whole, and again in two pieces that are cut at every byte.
 */
struct reader {
    struct http_parser parser;
    struct buf body;
    size_t body_max;
    bool stops; /* when a body is announced */
    unsigned begun, announced;
    uint64_t length; /* that was announced */
};

static struct reader *reader_of(struct http_parser *p) {
    return container_of(p, struct reader, parser);
}

static void on_begin(struct http_parser *p) {
    reader_of(p)->begun++;
}

static bool on_body_announced(struct http_parser *p) {
    struct reader *r = reader_of(p);
    r->announced++;
    r->length = http_request_of(p).length;
    p->body_max = r->body_max;
    return !r->stops;
}

static bool on_body(struct http_parser *p, struct slice piece) {
    buf_slice(&reader_of(p)->body, piece);
    return true;
}

static const struct http_parser_ops ops = {
    .on_begin = on_begin, .on_body_announced = on_body_announced, .on_body = on_body};

static void reader_init(struct reader *r) {
    *r = (struct reader){.body_max = 16};
    http_parser_init(&r->parser, &ops);
}

static void reader_deinit(struct reader *r) {
    http_parser_deinit(&r->parser);
    buf_deinit(&r->body);
}

/* Feeds text in two pieces. Returns how much was used in all; SIZE_MAX: nothing more is read.
 */
static size_t feed(struct reader *r, struct slice text, size_t cut, bool *whole) {
    *whole = false;
    size_t used = cut > 0 ? http_parse(&r->parser, text.ptr, cut, whole) : 0;
    if (used == SIZE_MAX || *whole)
        return used;
    assert_int_equal(used, cut);
    used = http_parse(&r->parser, text.ptr + cut, text.len - cut, whole);
    return used == SIZE_MAX ? used : cut + used;
}

/* --- tests ----------------------------------------------------------------------------------
 */

static void a_request_is_read_in_pieces(void **state) {
    struct slice text =
        SLICE("GET http://h//a%62?x=1&y HTTP/1.1\r\nHost: h\r\nA: 1\r\na: 2\r\n\r\nX");
    (void)state;
    for (size_t cut = 0; cut < text.len; cut++) {
        struct reader r;
        struct buf joined;
        bool whole;
        reader_init(&r);
        buf_init(&joined);
        assert_int_equal(feed(&r, text, cut, &whole), text.len - 1);
        assert_true(whole && r.parser.has_head);
        assert_int_equal(r.begun, 1);
        assert_int_equal(r.announced, 0);
        struct http_request request = http_request_of(&r.parser);
        assert_true(slice_is(request.method, "GET"));
        assert_true(slice_is(request.path, "/ab"));
        assert_true(slice_is(request.query, "x=1&y"));
        assert_int_equal(request.length, 0);
        assert_false(request.upgrade);
        assert_string_equal(http_header(&request, "HOST"), "h");
        assert_null(http_header(&request, "b"));
        assert_int_equal(http_header_count(&request, "a"), 2);
        http_header_join(&request, "a", &joined);
        assert_string_equal(joined.data, "1, 2");
        buf_deinit(&joined);
        reader_deinit(&r);
    }
}

static void a_body_comes_by_pieces(void **state) {
    static const char *const texts[] = {
        "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
        "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct slice text = slice_of(texts[i]);
        for (size_t cut = 0; cut < text.len; cut++) {
            struct reader r;
            bool whole;
            reader_init(&r);
            assert_int_equal(feed(&r, text, cut, &whole), text.len);
            assert_true(whole);
            assert_int_equal(r.announced, 1);
            assert_true(slice_is(buf_bytes(&r.body), "hello"));
            assert_true(r.length == (i == 0 ? 5 : HTTP_CHUNKED));
            reader_deinit(&r);
        }
    }
}

static void requests_follow_each_other(void **state) {
    struct slice text =
        SLICE("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
    struct reader r;
    bool whole;
    (void)state;
    reader_init(&r);
    size_t used = feed(&r, text, 0, &whole);
    assert_true(whole && used == text.len / 2);
    assert_true(slice_is(http_request_of(&r.parser).path, "/1"));
    http_parser_next(&r.parser);
    struct slice rest = {text.ptr + used, text.len - used};
    assert_int_equal(feed(&r, rest, 0, &whole), rest.len);
    assert_true(slice_is(http_request_of(&r.parser).path, "/2"));
    assert_int_equal(r.begun, 2);
    reader_deinit(&r);
}

/* The refusal is handed back, and the head is known only where it is whole. */
static void refusals_are_handed_back(void **state) {
    static const struct {
        const char *text;
        int status;
        bool has_head;
    } bad[] = {
        {"GET / HTTP/1.1\nHost: h\n\n", 400, false},
        {"GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\n b\r\n\r\n", 400, false},
        {"GET / HTTP/1.1\r\n: h\r\n\r\n", 400, false},
        {"GET / HTTP/1.1\r\n\r\n", 400, true},
        {"GET / HTTP/9.9\r\nHost: h\r\n\r\n", 505, false},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1,1\r\n\r\n", 400, false},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, true},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n"
         "seventeen bytes!!",
         413, true},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\naXX", 400, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct slice text = slice_of(bad[i].text);
        for (size_t cut = 0; cut < text.len; cut++) {
            struct reader r;
            bool whole;
            reader_init(&r);
            assert_true(feed(&r, text, cut, &whole) == SIZE_MAX);
            assert_false(whole);
            assert_int_equal(r.parser.refusal.status, bad[i].status);
            assert_non_null(r.parser.refusal.why);
            assert_int_equal(r.parser.has_head, bad[i].has_head);
            reader_deinit(&r);
        }
    }
}

static void an_owner_that_stops_is_told_nothing(void **state) {
    struct slice text = SLICE("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
    struct reader r;
    bool whole;
    (void)state;
    reader_init(&r);
    r.stops = true;
    assert_true(feed(&r, text, 0, &whole) == SIZE_MAX);
    assert_int_equal(r.parser.refusal.status, 0);
    assert_int_equal(r.body.len, 0);
    reader_deinit(&r);
}

static void a_long_head_is_refused(void **state) {
    struct reader r;
    struct buf text;
    bool whole;
    (void)state;
    reader_init(&r);
    buf_init(&text);
    buf_str(&text, "GET / HTTP/1.1\r\nHost: h\r\nA: ");
    while (text.len <= HTTP_HEAD_MAX)
        buf_char(&text, 'a');
    assert_true(feed(&r, buf_bytes(&text), 100, &whole) == SIZE_MAX);
    assert_int_equal(r.parser.refusal.status, 431);
    buf_deinit(&text);
    reader_deinit(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read_in_pieces),
        cmocka_unit_test(a_body_comes_by_pieces),
        cmocka_unit_test(requests_follow_each_other),
        cmocka_unit_test(refusals_are_handed_back),
        cmocka_unit_test(an_owner_that_stops_is_told_nothing),
        cmocka_unit_test(a_long_head_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
