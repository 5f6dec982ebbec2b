/*
 * Handshakes of TLS, and the time that a turn of the loop has for them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/net/conn.h"
#include "gateway/net/turn.h"
#include "tcp_pair.h"

static SSL_CTX *context;

/* A connection of a listener, and its peer, which is a plain socket. */
static struct {
    uv_loop_t loop;
    uv_prepare_t spender;
    bool spend;
    struct net net;
    struct metrics metrics;
    struct conn *conn;
} bench;

/* Runs after the net's own, at which a turn begins. */
static void spend_all(uv_prepare_t *prepare) {
    (void)prepare;
    if (bench.spend)
        bench.net.shaking_ns = 1000000000;
}

static void on_bytes(struct conn *c, const char *bytes, size_t len) {
    (void)c, (void)bytes, (void)len;
}

/* The handshake has failed. bench_close closes the connection. */
static void on_end(struct conn *c, int status) {
    (void)c, (void)status;
}

static void on_conn(struct conn *c) {
    (void)c;
}

static const struct conn_ops bench_ops = {.on_bytes = on_bytes,
                                          .on_end = on_end,
                                          .on_deadline = on_conn,
                                          .on_drained = on_conn,
                                          .on_closed = on_conn};

static void on_nothing(void *owner) {
    (void)owner;
}

static void on_gone(void *owner, struct conn *c) {
    (void)owner, (void)c;
}

static void on_tick(void *owner, uint64_t now) {
    (void)owner, (void)now;
}

/* Returns the peer. */
static int bench_open(void) {
    struct tcp_pair pair = tcp_pair_make(0);
    uv_loop_init(&bench.loop);
    uv_prepare_init(&bench.loop, &bench.spender);
    uv_prepare_start(&bench.spender, spend_all); /* the last that was started runs first */
    net_init(&bench.net, &bench.loop, 4096, &bench.metrics, NULL);
    bench.net.before_flush = on_nothing;
    bench.net.on_gone = on_gone;
    bench.net.on_tick = on_tick;
    assert_int_equal(turn_open(&bench.net), 0);
    bench.conn = conn_accept(&bench.net, pair.fd, (struct sockaddr *)&pair.from, &bench_ops);
    assert_true(bench.conn != NULL && conn_secure(bench.conn, context));
    return pair.peer;
}

static void bench_close(void) {
    conn_close(bench.conn, true);
    uv_close((uv_handle_t *)&bench.spender, NULL);
    turn_close(&bench.net, on_nothing);
    uv_run(&bench.loop, UV_RUN_DEFAULT);
    net_deinit(&bench.net);
    assert_int_equal(uv_loop_close(&bench.loop), 0);
}

/* When a turn has no time left, bytes of a handshake wait in the kernel for a later one. */
static void a_turn_has_a_budget(void **state) {
    SSL_CTX *client_side = SSL_CTX_new(TLS_client_method());
    struct slice none = {NULL, 0};
    struct tls client;
    char answer[64];
    (void)state;
    context = SSL_CTX_new(TLS_server_method()); /* it has no certificate, so it answers no */
    alarm(60);                                  /* else it would wait for ever */
    int peer = bench_open();
    assert_true(tls_init(&client, client_side, false));
    tls_read(&client, none, &none);
    bench.spend = true;
    assert_int_equal(send(peer, client.out.data, client.out.len, 0), client.out.len);
    while (list_empty(&bench.net.shaking) && !bench.conn->tls->heard)
        uv_run(&bench.loop, UV_RUN_ONCE);
    for (int i = 0; i < 100; i++)
        uv_run(&bench.loop, UV_RUN_NOWAIT);
    assert_false(bench.conn->tls->heard);
    bench.spend = false;
    while (!bench.conn->tls->heard)
        uv_run(&bench.loop, UV_RUN_ONCE);
    assert_true(bench.net.shaking_ns > 0); /* what it took was counted */
    assert_true(list_empty(&bench.net.shaking));
    while (recv(peer, answer, sizeof answer, MSG_DONTWAIT) <= 0)
        uv_run(&bench.loop, UV_RUN_NOWAIT);
    alarm(0);
    close(peer);
    bench_close();
    tls_deinit(&client);
    SSL_CTX_free(client_side);
    SSL_CTX_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_turn_has_a_budget)};
    return cmocka_run_group_tests_name("handshakes", tests, NULL, NULL);
}
