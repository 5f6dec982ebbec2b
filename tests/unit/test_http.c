#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"
#include "gateway/net/http_later.h"
#include "gateway/net/turn.h"

/* --- a server whose router puts answers off, and its peer, in one loop ----------------------
 * /now is answered at once, /later when the test says so, /take is an upgrade, /echo takes a
 * body of BODY_MAX and sends it back, /refuse answers when a body is announced. The peer is a
 * plain socket.
 */
#define BODY_MAX   100
#define TIMEOUT_MS 60000
#define LATERS     8

struct fixture {
    uv_loop_t loop;
    uv_tcp_t listener;
    struct net net;
    struct metrics metrics;
    struct http_router router;
    struct conn *conn;
    int peer;
    struct buf got; /* what the peer has read */
    struct buf taken;
    bool peer_eof;
    struct http_later later[LATERS];
    struct http_later watch;
    struct http_receipt receipt;
    unsigned receipts, lost;
    unsigned laters, lates, routed, gones, bodies;
    bool watches, forgets;
    uint64_t limit_ms;
};

static struct fixture *the; /* of the running test */

static void on_late(struct http_later *later) {
    the->lates++;
    http_answer_later(later, 503, "text/plain", SLICE("late"), NULL);
    assert_null(later->http);
}

static void on_gone_later(struct http_later *later) {
    assert_null(later->http);
    the->gones++;
}

static void on_receipt(struct http_receipt *receipt) {
    assert_ptr_equal(receipt, &the->receipt);
    assert_null(receipt->http);
    the->receipts++;
}

static void on_lost(struct http_receipt *receipt) {
    assert_ptr_equal(receipt, &the->receipt);
    assert_null(receipt->http);
    the->lost++;
}

static size_t body(void *owner, const struct http_request *request) {
    assert_ptr_equal(owner, the);
    the->bodies++;
    if (slice_is(request->path, "/refuse"))
        http_answer(request, 401, "text/plain", SLICE("not you"), NULL);
    if (the->watches) {
        the->watch.gone = on_gone_later;
        http_watch(request, &the->watch);
    }
    return slice_is(request->path, "/echo") ? BODY_MAX : 0;
}

static void on_taken(struct conn *c, const char *bytes, size_t len) {
    (void)c;
    buf_append(&the->taken, bytes, len);
}

static void on_taken_end(struct conn *c, int status) {
    (void)status;
    conn_close(c, false);
}

static void on_nothing(struct conn *c) {
    (void)c;
}

static const struct conn_ops taken_ops = {on_taken, on_taken_end, on_nothing, on_nothing,
                                          on_nothing};

static void route(void *owner, const struct http_request *request) {
    assert_ptr_equal(owner, the);
    the->routed++;
    if (slice_is(request->path, "/later")) {
        struct http_later *later = &the->later[the->laters++];
        later->late = on_late;
        http_defer(request, later, the->limit_ms);
    } else if (slice_is(request->path, "/watched")) {
        struct http_later *later = &the->later[the->laters++];
        later->gone = on_gone_later;
        http_defer(request, later, 0);
    } else if (slice_is(request->path, "/echo")) {
        assert_null(the->watch.http);
        if (!the->forgets)
            assert_ptr_equal(http_claim(request), the->watches ? &the->watch : NULL);
        http_answer(request, 200, "text/plain", request->body, NULL);
    } else if (slice_is(request->path, "/wrong")) {
        http_answer_and_keep(request, 400, "text/plain", SLICE("wrong"), NULL);
    } else if (slice_is(request->path, "/none")) {
        http_answer(request, 204, NULL, SLICE("unsaid"), "X-None: 1\r\n");
    } else if (slice_is(request->path, "/take")) {
        if (http_upgrade(request, SLICE("HTTP/1.1 101 Switching Protocols\r\n\r\n")))
            conn_take(request->conn, &taken_ops, NULL);
    } else {
        http_answer(request, 200, "text/plain", SLICE("now"), NULL);
    }
}

static void on_connection(uv_stream_t *listener, int status) {
    assert_int_equal(status, 0);
    the->conn = http_accept(&the->net, listener, &the->router);
    assert_non_null(the->conn);
}

static void before_flush(void *owner) {
    (void)owner;
}

static void on_gone(void *owner, struct conn *c) {
    (void)owner;
    assert_ptr_equal(c, the->conn);
    the->conn = NULL;
}

static void on_tick(void *owner, uint64_t now) {
    (void)owner;
    (void)now;
}

static void on_net_closed(void *owner) {
    (void)owner;
}

static void turns(unsigned n) {
    while (n-- > 0)
        uv_run(&the->loop, UV_RUN_NOWAIT);
}

static void peer_read(void) {
    char bytes[4096];
    ssize_t n;
    while ((n = recv(the->peer, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        buf_append(&the->got, bytes, (size_t)n);
    the->peer_eof = the->peer_eof || n == 0;
}

static int set_up(void **state) {
    struct sockaddr_in at;
    int size = sizeof at;
    the = calloc(1, sizeof *the);
    *state = the;
    the->limit_ms = TIMEOUT_MS;
    the->receipt = (struct http_receipt){.come = on_receipt, .gone = on_lost};
    the->router = (struct http_router){.route = route,
                                       .body = body,
                                       .owner = the,
                                       .timeout_ms = TIMEOUT_MS,
                                       .body_ms = TIMEOUT_MS,
                                       .idle_ms = TIMEOUT_MS};
    uv_loop_init(&the->loop);
    net_init(&the->net, &the->loop, 1U << 20, &the->metrics, the);
    the->net.before_flush = before_flush;
    the->net.on_gone = on_gone;
    the->net.on_tick = on_tick;
    turn_open(&the->net);
    uv_tcp_init(&the->loop, &the->listener);
    uv_ip4_addr("127.0.0.1", 0, &at);
    uv_tcp_bind(&the->listener, (struct sockaddr *)&at, 0);
    uv_listen((uv_stream_t *)&the->listener, 8, on_connection);
    uv_tcp_getsockname(&the->listener, (struct sockaddr *)&at, &size);
    the->peer = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(the->peer, (struct sockaddr *)&at, sizeof at) != 0)
        return -1;
    alarm(60);
    for (int i = 0; i < 1000 && the->conn == NULL; i++)
        turns(1);
    return the->conn != NULL ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    if (the->conn != NULL)
        conn_close(the->conn, false);
    turns(3);
    assert_null(the->conn);
    for (unsigned i = 0; i < the->laters; i++)
        assert_null(the->later[i].http); /* whoever is gone is not waited for */
    assert_null(the->receipt.http);
    close(the->peer);
    turn_close(&the->net, on_net_closed);
    uv_close((uv_handle_t *)&the->listener, NULL);
    uv_run(&the->loop, UV_RUN_DEFAULT);
    net_deinit(&the->net);
    int left = uv_loop_close(&the->loop);
    buf_deinit(&the->got);
    buf_deinit(&the->taken);
    free(the);
    return left;
}

/* --- what the tests say ---------------------------------------------------------------------
 */

static void ask(const char *text) {
    assert_int_equal(send(the->peer, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

/* Turns until `done`, or fails. */
static void until(bool (*done)(void)) {
    uint64_t limit = uv_hrtime() + 8000000000ULL;
    while (!done() && uv_hrtime() < limit) {
        turns(1);
        peer_read();
    }
    assert_true(done());
}

static unsigned count(const char *text) {
    unsigned n = 0;
    for (const char *at = the->got.data; at != NULL; n++) {
        at = memmem(at, the->got.len - (size_t)(at - the->got.data), text, strlen(text));
        if (at == NULL)
            break;
        at++;
    }
    return n;
}

static unsigned wanted;
static bool has_answers(void) {
    return count("HTTP/1.1 ") == wanted;
}
static bool has_laters(void) {
    return the->laters == wanted;
}
static bool is_over(void) {
    return the->peer_eof;
}
static bool is_gone(void) {
    return the->conn == NULL;
}

static void await_answers(unsigned n) {
    wanted = n;
    until(has_answers);
}

static void await_laters(unsigned n) {
    wanted = n;
    until(has_laters);
}

static void finish(unsigned i, const char *body) {
    http_answer_later(&the->later[i], 200, "text/plain", slice_of(body), NULL);
    assert_null(the->later[i].http);
}

static void assert_ends(const char *text) {
    size_t len = strlen(text);
    assert_true(the->got.len >= len);
    assert_memory_equal(the->got.data + the->got.len - len, text, len);
}

/* --- tests ----------------------------------------------------------------------------------
 */

static void keeps_the_connection(void **state) {
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        ask(GET("/later"));
        await_laters(i + 1);
        turns(5);
        assert_int_equal(count("HTTP/1.1 "), i);
        finish(i, "done");
        await_answers(i + 1);
        assert_ends("Content-Length: 4\r\n\r\ndone");
    }
    ask(GET("/now"));
    await_answers(4);
    assert_ends("\r\n\r\nnow");
    assert_int_equal(count("Connection: close"), 0);
}

static void answers_in_the_order_of_requests(void **state) {
    (void)state;
    ask(GET("/now") GET("/later") GET("/now") GET("/later") GET("/later") GET("/now"));
    await_laters(1);
    turns(5);
    peer_read();
    assert_int_equal(the->routed, 2); /* those behind it wait */
    assert_int_equal(count("HTTP/1.1 "), 1);
    assert_true(the->conn->paused);
    finish(0, "A");
    assert_int_equal(the->routed, 2); /* nothing is called back before it returns */
    await_laters(2);
    finish(1, "B");
    await_laters(3);
    finish(2, "C");
    await_answers(6);
    assert_false(the->conn->paused);
    const char *at = the->got.data;
    static const char *const bodies[] = {"now", "A", "now", "B", "C", "now"};
    for (unsigned i = 0; i < 6; i++) {
        char end[16];
        snprintf(end, sizeof end, "\r\n\r\n%s", bodies[i]);
        at = memmem(at, the->got.len - (size_t)(at - the->got.data), end, strlen(end));
        assert_non_null(at);
        at += strlen(end);
    }
    assert_ptr_equal(at, the->got.data + the->got.len);
}

/* What comes in pieces while the answer is awaited is read behind it. */
static void reads_on_in_mid_request(void **state) {
    (void)state;
    ask(GET("/later") "GET /now HT");
    await_laters(1);
    ask("TP/1.1\r\nHo");
    turns(5);
    ask("st: x\r\n\r\n");
    turns(5);
    finish(0, "A");
    await_answers(2);
    assert_ends("now");
}

static void upgrades_later(void **state) {
    (void)state;
    struct buf rest;
    ask(GET("/watched") "bytes of ");
    await_laters(1);
    ask("another protocol");
    turns(5);
    struct conn *c =
        http_upgrade_later(&the->later[0], SLICE("HTTP/1.1 101 Yes\r\n\r\n"), &rest);
    assert_ptr_equal(c, the->conn);
    assert_null(the->later[0].http);
    conn_take(c, &taken_ops, NULL);
    assert_int_equal(rest.len, 25);
    assert_memory_equal(rest.data, "bytes of another protocol", 25);
    buf_deinit(&rest);
    ask("more");
    await_answers(1);
    assert_ends("101 Yes\r\n\r\n");
    turns(5);
    assert_int_equal(the->taken.len, 4);
    assert_int_equal(the->gones, 0);
}

static void an_answer_moves_to_another_struct(void **state) {
    (void)state;
    ask(GET("/watched"));
    await_laters(1);
    the->later[1].gone = on_gone_later;
    http_later_move(&the->later[0], &the->later[1]);
    assert_null(the->later[0].http);
    finish(0, "not this");
    finish(1, "this");
    await_answers(1);
    assert_ends("\r\n\r\nthis");
    ask(GET("/watched"));
    await_laters(2);
    the->later[2].gone = on_gone_later;
    http_later_move(&the->later[1], &the->later[2]);
    shutdown(the->peer, SHUT_WR);
    until(is_gone);
    assert_int_equal(the->gones, 1);
    assert_null(the->later[2].http);
}

/* Who ends its side with the answer on its way still gets all of it. */
static void answers_who_sends_no_more(void **state) {
    (void)state;
    size_t len = 4000000;
    char *text = malloc(len + 1);
    memset(text, 'x', len);
    text[len] = '\0';
    int small = 4096;
    uv_send_buffer_size((uv_handle_t *)&the->conn->tcp, &small);
    ask(GET("/watched"));
    await_laters(1);
    finish(0, text);
    turns(2);
    assert_true(the->conn->queue.bytes > 0);
    shutdown(the->peer, SHUT_WR);
    until(is_over);
    assert_true(the->got.len > len);
    assert_memory_equal(the->got.data + the->got.len - len, text, len);
    until(is_gone);
    assert_int_equal(the->gones, 0);
    free(text);
}

static void hands_the_rest_to_an_upgrade(void **state) {
    (void)state;
    ask(GET("/later") GET("/take") "bytes of another protocol");
    await_laters(1);
    finish(0, "A");
    await_answers(2);
    assert_int_equal(the->taken.len, 25);
    assert_memory_equal(the->taken.data, "bytes of another protocol", 25);
    ask("!");
    turns(5);
    assert_int_equal(the->taken.len, 26);
}

/* The request's own wish, HEAD, and an error's answer. */
static void closes_as_at_once(void **state) {
    (void)state;
    ask("HEAD /later HTTP/1.1\r\nHost: x\r\n\r\n"
        "GET /later HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" GET("/now"));
    await_laters(1);
    finish(0, "none");
    await_answers(1);
    assert_ends("Content-Length: 4\r\n\r\n");
    await_laters(2);
    finish(1, "last");
    until(is_over);
    assert_int_equal(count("HTTP/1.1 "), 2);
    assert_int_equal(count("Connection: close"), 1);
    assert_ends("last");
    close(the->peer); /* its end is seen: the connection reads again */
    the->peer = socket(AF_INET, SOCK_STREAM, 0);
    until(is_gone);
}

static void an_error_is_the_last_answer(void **state) {
    (void)state;
    ask(GET("/later") GET("/now"));
    await_laters(1);
    http_answer_later(&the->later[0], 401, NULL, SLICE(""), "WWW-Authenticate: Bearer\r\n");
    until(is_over);
    assert_int_equal(count("401 Unauthorized"), 1);
    assert_int_equal(count("\r\nWWW-Authenticate: Bearer\r\n"), 1);
    assert_int_equal(count("HTTP/1.1 "), 1);
}

static void outlives_its_connection(void **state) {
    (void)state;
    ask(GET("/later") GET("/now"));
    await_laters(1);
    conn_close(the->conn, true); /* as the node's end does */
    finish(0, "closing already");
    until(is_gone);
    finish(0, "nobody is there"); /* once more does nothing */
}

static void learns_of_a_connection_that_went(void **state) {
    (void)state;
    ask(GET("/later"));
    await_laters(1);
    conn_close(the->conn, true);
    assert_non_null(the->later[0].http);
    until(is_gone);
    assert_null(the->later[0].http);
    finish(0, "nobody is there");
}

/* The peer resets while the answer is awaited: the answer finds it out. */
static void answers_a_peer_that_went(void **state) {
    (void)state;
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    ask(GET("/later"));
    await_laters(1);
    setsockopt(the->peer, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(the->peer);
    the->peer = socket(AF_INET, SOCK_STREAM, 0);
    turns(5);
    finish(0, "too late");
    until(is_gone);
}

static void says_when_it_is_late(void **state) {
    (void)state;
    the->limit_ms = 30;
    ask(GET("/later") GET("/now"));
    await_laters(1);
    until(is_over);
    assert_int_equal(the->lates, 1);
    assert_int_equal(count("503 Service Unavailable"), 1);
    assert_ends("late");
    finish(0, "later still");
    turns(5);
    peer_read();
    assert_int_equal(count("later still"), 0);
}

/* --- bodies ---------------------------------------------------------------------------------
 */

#define POST(path, headers) "POST " path " HTTP/1.1\r\nHost: x\r\n" headers "\r\n"
#define LENGTH(n)           "Content-Length: " #n "\r\n"
#define CHUNKED             "Transfer-Encoding: chunked\r\n"
#define FIFTY               "12345678901234567890123456789012345678901234567890"

static void takes_bodies(void **state) {
    (void)state;
    ask(POST("/echo", LENGTH(5)) "hello" GET("/now")
            POST("/echo", CHUNKED) "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n" POST(
                "/echo", "") GET("/now"));
    await_answers(5);
    static const char *const bodies[] = {"hello", "now", "abcdefg", "", "now"};
    const char *at = the->got.data;
    for (unsigned i = 0; i < 5; i++) {
        char end[32];
        snprintf(end, sizeof end, "Length: %zu\r\n\r\n%s", strlen(bodies[i]), bodies[i]);
        at = memmem(at, the->got.len - (size_t)(at - the->got.data), end, strlen(end));
        assert_non_null(at);
        at += strlen(end);
    }
    assert_int_equal(the->bodies, 2);
    assert_int_equal(count("Connection: close"), 0);
}

static void takes_bodies_split_anywhere(void **state) {
    (void)state;
    static const char text[] = POST("/echo", LENGTH(5)) "hello" POST(
        "/echo", CHUNKED) "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    unsigned answers = 0;
    for (size_t at = 1; at < sizeof text - 1; at++) {
        char part[sizeof text];
        memcpy(part, text, at);
        part[at] = '\0';
        ask(part);
        turns(3);
        ask(text + at);
        answers += 2;
        await_answers(answers);
        assert_ends("Content-Length: 5\r\n\r\nabcde");
        if (answers > 100) {
            buf_clear(&the->got);
            answers = 0;
        }
    }
}

/* What is refused, and with what; the connection ends behind it. */
static void refuses_bodies(void **state) {
    (void)state;
    static const struct {
        const char *text, *status;
    } cases[] = {
        {POST("/now", LENGTH(1)), "405 "},
        {"GET /now HTTP/1.1\r\nHost: x\r\n" LENGTH(1) "\r\n", "413 "},
        {POST("/refuse", LENGTH(1)), "401 "},
        {POST("/echo", LENGTH(101)), "413 "},
        {POST("/echo", LENGTH(99999999999999999999999)), "400 "},
        {POST("/echo", LENGTH(-1)), "400 "},
        {POST("/echo", LENGTH(5) LENGTH(5)) "hello", "400 "},
        {POST("/echo", LENGTH(5) CHUNKED) "5\r\nhello\r\n0\r\n\r\n", "400 "},
        {POST("/echo", "Transfer-Encoding: gzip\r\n"), "40"},
        {POST("/echo", CHUNKED) "x\r\n", "400 "},
        {POST("/echo", CHUNKED) "32\r\n" FIFTY "\r\n32\r\n" FIFTY "\r\n1\r\nx", "413 "},
        {POST("/echo", CHUNKED) "ffffffffffffffffff\r\n", "40"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *fresh;
        buf_clear(&the->got);
        ask(cases[i].text);
        until(is_over);
        char line[16];
        snprintf(line, sizeof line, "HTTP/1.1 %s", cases[i].status);
        if (count(line) != 1 || count("HTTP/1.1 ") != 1)
            fail_msg("%s: %.*s", cases[i].text, (int)the->got.len, the->got.data);
        tear_down(&fresh);
        assert_int_equal(set_up(&fresh), 0);
    }
}

static void says_go_on(void **state) {
    (void)state;
    ask(POST("/echo", LENGTH(5) "Expect: 100-continue\r\n"));
    await_answers(1);
    assert_ends("HTTP/1.1 100 Continue\r\n\r\n");
    ask("hello");
    await_answers(2);
    assert_ends("hello");
}

static void a_body_of_the_limit(void **state) {
    (void)state;
    ask(POST("/echo", CHUNKED) "32\r\n" FIFTY "\r\n32\r\n" FIFTY "\r\n0\r\n\r\n");
    await_answers(1);
    assert_ends(FIFTY FIFTY);
}

/* Only the head is limited as a head: 90 chunks of 200 bytes of extensions are a body of 90. */
static void chunks_are_no_head(void **state) {
    (void)state;
    char chunk[256];
    struct buf all;
    buf_init(&all);
    buf_str(&all, POST("/echo", CHUNKED));
    for (unsigned i = 0; i < 90; i++) {
        snprintf(chunk, sizeof chunk, "1;%0200u\r\nx\r\n", i);
        buf_str(&all, chunk);
    }
    buf_append(&all, "0\r\n\r\n", 6);
    ask(all.data);
    await_answers(1);
    assert_int_equal(count("Content-Length: 90"), 1);
    buf_deinit(&all);
}

static void no_content_has_none(void **state) {
    (void)state;
    ask(GET("/none") GET("/now"));
    await_answers(2);
    assert_int_equal(count("204 No Content\r\nDate: "), 1);
    assert_int_equal(count(" GMT\r\nX-None: 1\r\n\r\nHTTP/1.1 200"), 1);
}

/* ... unless the request asks for the end, or was not read to its own. */
static void an_error_may_leave_it_open(void **state) {
    (void)state;
    ask(GET("/wrong") GET("/later") GET("/now"));
    await_laters(1);
    the->later[0].keep_errors = true;
    http_answer_later(&the->later[0], 400, "text/plain", SLICE("wrong, too"), NULL);
    await_answers(3);
    assert_ends("now");
    assert_int_equal(count("400 Bad Request"), 2);
    the->watches = true;
    ask(POST("/echo", LENGTH(5)) "hel");
    turns(10);
    the->watch.keep_errors = true;
    http_answer_later(&the->watch, 400, "text/plain", SLICE("no more"), NULL);
    until(is_over);
    assert_ends("no more");
    assert_int_equal(count("Connection: close"), 1);
}

static void closed_peer(void) {
    close(the->peer);
    the->peer = socket(AF_INET, SOCK_STREAM, 0);
}

/* Whoever watches a body hears of an answer that was given without it. */
static void watches_who_else_answers(void **state) {
    (void)state;
    the->watches = the->forgets = true;
    ask(POST("/echo", LENGTH(5)) "hello");
    await_answers(1);
    assert_int_equal(the->gones, 1);
    assert_null(the->watch.http);
}

static void watches_a_body(void **state) {
    (void)state;
    the->watches = true;
    ask(POST("/echo", LENGTH(5)) "hel");
    turns(10);
    assert_non_null(the->watch.http);
    ask("lo");
    await_answers(1);
    assert_int_equal(the->gones, 0);
    ask(POST("/echo", LENGTH(5)) "hel");
    turns(10);
    closed_peer();
    until(is_gone);
    assert_int_equal(the->gones, 1);
}

static void watches_a_body_too_long(void **state) {
    (void)state;
    the->watches = true;
    ask(POST("/echo", CHUNKED) "ff\r\n" FIFTY FIFTY FIFTY);
    until(is_over);
    assert_int_equal(count("413 "), 1);
    assert_int_equal(the->gones, 1);
}

static bool has_gone(void) {
    return the->gones == 1;
}

/* The peer's end is seen while the answer is awaited; what it pipelines is kept. */
static void tells_of_a_peer_that_goes(void **state) {
    (void)state;
    ask(GET("/watched") GET("/now"));
    await_laters(1);
    ask(GET("/now"));
    turns(5);
    finish(0, "A");
    await_answers(3);
    assert_ends("now");
    assert_int_equal(the->gones, 0);
    ask(GET("/watched"));
    await_laters(2);
    closed_peer();
    until(has_gone);
    finish(1, "nobody is there");
    until(is_gone);
    assert_int_equal(the->gones, 1);
}

static void tells_of_half_an_end(void **state) {
    (void)state;
    ask(GET("/watched"));
    await_laters(1);
    shutdown(the->peer, SHUT_WR);
    until(has_gone);
}

static void ends_a_watched_one_that_floods(void **state) {
    (void)state;
    static char flood[40000];
    memset(flood, 'x', sizeof flood - 1);
    ask(GET("/watched"));
    await_laters(1);
    ask(flood);
    until(has_gone);
    until(is_gone);
}

/* --- receipts -------------------------------------------------------------------------------
 */

static bool has_receipt(void) {
    return the->receipts == wanted;
}
static bool has_lost(void) {
    return the->lost == 1;
}

/* Asks for the next answer of many, gives it, and awaits its receipt. */
static void answer_and_await(void) {
    unsigned i = the->laters;
    ask(GET("/watched"));
    await_laters(i + 1);
    http_await_receipt(&the->later[i], &the->receipt);
    assert_non_null(the->receipt.http);
    finish(i, "A");
    await_answers(count("HTTP/1.1 ") + 1);
    turns(5);
    assert_int_equal(the->receipts + the->lost, i); /* nothing came yet for this one */
    assert_non_null(the->receipt.http);
}

/* The next request is one, and so is less than an empty line, which nothing is answered to. */
static void whatever_comes_is_a_receipt(void **state) {
    (void)state;
    static const char *const texts[] = {GET("/now"), "\r\n", "\r", "\n", "GE"};
    for (unsigned i = 0; i < 5; i++) {
        answer_and_await();
        ask(texts[i]);
        wanted = i + 1;
        until(has_receipt);
    }
    ask("T /now HTTP/1.1\r\nHost: x\r\n\r\n");
    await_answers(7);
    turns(5);
    peer_read();
    assert_int_equal(count("HTTP/1.1 200"), 7); /* an empty line has no answer */
    assert_int_equal(the->receipts, 5);
    closed_peer();
    until(is_gone);
    assert_int_equal(the->lost, 0);
}

static void empty_lines_are_no_requests(void **state) {
    (void)state;
    for (unsigned i = 0; i < LATERS; i++) {
        answer_and_await();
        ask("\r\n");
        wanted = i + 1;
        until(has_receipt);
    }
    assert_int_equal(the->routed, LATERS);
    assert_int_equal(the->lost, 0);
}

static void a_receipt_is_lost_with_the_connection(void **state) {
    (void)state;
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    void *fresh;
    for (unsigned how = 0; how < 4; how++) {
        answer_and_await();
        if (how == 0)
            shutdown(the->peer, SHUT_WR);
        else if (how == 1)
            setsockopt(the->peer, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        if (how == 1 || how == 2)
            closed_peer();
        if (how == 3)
            conn_close(the->conn, false); /* by this side */
        until(has_lost);
        until(is_gone);
        assert_int_equal(the->lost, 1);
        assert_int_equal(the->receipts, 0);
        tear_down(&fresh);
        assert_int_equal(set_up(&fresh), 0);
    }
}

static void a_receipt_that_is_dropped(void **state) {
    (void)state;
    answer_and_await();
    http_drop_receipt(&the->receipt);
    assert_null(the->receipt.http);
    http_drop_receipt(&the->receipt);
    ask("\r\n");
    turns(5);
    closed_peer();
    until(is_gone);
    assert_int_equal(the->receipts + the->lost, 0);
}

static void no_receipt_of_an_answer_to_nobody(void **state) {
    (void)state;
    ask(GET("/watched"));
    await_laters(1);
    closed_peer();
    until(has_gone);
    http_await_receipt(&the->later[0], &the->receipt);
    assert_null(the->receipt.http);
    assert_false(http_answer_later(&the->later[0], 200, "text/plain", SLICE("nobody"), NULL));
    until(is_gone);
    assert_int_equal(the->receipts + the->lost, 0);
}

/* The answer cannot leave: that is told later, and not from within. */
static void a_receipt_of_an_answer_that_does_not_leave(void **state) {
    (void)state;
    ask(GET("/watched"));
    await_laters(1);
    the->later[0].gone = NULL;
    conn_close(the->conn, true);
    http_await_receipt(&the->later[0], &the->receipt);
    assert_false(http_answer_later(&the->later[0], 200, "text/plain", SLICE("too late"), NULL));
    assert_int_equal(the->lost, 0);
    until(has_lost);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(keeps_the_connection),
        TEST(answers_in_the_order_of_requests),
        TEST(reads_on_in_mid_request),
        TEST(answers_who_sends_no_more),
        TEST(an_answer_moves_to_another_struct),
        TEST(upgrades_later),
        TEST(hands_the_rest_to_an_upgrade),
        TEST(closes_as_at_once),
        TEST(an_error_is_the_last_answer),
        TEST(outlives_its_connection),
        TEST(learns_of_a_connection_that_went),
        TEST(answers_a_peer_that_went),
        TEST(says_when_it_is_late),
        TEST(takes_bodies),
        TEST(an_error_may_leave_it_open),
        TEST(takes_bodies_split_anywhere),
        TEST(refuses_bodies),
        TEST(says_go_on),
        TEST(a_body_of_the_limit),
        TEST(no_content_has_none),
        TEST(chunks_are_no_head),
        TEST(watches_a_body),
        TEST(watches_who_else_answers),
        TEST(watches_a_body_too_long),
        TEST(tells_of_a_peer_that_goes),
        TEST(tells_of_half_an_end),
        TEST(ends_a_watched_one_that_floods),
        TEST(whatever_comes_is_a_receipt),
        TEST(empty_lines_are_no_requests),
        TEST(a_receipt_is_lost_with_the_connection),
        TEST(a_receipt_that_is_dropped),
        TEST(no_receipt_of_an_answer_to_nobody),
        TEST(a_receipt_of_an_answer_that_does_not_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
