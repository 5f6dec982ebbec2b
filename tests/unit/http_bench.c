#include "tests/unit/http_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tcp_pair.h"

struct http_bench *bench;

static void on_late(struct http_later *later) {
    bench->lates++;
    http_answer_later(later, 503, "text/plain", SLICE("late"), NULL);
    assert_null(later->http);
}

void bench_on_gone(struct http_later *later) {
    assert_null(later->http);
    bench->gones++;
}

static void on_receipt(struct http_receipt *receipt) {
    assert_ptr_equal(receipt, &bench->receipt);
    assert_null(receipt->http);
    bench->receipts++;
}

static void on_lost(struct http_receipt *receipt) {
    assert_ptr_equal(receipt, &bench->receipt);
    assert_null(receipt->http);
    bench->lost++;
}

static size_t body(void *owner, const struct http_request *request) {
    assert_ptr_equal(owner, bench);
    bench->bodies++;
    if (slice_is(request->path, "/refuse"))
        http_answer(request, 401, "text/plain", SLICE("not you"), NULL);
    if (bench->watches) {
        bench->watch.gone = bench_on_gone;
        http_watch(request, &bench->watch);
    }
    return slice_is(request->path, "/echo") ? BODY_MAX : 0;
}

static void on_taken(struct conn *c, const char *bytes, size_t len) {
    (void)c;
    buf_append(&bench->taken, bytes, len);
}

static void on_taken_end(struct conn *c, int status) {
    (void)status;
    conn_close(c, false);
}

static void on_nothing(struct conn *c) {
    (void)c;
}

const struct conn_ops bench_taken_ops = {.on_bytes = on_taken,
                                         .on_end = on_taken_end,
                                         .on_deadline = on_nothing,
                                         .on_drained = on_nothing,
                                         .on_closed = on_nothing};

static void route(void *owner, const struct http_request *request) {
    assert_ptr_equal(owner, bench);
    bench->routed++;
    if (slice_is(request->path, "/later")) {
        struct http_later *later = &bench->later[bench->laters++];
        later->late = on_late;
        http_defer(request, later, bench->limit_ms);
    } else if (slice_is(request->path, "/watched")) {
        struct http_later *later = &bench->later[bench->laters++];
        later->gone = bench_on_gone;
        http_defer(request, later, 0);
    } else if (slice_is(request->path, "/echo")) {
        assert_null(bench->watch.http);
        if (!bench->forgets)
            assert_ptr_equal(http_claim(request), bench->watches ? &bench->watch : NULL);
        http_answer(request, 200, "text/plain", request->body, NULL);
    } else if (slice_is(request->path, "/wrong")) {
        http_answer_and_keep(request, 400, "text/plain", SLICE("wrong"), NULL);
    } else if (slice_is(request->path, "/none")) {
        http_answer(request, 204, NULL, SLICE("unsaid"), "X-None: 1\r\n");
    } else if (slice_is(request->path, "/take")) {
        if (http_upgrade(request, SLICE("HTTP/1.1 101 Switching Protocols\r\n\r\n")))
            conn_take(request->conn, &bench_taken_ops, NULL);
    } else {
        http_answer(request, 200, "text/plain", SLICE("now"), NULL);
    }
}

static void before_flush(void *owner) {
    (void)owner;
}

static void on_gone(void *owner, struct conn *c) {
    (void)owner;
    assert_ptr_equal(c, bench->conn);
    bench->conn = NULL;
}

static void on_tick(void *owner, uint64_t now) {
    (void)owner;
    (void)now;
}

static void on_net_closed(void *owner) {
    (void)owner;
}

void bench_turns(unsigned n) {
    while (n-- > 0)
        uv_run(&bench->loop, UV_RUN_NOWAIT);
}

void bench_read(void) {
    char bytes[4096];
    ssize_t n;
    while ((n = recv(bench->peer, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        buf_append(&bench->got, bytes, (size_t)n);
    bench->peer_eof = bench->peer_eof || n == 0;
}

int bench_set_up(void **state) {
    bench = calloc(1, sizeof *bench);
    *state = bench;
    bench->limit_ms = TIMEOUT_MS;
    bench->receipt = (struct http_receipt){.come = on_receipt, .gone = on_lost};
    bench->router = (struct http_router){.route = route,
                                         .body = body,
                                         .owner = bench,
                                         .timeout_ms = TIMEOUT_MS,
                                         .body_ms = TIMEOUT_MS,
                                         .idle_ms = TIMEOUT_MS};
    uv_loop_init(&bench->loop);
    net_init(&bench->net, &bench->loop, 1U << 20, &bench->metrics, bench);
    bench->net.before_flush = before_flush;
    bench->net.on_gone = on_gone;
    bench->net.on_tick = on_tick;
    turn_open(&bench->net);
    struct tcp_pair pair = tcp_pair_make(0);
    bench->peer = pair.peer;
    alarm(60);
    bench->conn =
        http_accept(&bench->net, pair.fd, (struct sockaddr *)&pair.from, &bench->router);
    bench_turns(1);
    return bench->conn != NULL ? 0 : -1;
}

int bench_tear_down(void **state) {
    (void)state;
    if (bench->conn != NULL)
        conn_close(bench->conn, false);
    bench_turns(3);
    assert_null(bench->conn);
    for (unsigned i = 0; i < bench->laters; i++)
        assert_null(bench->later[i].http); /* a connection that is gone waits for no answer */
    assert_null(bench->receipt.http);
    close(bench->peer);
    turn_close(&bench->net, on_net_closed);
    uv_run(&bench->loop, UV_RUN_DEFAULT);
    net_deinit(&bench->net);
    int left = uv_loop_close(&bench->loop);
    buf_deinit(&bench->got);
    buf_deinit(&bench->taken);
    free(bench);
    return left;
}

void bench_ask(const char *text) {
    assert_int_equal(send(bench->peer, text, strlen(text), MSG_NOSIGNAL),
                     (ssize_t)strlen(text));
}

/* Turns until `done`, or fails. */
void bench_until(bool (*done)(void)) {
    uint64_t limit = uv_hrtime() + 8000000000ULL;
    while (!done() && uv_hrtime() < limit) {
        bench_turns(1);
        bench_read();
    }
    assert_true(done());
}

unsigned bench_count(const char *text) {
    unsigned n = 0;
    for (const char *at = bench->got.data; at != NULL; n++) {
        at = memmem(at, bench->got.len - (size_t)(at - bench->got.data), text, strlen(text));
        if (at == NULL)
            break;
        at++;
    }
    return n;
}

static bool has_answers(void) {
    return bench_count("HTTP/1.1 ") == bench->wanted;
}
static bool has_laters(void) {
    return bench->laters == bench->wanted;
}
bool bench_is_over(void) {
    return bench->peer_eof;
}
bool bench_is_gone(void) {
    return bench->conn == NULL;
}

void bench_await_answers(unsigned n) {
    bench->wanted = n;
    bench_until(has_answers);
}

void bench_await_laters(unsigned n) {
    bench->wanted = n;
    bench_until(has_laters);
}

void bench_finish(unsigned i, const char *body) {
    http_answer_later(&bench->later[i], 200, "text/plain", slice_of(body), NULL);
    assert_null(bench->later[i].http);
}

void bench_assert_ends(const char *text) {
    size_t len = strlen(text);
    assert_true(bench->got.len >= len);
    assert_memory_equal(bench->got.data + bench->got.len - len, text, len);
}

void bench_close_peer(void) {
    close(bench->peer);
    bench->peer = socket(AF_INET, SOCK_STREAM, 0);
}
