#include "tests/unit/link_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct link_bench *bench;

static const struct link_rule greeting[] = {
    {"AUTH", "+OK\r\n"},
    {"SELECT", "+OK\r\n"},
    {"CLIENT SETNAME", "+OK\r\n"},
    {"CLIENT ID", ":7\r\n"},
    {"INFO server", "$37\r\n# Server\r\nrun_id:run1\r\nother:run_id\r\n\r\n"},
    {"INFO replication", "$47\r\n# Replication\r\nrole:master\r\nmaster_replid:abc\r\n\r\n"},
    {"PING", "+PONG\r\n"},
};

static void peer_closed(uv_handle_t *handle) {
    free(handle);
}

void bench_drop_peer(void) {
    if (bench->peer == NULL)
        return;
    uv_close((uv_handle_t *)bench->peer, peer_closed);
    reply_reader_destroy(bench->reader);
    bench->peer = NULL;
    bench->reader = NULL;
    buf_clear(&bench->answers);
}

static const char *find_answer(const char *command) {
    for (size_t i = 0; i < 4; i++) {
        const char *wanted = bench->rules[i].command;
        if (wanted != NULL && strncmp(command, wanted, strlen(wanted)) == 0)
            return bench->rules[i].answer;
    }
    for (size_t i = 0; i < sizeof greeting / sizeof *greeting; i++) {
        if (strncmp(command, greeting[i].command, strlen(greeting[i].command)) == 0)
            return greeting[i].answer;
    }
    return "-ERR unknown command\r\n";
}

static void on_command(const struct reply *r) {
    size_t from = bench->seen.len;
    for (size_t i = 0; i < r->count; i++) {
        if (i > 0)
            buf_char(&bench->seen, ' ');
        buf_slice(&bench->seen, reply_text(r->items[i]));
    }
    buf_append(&bench->seen, "|", 2);
    bench->seen.len--;
    bench->commands++;
    const char *answer = find_answer(bench->seen.data + from);
    if (answer != NULL)
        buf_str(&bench->answers, answer);
    else
        bench_drop_peer();
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    static char bytes[4096];
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(bytes, sizeof bytes);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    const struct reply *reply;
    if (stream != (uv_stream_t *)bench->peer)
        return;
    if (n < 0) {
        bench_drop_peer();
        return;
    }
    assert_true(reply_reader_feed(bench->reader, buf->base, (size_t)n));
    while (bench->reader != NULL && reply_reader_next(bench->reader, &reply) == 1)
        on_command(reply);
}

static void on_connection(uv_stream_t *listener, int status) {
    assert_int_equal(status, 0);
    bench_drop_peer();
    bench->accepted++;
    bench->peer = malloc(sizeof *bench->peer);
    bench->reader = reply_reader_create();
    uv_tcp_init(&bench->loop, bench->peer);
    assert_int_equal(uv_accept(listener, (uv_stream_t *)bench->peer), 0);
    uv_tcp_nodelay(bench->peer, 1);
    uv_read_start((uv_stream_t *)bench->peer, on_alloc, on_read);
}

/* Each turn writes one piece of the answers. */
static void on_trickle(uv_idle_t *idle) {
    struct buf *b = &bench->answers;
    (void)idle;
    if (bench->peer == NULL || b->len == 0 || bench->commands < bench->hold)
        return;
    size_t len = bench->step != 0 && bench->step < b->len ? bench->step : b->len;
    uv_buf_t bytes = uv_buf_init(b->data, (unsigned)len);
    int n = uv_try_write((uv_stream_t *)bench->peer, &bytes, 1);
    if (n > 0) {
        b->len -= (size_t)n;
        memmove(b->data, b->data + n, b->len);
    }
}

static void on_prepare(uv_prepare_t *prepare) {
    (void)prepare;
    if (!bench->no_flush)
        link_flush(&bench->link);
}

static void on_clock(uv_timer_t *clock) {
    (void)clock; /* wakes the loop */
}

/* --- what the link tells --------------------------------------------------------------------
 */

static void on_ready(struct link *l) {
    assert_int_equal(l->state, LINK_READY);
    bench->ready++;
}

static void on_down(struct link *l, const char *why) {
    assert_int_equal(l->pipeline.in_flight, 0);
    assert_false(link_send(l, -1, 0, SLICE("x"), SLICE(""), NULL, NULL));
    snprintf(bench->why, sizeof bench->why, "%s", why);
    bench->down++;
}

static void put_reply(const struct reply *r) {
    if (r->type == REPLY_ARRAY) {
        buf_char(&bench->log, '[');
        for (size_t i = 0; i < r->count; i++)
            put_reply(r->items[i]);
        buf_char(&bench->log, ']');
    } else if (r->type == REPLY_NIL) {
        buf_str(&bench->log, "nil");
    } else if (r->type == REPLY_INTEGER) {
        buf_printf(&bench->log, "%lld", reply_number(r));
    } else {
        buf_slice(&bench->log, reply_text(r));
    }
}

static void on_push(struct link *l, const struct reply *push) {
    (void)l;
    put_reply(push);
    buf_char(&bench->log, ' ');
    usleep(bench->push_us);
}

static void on_error(struct link *l, struct slice text) {
    (void)l;
    buf_printf(&bench->log, "!%.*s ", (int)text.len, text.ptr);
}

static void put_eval(struct link *l, struct buf *out, int script, unsigned argc) {
    (void)l;
    buf_printf(out, "*%u\r\n$4\r\nEVAL\r\n$8\r\nsource-%d\r\n$1\r\n1\r\n", argc + 3, script);
}

static void on_closed(struct link *l) {
    assert_ptr_equal(l, &bench->link);
    bench->closed++;
}

static const struct link_events events = {on_ready, on_down, on_push,  on_error,
                                          NULL,     NULL,    put_eval, NULL};

void bench_on_done(void *arg, const struct reply *reply, enum outcome outcome) {
    static const char *const words[] = {"none", "refused", "unknown"};
    buf_printf(&bench->log, "%s=", (const char *)arg);
    if (reply != NULL) {
        assert_int_equal(outcome, OUTCOME_NONE);
        put_reply(reply);
    } else {
        buf_str(&bench->log, words[outcome]);
    }
    buf_char(&bench->log, ' ');
}

/* --- running --------------------------------------------------------------------------------
 */

int bench_set_up(void **state) {
    struct sockaddr_in at;
    int size = sizeof at;
    bench = calloc(1, sizeof *bench);
    *state = bench;
    uv_loop_init(&bench->loop);
    uv_tcp_init(&bench->loop, &bench->listener);
    uv_ip4_addr("127.0.0.1", 0, &at);
    uv_tcp_bind(&bench->listener, (struct sockaddr *)&at, 0);
    uv_listen((uv_stream_t *)&bench->listener, 8, on_connection);
    uv_tcp_getsockname(&bench->listener, (struct sockaddr *)&at, &size);
    uv_prepare_init(&bench->loop, &bench->flush);
    uv_prepare_start(&bench->flush, on_prepare);
    uv_idle_init(&bench->loop, &bench->trickle);
    uv_idle_start(&bench->trickle, on_trickle);
    uv_timer_init(&bench->loop, &bench->clock);
    uv_timer_start(&bench->clock, on_clock, 1, 1);
    snprintf(bench->address.host, sizeof bench->address.host, "127.0.0.1");
    bench->address.port = ntohs(at.sin_port);
    alarm(60);
    link_init(&bench->link, &bench->loop, &bench->address, &events, NULL, "unit", false, 5000);
    return 0;
}

bool bench_wait_for(const unsigned *count, unsigned least) {
    uint64_t until = uv_hrtime() + 8000000000ULL;
    while (*count < least && uv_hrtime() < until)
        uv_run(&bench->loop, UV_RUN_ONCE);
    return *count >= least;
}

void bench_turns(unsigned n) {
    while (n-- > 0)
        uv_run(&bench->loop, UV_RUN_ONCE);
}

void bench_close_link(void) {
    unsigned down = bench->down;
    link_close(&bench->link, on_closed);
    assert_int_equal(bench->closed, 0);
    assert_true(bench_wait_for(&bench->closed, 1));
    assert_true(bench->down <= down + 1);
    bench_turns(5);
    assert_int_equal(bench->closed, 1);
}

/* Nothing may be left: no handle in the loop, no byte (ASan). */
int bench_tear_down(void **state) {
    (void)state;
    if (bench->closed == 0)
        bench_close_link();
    bench_drop_peer();
    uv_close((uv_handle_t *)&bench->listener, NULL);
    uv_close((uv_handle_t *)&bench->flush, NULL);
    uv_close((uv_handle_t *)&bench->trickle, NULL);
    uv_close((uv_handle_t *)&bench->clock, NULL);
    uv_run(&bench->loop, UV_RUN_DEFAULT);
    int left = uv_loop_close(&bench->loop);
    buf_deinit(&bench->seen);
    buf_deinit(&bench->answers);
    buf_deinit(&bench->log);
    free(bench);
    return left;
}

void bench_open(void) {
    link_open(&bench->link);
    assert_true(bench_wait_for(&bench->ready, 1));
    buf_clear(&bench->seen);
    buf_clear(&bench->log);
}

void bench_send_word(const char *word) {
    char head[100];
    snprintf(head, sizeof head, "*1\r\n$%zu\r\n", strlen(word));
    char tail[100];
    snprintf(tail, sizeof tail, "%s\r\n", word);
    assert_true(link_send(&bench->link, -1, 0, slice_of(head), slice_of(tail), bench_on_done,
                          (void *)(uintptr_t)word));
}

void bench_assert_buf(const struct buf *b, const char *expected) {
    if (!slice_is(buf_bytes(b), expected))
        fail_msg("got \"%.*s\", expected \"%s\"", (int)b->len, b->data, expected);
}
