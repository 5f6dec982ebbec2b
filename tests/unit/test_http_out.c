#include <fcntl.h>
#include <netinet/tcp.h>
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
#include "gateway/net/http_out.h"
#include "gateway/net/turn.h"

/* --- a server that the test plays, and calls to it, in one loop -----------------------------
 */
#define BODY_MAX 1000
#define IDLE_MS  60000
#define PEERS    200

struct fixture {
    uv_loop_t loop;
    struct net net;
    struct metrics metrics;
    struct http_peer server;
    int listener;
    int peer; /* the server's side of the latest connection */
    struct buf got;
    bool peer_eof;
    int all[PEERS];
    unsigned peers;

    struct http_call call;
    unsigned answers, failures, upgrades, closed;
    int status;
    enum http_failure why;
    char lines[256];
    char body[BODY_MAX + 1];
    char rest[64];
    enum http_fate fate; /* the fate that the callback returns */
    struct conn *taken;
    bool net_closed;
};

static struct fixture *the; /* of the running test */

static enum http_fate on_answered(struct http_call *call, const struct http_reply *reply) {
    assert_ptr_equal(call, &the->call);
    assert_null(call->out);
    the->answers++;
    the->status = reply->status;
    snprintf(the->lines, sizeof the->lines, "%s", reply->lines);
    snprintf(the->body, sizeof the->body, "%.*s", (int)reply->body.len, reply->body.ptr);
    return the->fate;
}

static void on_failed(struct http_call *call, enum http_failure why) {
    assert_null(call->out);
    the->failures++;
    the->why = why;
}

static void on_bytes(struct conn *c, const char *bytes, size_t len) {
    (void)c;
    strncat(the->rest, bytes, len);
}

static void on_end(struct conn *c, int status) {
    (void)status;
    conn_close(c, false);
}

static void on_nothing(struct conn *c) {
    (void)c;
}

static void on_taken_closed(struct conn *c) {
    (void)c;
    the->taken = NULL;
}

static const struct conn_ops taken_ops = {.on_bytes = on_bytes,
                                          .on_end = on_end,
                                          .on_deadline = on_nothing,
                                          .on_drained = on_nothing,
                                          .on_closed = on_taken_closed};

static void on_upgraded(struct http_call *call, const struct http_reply *reply, struct conn *c,
                        struct slice rest) {
    assert_null(call->out);
    the->upgrades++;
    the->status = reply->status;
    the->taken = c;
    snprintf(the->lines, sizeof the->lines, "%s", reply->lines);
    snprintf(the->rest, sizeof the->rest, "%.*s", (int)rest.len, rest.ptr);
    conn_take(c, &taken_ops, NULL);
}

static void before_flush(void *owner) {
    (void)owner;
}

static void on_gone(void *owner, struct conn *c) {
    (void)owner;
    (void)c;
}

static void on_tick(void *owner, uint64_t now) {
    (void)owner;
    (void)now;
}

static void on_net_closed(void *owner) {
    (void)owner;
    the->net_closed = true;
}

static void on_server_closed(struct http_peer *p) {
    assert_ptr_equal(p, &the->server);
    the->closed++;
}

static void look(void) {
    char bytes[4096];
    ssize_t n = 0;
    int came = accept(the->listener, NULL, NULL);
    if (came >= 0) {
        int on = 1;
        setsockopt(came, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        assert_true(the->peers < PEERS);
        the->all[the->peers++] = the->peer = came;
        the->peer_eof = false;
    }
    while (the->peer >= 0 && (n = recv(the->peer, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        buf_append(&the->got, bytes, (size_t)n);
    the->peer_eof = the->peer_eof || (the->peer >= 0 && n == 0);
}

static void turns(unsigned n) {
    while (n-- > 0) {
        uv_run(&the->loop, UV_RUN_NOWAIT);
        look();
    }
}

/* Turns until *what is `wanted`, or fails. */
static void until(const unsigned *what, unsigned wanted) {
    uint64_t limit = uv_hrtime() + 8000000000ULL;
    while (*what != wanted && uv_hrtime() < limit)
        turns(1);
    assert_int_equal(*what, wanted);
}

static void until_eof(void) {
    uint64_t limit = uv_hrtime() + 8000000000ULL;
    while (!the->peer_eof && uv_hrtime() < limit)
        turns(1);
    assert_true(the->peer_eof);
}

static void until_got(const char *text) {
    uint64_t limit = uv_hrtime() + 8000000000ULL;
    size_t len = strlen(text);
    while (the->got.len < len && uv_hrtime() < limit)
        turns(1);
    assert_int_equal(the->got.len, len);
    assert_memory_equal(the->got.data, text, len);
    buf_clear(&the->got);
}

static int set_up(void **state) {
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    the = calloc(1, sizeof *the);
    *state = the;
    the->peer = -1;
    uv_loop_init(&the->loop);
    net_init(&the->net, &the->loop, 1U << 20, &the->metrics, the);
    the->net.before_flush = before_flush;
    the->net.on_gone = on_gone;
    the->net.on_tick = on_tick;
    turn_open(&the->net);
    the->listener = socket(AF_INET, SOCK_STREAM, 0);
    uv_ip4_addr("127.0.0.1", 0, &at);
    if (bind(the->listener, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(the->listener, 8) != 0 ||
        getsockname(the->listener, (struct sockaddr *)&at, &size) != 0)
        return -1;
    fcntl(the->listener, F_SETFL, O_NONBLOCK);
    the->server = (struct http_peer){.net = &the->net,
                                     .connect_ms = 5000,
                                     .idle_ms = IDLE_MS,
                                     .body_max = BODY_MAX,
                                     .on_closed = on_server_closed};
    conn_address_set(&the->server.address, (struct sockaddr *)&at);
    http_peer_init(&the->server);
    the->call = (struct http_call){
        .answered = on_answered, .failed = on_failed, .upgraded = on_upgraded};
    alarm(60);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    if (!the->server.closed)
        http_peer_close(&the->server);
    if (the->taken != NULL)
        conn_close(the->taken, false);
    until(&the->closed, 1);
    assert_null(the->call.out);
    turns(3);
    assert_int_equal(the->net.count, 0);
    while (the->peers > 0)
        close(the->all[--the->peers]);
    close(the->listener);
    turn_close(&the->net, on_net_closed);
    uv_run(&the->loop, UV_RUN_DEFAULT);
    net_deinit(&the->net);
    int left = uv_loop_close(&the->loop);
    buf_deinit(&the->got);
    free(the);
    return left;
}

/* --- what the tests say ---------------------------------------------------------------------
 */

#define REQUEST "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

static void call(void) {
    struct slice parts[] = {SLICE("GET / HTTP/1.1\r\n"), {NULL, 0}, SLICE("Host: x\r\n\r\n")};
    assert_true(http_call_begin(&the->call, &the->server, parts, 3, false));
    assert_non_null(the->call.out);
    until_got(REQUEST);
}

static void say(const char *bytes, size_t len) {
    assert_int_equal(send(the->peer, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
    turns(2);
}

/* In two pieces, cut at each byte; the connection is the same all along. */
static void at_every_split(const char *answer, unsigned *what) {
    size_t len = strlen(answer);
    for (size_t cut = 0; cut <= len; cut++) {
        unsigned before = *what;
        call();
        say(answer, cut);
        say(answer + cut, len - cut);
        until(what, before + 1);
        if (the->taken != NULL) {
            conn_close(the->taken, false);
            turns(3);
        }
    }
}

/* --- tests ----------------------------------------------------------------------------------
 */

static void an_answer_at_every_split(void **state) {
    (void)state;
    at_every_split("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
                   "Keep-Alive: x\r\nx-a:  b \r\n\r\nhello",
                   &the->answers);
    assert_int_equal(the->status, 200);
    assert_string_equal(the->body, "hello");
    assert_string_equal(the->lines, "Content-Type: text/plain\r\nx-a: b \r\n");
    assert_int_equal(the->peers, 1);
}

static void an_empty_line_behind_what_was_passed_on(void **state) {
    (void)state;
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    the->fate = HTTP_PASSED_ON;
    for (unsigned i = 0; i < 3; i++) {
        call();
        say(answer, sizeof answer - 1);
        until(&the->answers, i + 1);
        until_got("\r\n");
    }
    the->fate = HTTP_TAKEN;
    call();
    say(answer, sizeof answer - 1);
    until(&the->answers, 4);
    call(); /* no empty line comes before it */
    the->fate = HTTP_PASSED_ON;
    static const char last[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                               "Content-Length: 0\r\n\r\n";
    say(last, sizeof last - 1);
    until_eof();
    assert_int_equal(the->answers, 5);
    assert_int_equal(the->got.len, 0);
    assert_int_equal(the->peers, 1);
}

static void the_end_behind_what_was_dropped(void **state) {
    (void)state;
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    the->fate = HTTP_DROPPED;
    call();
    say(answer, sizeof answer - 1);
    until(&the->answers, 1);
    until_eof();
    assert_int_equal(the->got.len, 0);
}

static void a_chunked_answer_at_every_split(void **state) {
    (void)state;
    at_every_split("HTTP/1.1 413 Too Large\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
                   &the->answers);
    assert_int_equal(the->status, 413);
    assert_string_equal(the->body, "hello");
    assert_string_equal(the->lines, "");
    assert_int_equal(the->peers, 1);
}

static void an_empty_answer(void **state) {
    (void)state;
    at_every_split("HTTP/1.1 204 No Content\r\n\r\n", &the->answers);
    at_every_split("HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n", &the->answers);
    assert_int_equal(the->status, 400);
    assert_string_equal(the->body, "");
    assert_int_equal(the->peers, 1);
}

static void an_upgrade_at_every_split(void **state) {
    (void)state;
    static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade\r\nSec-WebSocket-Accept: a\r\n\r\n"
                                 "GET frames";
    for (size_t cut = 0; cut < sizeof answer; cut++) {
        the->rest[0] = '\0';
        call();
        say(answer, cut);
        say(answer + cut, sizeof answer - 1 - cut);
        until(&the->upgrades, (unsigned)cut + 1);
        turns(2);
        assert_string_equal(the->rest, "GET frames");
        assert_string_equal(the->lines, "Sec-WebSocket-Accept: a\r\n");
        conn_close(the->taken, false);
        turns(3);
    }
    assert_int_equal(the->status, 101);
    assert_int_equal(the->peers, sizeof answer);
}

static char *repeat(const char *head, const char *what, unsigned times, const char *tail) {
    struct buf b;
    buf_init(&b);
    buf_str(&b, head);
    while (times-- > 0)
        buf_str(&b, what);
    buf_str(&b, tail);
    buf_char(&b, '\0');
    return b.data;
}

static void what_is_no_answer_fails(void **state) {
    (void)state;
    char *const long_ones[] = {
        repeat("HTTP/1.1 200 OK\r\n", "X-A: 0123456789\r\n", 1500, "\r\n"),
        repeat("HTTP/1.1 200 OK\r\nX: ", "0123456789", 2000, "\r\n\r\n"),
    };
    const char *const bad[] = {
        "220 ready\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n12",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\nx",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        long_ones[0],
        long_ones[1],
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        call();
        send(the->peer, bad[i], strlen(bad[i]), MSG_NOSIGNAL);
        if (i == 6) { /* over the limit only with its bytes */
            char bytes[1001];
            memset(bytes, 'x', sizeof bytes);
            send(the->peer, bytes, 1000, MSG_NOSIGNAL);
        }
        until(&the->failures, (unsigned)i + 1);
        assert_int_equal(the->why, HTTP_BROKEN);
        turns(3);
        assert_int_equal(the->net.count, 0);
    }
    for (size_t i = 0; i < sizeof long_ones / sizeof *long_ones; i++)
        free(long_ones[i]);
}

static void an_end_amid_an_answer(void **state) {
    (void)state;
    call();
    say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1", 39);
    shutdown(the->peer, SHUT_WR);
    until(&the->failures, 1);
    assert_int_equal(the->why, HTTP_BROKEN);
}

static void an_end_without_an_answer(void **state) {
    (void)state;
    call();
    shutdown(the->peer, SHUT_WR);
    until(&the->failures, 1);
    assert_int_equal(the->why, HTTP_ENDED);
    turns(3);
    call();
    say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38);
    until(&the->answers, 1);
    call();
    assert_int_equal(the->peers, 2);
    shutdown(the->peer, SHUT_WR);
    until(&the->failures, 2);
    assert_int_equal(the->why, HTTP_STALE);
    struct slice request = SLICE(REQUEST);
    turns(3);
    assert_true(http_call_begin(&the->call, &the->server, &request, 1, true));
    until_got(REQUEST);
    say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38);
    until(&the->answers, 2);
}

static void nobody_is_there(void **state) {
    (void)state;
    struct slice request = SLICE(REQUEST);
    close(the->listener);
    the->listener = -1;
    assert_true(http_call_begin(&the->call, &the->server, &request, 1, false));
    until(&the->failures, 1);
    assert_int_equal(the->why, HTTP_UNREACHABLE);
}

/* Nobody accepts, and the kernel's queue is full. */
static void nobody_answers_a_connect(void **state) {
    (void)state;
    int fillers[16];
    struct sockaddr_storage at;
    struct slice request = SLICE(REQUEST);
    listen(the->listener, 0);
    conn_address_get(&the->server.address, &at);
    for (int i = 0; i < 16; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fillers[i], (struct sockaddr *)&at, sizeof(struct sockaddr_in));
    }
    the->server.connect_ms = 200;
    int listener = the->listener;
    the->listener = -1;
    assert_true(http_call_begin(&the->call, &the->server, &request, 1, false));
    until(&the->failures, 1);
    assert_int_equal(the->why, HTTP_UNREACHABLE);
    the->listener = listener;
    for (int i = 0; i < 16; i++)
        close(fillers[i]);
}

static void a_connection_that_is_to_be_closed_is(void **state) {
    (void)state;
    call();
    say("HTTP/1.1 400 Bad\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 58);
    until(&the->answers, 1);
    until_eof();
    call();
    assert_int_equal(the->peers, 2);
    say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38);
    until(&the->answers, 2);
}

static void a_kept_connection_ends_in_time_or_when_it_talks(void **state) {
    (void)state;
    the->server.idle_ms = 100;
    call();
    say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38);
    until(&the->answers, 1);
    turns(1);
    assert_int_equal(the->net.count, 1);
    until(&the->net.count, 0);
    the->server.idle_ms = IDLE_MS;
    call();
    say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38);
    until(&the->answers, 2);
    say("HTTP", 4);
    until(&the->net.count, 0);
    assert_int_equal(the->failures, 0);
}

static void a_call_that_waits_longer_than_a_connect_may(void **state) {
    (void)state;
    the->server.connect_ms = 100;
    call();
    uint64_t end = uv_hrtime() + 400000000;
    while (uv_hrtime() < end)
        turns(1);
    say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38);
    until(&the->answers, 1);
}

static void a_call_is_given_up(void **state) {
    (void)state;
    call();
    http_call_drop(&the->call);
    assert_null(the->call.out);
    http_call_drop(&the->call);
    until_eof();
    struct slice request = SLICE(REQUEST);
    assert_true(http_call_begin(&the->call, &the->server, &request, 1, false));
    http_call_drop(&the->call); /* before it is established */
    until(&the->net.count, 0);
    assert_int_equal(the->answers + the->failures, 0);
}

static void hung_up_an_answer_still_comes(void **state) {
    (void)state;
    call();
    http_call_hang_up(&the->call);
    until_eof();
    say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38);
    until(&the->answers, 1);
    turns(3);
    assert_int_equal(the->net.count, 0);
    the->peer_eof = false;
    call();
    http_call_hang_up(&the->call);
    until_eof();
    shutdown(the->peer, SHUT_WR);
    until(&the->failures, 1);
    assert_int_equal(the->why, HTTP_ENDED);
}

static void a_server_is_closed(void **state) {
    (void)state;
    struct http_call other = the->call;
    call();
    say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38);
    until(&the->answers, 1);
    call();
    struct slice request = SLICE(REQUEST);
    assert_true(http_call_begin(&other, &the->server, &request, 1, false));
    turns(3);
    assert_int_equal(the->net.count, 2);
    http_peer_close(&the->server);
    assert_int_equal(the->failures, 0);
    until(&the->failures, 2);
    until(&the->closed, 1);
    assert_false(http_call_begin(&the->call, &the->server, &request, 1, false));
}

static void addresses(void **state) {
    (void)state;
    static const char *const good[] = {"127.0.0.1:1", "10.20.30.40:65535", "[::1]:8080",
                                       "[fe80::1]:80", "0.0.0.0:9"};
    static const char *const bad[] = {
        "",
        ":1",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:1x",
        "127.0.0.1:-1",
        "localhost:1",
        "[::1]",
        "[::1:1",
        "[]:1",
        "127.0.0.1:000001",
        "256.0.0.1:1",
        "127.0.0.1 :1",
        "::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::1"};
    struct conn_address a;
    char text[CONN_ADDRESS_SIZE];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(conn_address_read(&a, slice_of(good[i])));
        conn_address_text(&a, text);
        assert_string_equal(text, good[i]);
        struct sockaddr_storage at;
        struct conn_address back;
        conn_address_get(&a, &at);
        conn_address_set(&back, (struct sockaddr *)&at);
        assert_memory_equal(&a, &back, sizeof a);
        assert_int_equal(conn_address_is_any(&a), i == 4);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (conn_address_read(&a, slice_of(bad[i])))
            fail_msg("%s", bad[i]);
    }
    assert_true(conn_address_read(&a, SLICE("[::]:1")));
    assert_true(conn_address_is_any(&a));
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(an_answer_at_every_split),
        T(an_empty_line_behind_what_was_passed_on),
        T(the_end_behind_what_was_dropped),
        T(a_chunked_answer_at_every_split),
        T(an_empty_answer),
        T(an_upgrade_at_every_split),
        T(what_is_no_answer_fails),
        T(an_end_amid_an_answer),
        T(an_end_without_an_answer),
        T(nobody_is_there),
        T(nobody_answers_a_connect),
        T(a_connection_that_is_to_be_closed_is),
        T(a_kept_connection_ends_in_time_or_when_it_talks),
        T(a_call_that_waits_longer_than_a_connect_may),
        T(a_call_is_given_up),
        T(hung_up_an_answer_still_comes),
        T(a_server_is_closed),
        cmocka_unit_test(addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
