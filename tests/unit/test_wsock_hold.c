/* Handshakes that are held: admitted, refused, given up, and what the peer sends meanwhile. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/net/wsock_hold.h"
#include "tests/unit/http_bench.h"

#define HANDSHAKE                                                                              \
    "GET /hold HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"           \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
#define FRAME(text)                                                                            \
    "\x81\x83"                                                                                 \
    "\0\0\0\0" text /* of three bytes */

static struct wsock_shared sockets;
static struct wsock_hold hold;
static struct wsock ws;
static struct buf heard; /* all messages */
static unsigned held, gone, freed;
static bool at_once;

static void on_message(struct wsock *w, enum ws_opcode opcode, struct slice payload) {
    assert_ptr_equal(w, &ws);
    assert_int_equal(opcode, WS_TEXT);
    buf_slice(&heard, payload);
}

static void on_nothing(struct wsock *w) {
    assert_ptr_equal(w, &ws);
}

static void on_free(struct wsock *w) {
    assert_ptr_equal(w, &ws);
    freed++;
}

static const struct wsock_ops ops = {.door = DOOR_RAW,
                                     .on_message = on_message,
                                     .on_drained = on_nothing,
                                     .on_gone = on_nothing,
                                     .on_free = on_free};

static void on_gone(struct wsock_hold *h) {
    assert_ptr_equal(h, &hold);
    gone++;
}

static bool admit(void) {
    struct buf early;
    if (!wsock_admit(&hold, &ws, &ops, &early))
        return false;
    wsock_take_early(&ws, &early);
    return true;
}

static void route(void *owner, const struct http_request *request) {
    (void)owner;
    hold.gone = on_gone;
    if (!wsock_hold(&hold, &sockets, DOOR_RAW, request))
        return;
    held++;
    assert_int_equal(sockets.count, 1);
    if (at_once)
        assert_true(admit());
}

static int set_up(void **state) {
    int status = bench_set_up(state);
    sockets = (struct wsock_shared){.net = &bench->net, .close_timeout_ms = 1000};
    ws_pool_init(&sockets.pool, 1000000, 100);
    memset(&ws, 0, sizeof ws);
    memset(&hold, 0, sizeof hold);
    buf_init(&heard);
    held = gone = freed = 0;
    at_once = false;
    bench->router.route = route;
    return status;
}

static int tear_down(void **state) {
    int status = bench_tear_down(state);
    assert_int_equal(sockets.count, 0);
    ws_pool_deinit(&sockets.pool);
    buf_deinit(&heard);
    return status;
}

static uint64_t counted(bool accepted) {
    struct metrics other = {.turn_max_us = 0};
    metric_handshake(&other, DOOR_RAW, accepted);
    for (unsigned i = 0; i < METRIC_SLOTS; i++)
        if (other.slot[i] != 0)
            return bench->metrics.slot[i];
    return UINT64_MAX;
}

static bool is_held(void) {
    return held == 1;
}

static bool is_gone(void) {
    return gone == 1;
}

static bool has_heard(void) {
    return heard.len >= bench->wanted;
}

static void hears(const char *text) {
    bench->wanted = (unsigned)strlen(text);
    bench_until(has_heard);
    assert_int_equal(heard.len, strlen(text));
    assert_memory_equal(heard.data, text, heard.len);
}

static void ask_with_frames(void) {
    char bytes[] = HANDSHAKE FRAME("one") FRAME("two");
    assert_int_equal(write(bench->peer, bytes, sizeof bytes - 1), sizeof bytes - 1);
}

static void send_frame(void) {
    char bytes[] = FRAME("and");
    assert_int_equal(write(bench->peer, bytes, sizeof bytes - 1), sizeof bytes - 1);
}

static void end(void) {
    bench_close_peer();
    bench_until(bench_is_gone);
    assert_int_equal(freed, counted(true));
    assert_int_equal(counted(true) + counted(false), 1);
}

static void admits_at_once(void **state) {
    (void)state;
    at_once = true;
    ask_with_frames();
    hears("onetwo");
    assert_int_equal(sockets.count, 1);
    bench_await_answers(1);
    assert_int_equal(bench_count("101 Switching Protocols"), 1);
    assert_int_equal(bench_count("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), 1);
    send_frame();
    hears("onetwoand");
    end();
}

static void admits_later(void **state) {
    (void)state;
    ask_with_frames();
    bench_until(is_held);
    send_frame();
    bench_turns(5);
    assert_int_equal(heard.len, 0);
    assert_true(admit());
    hears("onetwoand");
    send_frame();
    hears("onetwoandand");
    end();
}

/* More than it keeps waits in the kernel, and is read after the answer. */
static void loses_nothing_that_comes_early(void **state) {
    (void)state;
    bench_ask(HANDSHAKE);
    bench_until(is_held);
    for (unsigned i = 0; i < 4000; i++)
        send_frame();
    bench_turns(20);
    assert_true(bench->conn->paused);
    assert_true(bench->net.requests_held < 100000);
    assert_true(admit());
    bench->wanted = 12000;
    bench_until(has_heard);
    assert_int_equal(heard.len, 12000);
    end();
}

static void refuses_later(void **state) {
    (void)state;
    ask_with_frames();
    bench_until(is_held);
    wsock_refuse(&hold, 401, "no\n", "WWW-Authenticate: Bearer\r\n");
    assert_int_equal(sockets.count, 0);
    bench_until(bench_is_over);
    assert_int_equal(bench_count("401 Unauthorized"), 1);
    assert_int_equal(bench_count("\r\nWWW-Authenticate: Bearer\r\n"), 1);
    assert_int_equal(bench_count("Connection: close"), 1);
    assert_int_equal(gone, 0);
    end();
}

static void learns_that_the_peer_went(void **state) {
    (void)state;
    ask_with_frames();
    bench_until(is_held);
    bench_close_peer();
    bench_until(is_gone);
    assert_int_equal(sockets.count, 0);
    bench_until(bench_is_gone);
    assert_int_equal(counted(false), 1);
}

static void its_time_goes_on_running(void **state) {
    (void)state;
    conn_deadline(bench->conn, net_now(&bench->net) + 200);
    bench_ask(HANDSHAKE);
    bench_until(is_held);
    assert_int_equal(gone, 0);
    bench_until(is_gone);
    bench_until(bench_is_over);
    assert_int_equal(bench_count("503 Service Unavailable"), 1);
    end();
}

/* As when the node ends: there is nobody to be admitted any more. */
static void does_not_admit_what_is_closed(void **state) {
    (void)state;
    bench_ask(HANDSHAKE);
    bench_until(is_held);
    conn_close(bench->conn, true);
    assert_false(admit());
    assert_int_equal(sockets.count, 0);
    bench_until(bench_is_gone);
    assert_int_equal(gone, 0);
    assert_int_equal(counted(false), 1);
}

static void refuses_another_form(void **state) {
    (void)state;
    bench_ask(GET("/hold"));
    bench_await_answers(1);
    assert_int_equal(bench_count("426 Upgrade Required"), 1);
    assert_int_equal(held, 0);
    end();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(admits_at_once),
        TEST(admits_later),
        TEST(loses_nothing_that_comes_early),
        TEST(refuses_later),
        TEST(learns_that_the_peer_went),
        TEST(its_time_goes_on_running),
        TEST(does_not_admit_what_is_closed),
        TEST(refuses_another_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
