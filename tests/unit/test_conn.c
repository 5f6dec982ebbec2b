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
#include "gateway/net/conn.h"
#include "gateway/net/turn.h"
#include "tcp_pair.h"

/* --- a connection and its peer, in one loop -------------------------------------------------
 * The peer is a plain socket that the test reads when it likes. Buffers are small, so that a
 * write is often taken in part.
 */
enum { SMALL = 4096 };

struct fixture {
    uv_loop_t loop;
    struct net net;
    struct metrics metrics;
    struct conn *conn;
    int peer;
    struct buf got;  /* what the peer has read */
    struct buf sent; /* what the peer should read */
    struct buf in;   /* what on_bytes was given */
    bool peer_eof;
    unsigned ends, deadlines, drained, closed, gone, ticks, flushes;
    int end_status;
    uint64_t deadline_at;
    bool net_closed;
};

static struct fixture *the; /* of the running test */

static void on_bytes(struct conn *c, const char *bytes, size_t len) {
    assert_false(c->closed);
    buf_append(&the->in, bytes, len);
}

static void on_end(struct conn *c, int status) {
    assert_false(c->closed);
    the->ends++;
    the->end_status = status;
    conn_close(c, false);
}

static void on_deadline(struct conn *c) {
    assert_false(c->closed);
    the->deadlines++;
    the->deadline_at = net_now(c->net);
}

static void on_drained(struct conn *c) {
    assert_false(c->closed);
    assert_int_equal(c->queue->bytes, 0);
    the->drained++;
}

static void on_closed(struct conn *c) {
    assert_ptr_equal(c->peer, the);
    assert_int_equal(the->gone, 0);
    the->closed++;
}

static const struct conn_ops ops = {.on_bytes = on_bytes,
                                    .on_end = on_end,
                                    .on_deadline = on_deadline,
                                    .on_drained = on_drained,
                                    .on_closed = on_closed};

static void make_connection(void) {
    int size = SMALL;
    struct tcp_pair pair = tcp_pair_make(SMALL);
    the->peer = pair.peer;
    the->conn = conn_accept(&the->net, pair.fd, (struct sockaddr *)&pair.from, &ops);
    assert_non_null(the->conn);
    conn_take(the->conn, &ops, the);
    the->conn->framed = true;
    assert_int_equal(the->net.doors[DOOR_HTTP], 1);
    conn_enter(the->conn, DOOR_RAW);
    assert_int_equal(the->net.doors[DOOR_HTTP], 0);
    assert_int_equal(the->net.doors[DOOR_RAW], 1);
    setsockopt(pair.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static void before_flush(void *owner) {
    assert_ptr_equal(owner, the);
    the->flushes++;
}

static void on_gone(void *owner, struct conn *c) {
    assert_ptr_equal(owner, the);
    assert_ptr_equal(c, the->conn);
    the->gone++;
    the->conn = NULL;
}

static void on_tick(void *owner, uint64_t now) {
    assert_ptr_equal(owner, the);
    assert_true(now == uv_now(&the->loop));
    the->ticks++;
}

static void on_net_closed(void *owner) {
    assert_ptr_equal(owner, the);
    the->net_closed = true;
}

static void turn(void) {
    uv_run(&the->loop, UV_RUN_NOWAIT);
}

static void turns(unsigned n) {
    while (n-- > 0)
        turn();
}

/* The peer reads at most so many bytes. */
static void peer_read(size_t most) {
    static char bytes[65536];
    while (most > 0 && !the->peer_eof) {
        ssize_t n =
            recv(the->peer, bytes, most < sizeof bytes ? most : sizeof bytes, MSG_DONTWAIT);
        if (n < 0)
            return;
        the->peer_eof = n == 0;
        buf_append(&the->got, bytes, (size_t)n);
        most -= (size_t)n;
    }
}

static void read_all(size_t step) {
    uint64_t until = uv_hrtime() + 8000000000ULL;
    while (the->got.len < the->sent.len && uv_hrtime() < until) {
        peer_read(step);
        turn();
    }
    assert_int_equal(the->got.len, the->sent.len);
    assert_memory_equal(the->got.data, the->sent.data, the->sent.len);
    turns(3);
    assert_int_equal(metric_value(&the->metrics, METRIC_SENT_BYTES), the->sent.len);
    assert_int_equal(the->net.out.bytes, the->conn->queue->bytes);
}

static int set_up(void **state) {
    the = calloc(1, sizeof *the);
    *state = the;
    uv_loop_init(&the->loop);
    net_init(&the->net, &the->loop, 1U << 20, &the->metrics, the);
    the->net.before_flush = before_flush;
    the->net.on_gone = on_gone;
    the->net.on_tick = on_tick;
    turn_open(&the->net);
    alarm(60);
    make_connection();
    turn();
    return 0;
}

/* No slab and no chunk may be held when the connection is gone; ASan sees what is lost. */
static int tear_down(void **state) {
    (void)state;
    if (the->conn != NULL)
        conn_close(the->conn, false);
    turns(3);
    assert_int_equal(the->closed, 1);
    assert_int_equal(the->gone, 1);
    assert_int_equal(the->net.count, 0);
    assert_int_equal(the->net.doors[DOOR_RAW], 0);
    assert_int_equal(the->net.out.bytes, 0);
    assert_true(list_empty(&the->net.conns) && list_empty(&the->net.dirty));
    if (the->net.slabs.current[SLAB_PLAIN] != NULL)
        assert_int_equal(the->net.slabs.current[SLAB_PLAIN]->refs, 1);
    close(the->peer);
    turn_close(&the->net, on_net_closed);
    assert_false(the->net_closed);
    uv_run(&the->loop, UV_RUN_DEFAULT);
    assert_true(the->net_closed);
    net_deinit(&the->net);
    int left = uv_loop_close(&the->loop);
    buf_deinit(&the->got);
    buf_deinit(&the->sent);
    buf_deinit(&the->in);
    free(the);
    return left;
}

/* --- what is sent ---------------------------------------------------------------------------
 */

/* A WebSocket frame, as a server writes it, whose payload no other has. */
static struct region make_frame(uint32_t len) {
    static unsigned seed;
    uint32_t head = len < 126 ? 2 : len < 65536 ? 4 : 10;
    unsigned char *b = (unsigned char *)slabs_reserve(&the->net.slabs, head + len);
    assert_non_null(b);
    memset(b, 0, head);
    b[0] = 0x82;
    b[1] = (unsigned char)(head == 2 ? len : head == 4 ? 126 : 127);
    for (uint32_t i = 0; head > 2 && i < 4 && i < head - 2; i++)
        b[head - 1 - i] = (unsigned char)(len >> 8 * i);
    seed = seed * 31 + 7;
    for (uint32_t i = 0; i < len; i++)
        b[head + i] = (unsigned char)(seed + i * 11 + i / 256);
    return slabs_commit(&the->net.slabs, head + len);
}

static struct region send_frame(uint32_t len) {
    struct region r = make_frame(len);
    assert_true(conn_send(the->conn, r));
    buf_append(&the->sent, r.slab->bytes + r.at, r.len);
    return r;
}

static unsigned entries(void) {
    unsigned n = 0;
    for (struct out_chunk *chunk = the->conn->queue->first; chunk != NULL; chunk = chunk->next)
        n += chunk->tail - chunk->head;
    return n;
}

static void fill_socket(void) {
    for (int i = 0; i < 100 && !the->conn->writing; i++) {
        send_frame(20000);
        turn();
    }
    assert_true(the->conn->writing && the->conn->queue->bytes > 0);
}

/* --- tests ----------------------------------------------------------------------------------
 */

static void neighbours_become_one(void **state) {
    (void)state;
    unsigned flushes = the->flushes;
    for (int i = 0; i < 40; i++)
        send_frame(100);
    assert_int_equal(entries(), 1);
    assert_int_equal(the->conn->queue->bytes, 40 * 102);
    assert_int_equal(the->conn->queue->first->entries[0].slab->refs, 2);
    /* A gap ends it: what another connection alone was sent. */
    make_frame(10);
    send_frame(100);
    send_frame(100);
    assert_int_equal(entries(), 2);
    turn();
    assert_true(the->flushes > flushes);
    assert_int_equal(the->conn->queue->bytes, 0);
    assert_null(the->conn->queue->first);
    read_all(SIZE_MAX);
}

/* What a turn queues is no fault of the peer's, however much it is. */
static void a_queue_is_not_full_before_its_first_chance(void **state) {
    (void)state;
    the->net.max_queue = 10000;
    for (int i = 0; i < 100; i++) {
        assert_false(conn_is_full(the->conn, 5000));
        send_frame(5000);
    }
    turn();
    assert_true(the->conn->queue->lags);
    /* It has taken little of the half megabyte that was queued at once, and has time for the
     * rest. */
    assert_false(conn_is_full(the->conn, 5000));
    assert_true(conn_is_full(the->conn, 1U << 20));
    read_all(SIZE_MAX);
}

static void wait_ms(uint64_t ms) {
    uint64_t until = net_awake(&the->net) + ms;
    while (net_awake(&the->net) < until)
        uv_run(&the->loop, UV_RUN_ONCE);
}

/* Over the limit, once it takes nothing for a second; but a single long message may be, while
 * less than a quarter waits. */
static void a_queue_is_full_at_its_limit(void **state) {
    (void)state;
    assert_false(conn_is_full(the->conn, 2U << 20));
    fill_socket();
    wait_ms(1600); /* the kernel may have taken a little more at first */
    size_t held = the->conn->queue->bytes + the->conn->queue->entries * 256; /* as queue.c */
    the->net.max_queue = held + 1000;
    assert_false(conn_is_full(the->conn, 1000));
    assert_true(conn_is_full(the->conn, 1001));
    the->net.max_queue = 4 * held - 4;
    assert_true(conn_is_full(the->conn, 1U << 20));
    the->net.max_queue = 4 * held;
    assert_false(conn_is_full(the->conn, 1U << 20));
    read_all(SIZE_MAX);
}

/* It reads on, if slowly, so the queue is not full until twice the limit waits. */
static void a_queue_that_moves_is_not_full(void **state) {
    (void)state;
    fill_socket();
    the->net.max_queue = the->conn->queue->bytes / 2;
    for (int i = 0; i < 4; i++) {
        wait_ms(500);
        peer_read(SIZE_MAX);
        turns(3);
        assert_false(conn_is_full(the->conn, 1));
    }
    read_all(SIZE_MAX);
}

/* Its few bytes lie between many of others, so it releases those slabs. */
static void a_peer_that_lags_holds_what_it_counts(void **state) {
    (void)state;
    fill_socket();
    for (int i = 0; i < 500; i++) {
        send_frame(i % 50 == 0 ? 9000 : 40);
        make_frame(12000);
        if (i % 3 == 0)
            turn();
        if (i % 100 == 99)
            peer_read(700);
    }
    turn();
    const struct out_queue *q = the->conn->queue;
    assert_true(the->net.slabs.held < 2 * q->bytes + 5 * SLAB_BYTES);
    assert_true(q->entries < 100);
    read_all(3000);
    assert_null(q->first);
    assert_true(the->net.slabs.held < 3 * SLAB_BYTES);
}

/* Neighbours that fill a slab are shared, also by those that lag. */
static void peers_that_lag_share_full_slabs(void **state) {
    (void)state;
    fill_socket();
    make_frame(SLAB_BYTES - 10);
    struct region r = {NULL, 0, 0};
    for (int i = 0; i < 15; i++)
        r = send_frame(1000);
    assert_int_equal(r.slab->refs, 2);
    assert_false(r.slab->own);
    make_frame(SLAB_BYTES - 10);
    send_frame(10);
    turn();
    assert_int_equal(r.slab->refs, 1); /* no longer the current one, but still held */
    read_all(SIZE_MAX);
}

static void a_slab_that_nobody_holds_is_used_again(void **state) {
    (void)state;
    struct region first = send_frame(100);
    turn();
    struct region again = send_frame(100);
    assert_ptr_equal(again.slab, first.slab);
    assert_int_equal(again.at, 0);
    read_all(SIZE_MAX);
    fill_socket();
    struct region held = send_frame(50);
    struct region next = send_frame(50);
    assert_true(next.slab != held.slab || next.at == held.at + held.len);
    read_all(SIZE_MAX);
    assert_int_equal(the->net.slabs.current[SLAB_PLAIN]->refs, 1);
}

/* Frames of all sizes, with and without gaps, while the peer reads slowly. */
static void order_survives_partial_writes(void **state) {
    (void)state;
    static const size_t steps[] = {1, 700, 5000, SIZE_MAX};
    unsigned partly = 0;
    for (unsigned s = 0; s < 4; s++) {
        for (uint32_t i = 0; i < 300; i++) {
            send_frame(i % 40 == 39 ? 17000 + i : (i * 37) % 700);
            if (i % 5 == 0)
                make_frame(i % 10 == 0 ? 9000 : 3);
            if (i % 3 == 0) {
                turn();
                peer_read(steps[s] == SIZE_MAX ? 3000 : steps[s]);
            }
            partly += the->conn->writing;
        }
        read_all(s == 0 ? 2000 : steps[s]);
        assert_int_equal(the->conn->queue->bytes, 0);
        assert_ptr_equal(the->conn->queue, queue_nothing());
    }
    assert_true(partly > 100);
}

/* More entries than one vectored write takes. */
static void many_entries_go_out_in_order(void **state) {
    (void)state;
    for (int i = 0; i < 500; i++) {
        send_frame(3);
        make_frame(1);
    }
    assert_int_equal(entries(), 500);
    read_all(SIZE_MAX);
    assert_null(the->conn->queue->first);
}

/* Counts the whole frames that the peer has; fails if the last is not. */
static unsigned count_frames(void) {
    const unsigned char *b = (const unsigned char *)the->got.data;
    size_t at = 0;
    unsigned n = 0;
    for (; at < the->got.len; n++) {
        assert_int_equal(b[at], 0x82);
        size_t len = b[at + 1];
        size_t head = len < 126 ? 2 : len == 126 ? 4 : 10;
        if (head > 2)
            len = 0;
        for (size_t i = 2; i < head; i++)
            len = len << 8 | b[at + i];
        at += head + len;
    }
    assert_int_equal(at, the->got.len);
    return n;
}

static void read_until_quiet(void) {
    size_t before;
    do {
        before = the->got.len;
        for (int i = 0; i < 50; i++) {
            peer_read(SIZE_MAX);
            turn();
        }
    } while (the->got.len != before || the->conn->queue->bytes != 0);
}

/* At each way of being under way: what the peer reads is whole frames, a prefix of what was
 * sent, and what is sent afterwards follows. */
static void dropping_keeps_whole_frames(void **state) {
    (void)state;
    static const uint32_t sizes[] = {1, 125, 126, 1000, 9000, 70000};
    unsigned dropped = 0;
    for (unsigned round = 0; round < 60; round++) {
        uint32_t size = sizes[round % 6];
        size_t limit = 2 * SMALL * (1 + round / 6 * 7);
        unsigned count = (unsigned)(limit / size) + 3;
        buf_clear(&the->got);
        buf_clear(&the->sent);
        for (unsigned i = 0; i < count; i++) {
            send_frame(size);
            if (i % 7 == round % 7)
                make_frame(2);
            if (i == count / 3 || (round % 2 == 0 && i == count / 2))
                turn();
        }
        peer_read(round * 97);
        turns(round % 3);
        uint32_t queued = the->conn->queue->bytes;
        conn_drop_queue(the->conn);
        assert_true(the->conn->queue->bytes <= queued);
        dropped += the->conn->queue->bytes < queued;
        uint32_t left = the->conn->queue->bytes;
        assert_true(left < size + 10); /* at most one begun frame */
        conn_drop_queue(the->conn);    /* a second time drops nothing more */
        assert_int_equal(the->conn->queue->bytes, left);
        struct region last = make_frame(5);
        size_t last_len = last.len;
        assert_true(conn_send(the->conn, last));
        read_until_quiet();
        count_frames();
        assert_true(the->got.len - last_len <= the->sent.len);
        assert_memory_equal(the->got.data, the->sent.data, the->got.len - last_len);
        assert_null(the->conn->queue->first);
    }
    assert_true(dropped > 20);
}

/* A write ends inside of an entry that has grown meanwhile, and then all is dropped. Nothing
 * waits, so nothing may be held. */
static void dropping_lets_go_of_slabs(void **state) {
    (void)state;
    static const uint32_t sizes[] = {125, 1000, 6000};
    for (unsigned round = 0; round < 30; round++) {
        buf_clear(&the->got);
        while (!the->conn->writing) {
            send_frame(sizes[round % 3]);
            turn();
        }
        send_frame(10); /* lengthens the entry that the kernel is taking */
        for (int i = 0; i < 1000 && the->conn->writing; i++) {
            peer_read(SIZE_MAX);
            turn();
        }
        conn_drop_queue(the->conn);
        if (the->conn->queue->bytes == 0)
            assert_null(the->conn->queue->first);
        read_until_quiet();
        count_frames();
        assert_null(the->conn->queue->first);
    }
}

/* HTTP answers are no frames: one that has begun to leave is kept whole, and what came after an
 * upgrade is an entry of its own. */
static void dropping_keeps_http_answers(void **state) {
    (void)state;
    the->conn->framed = false;
    while (!the->conn->writing) {
        char *room = slabs_reserve(&the->net.slabs, 3000);
        memset(room, 'H', 3000);
        struct region r = slabs_commit(&the->net.slabs, 3000);
        assert_true(conn_send(the->conn, r));
        buf_append(&the->sent, room, 3000);
        turn();
    }
    the->conn->framed = true;
    uint32_t answers = the->conn->queue->bytes;
    for (int i = 0; i < 5; i++)
        assert_true(conn_send(the->conn, make_frame(500)));
    conn_drop_queue(the->conn);
    assert_int_equal(the->conn->queue->bytes, answers);
    send_frame(5);
    read_all(1000);
    read_until_quiet();
    assert_int_equal(the->got.len, the->sent.len);
}

static void drained_is_told_once(void **state) {
    (void)state;
    conn_want_drained(the->conn); /* nothing waits: on_drained comes all the same, but later */
    assert_int_equal(the->drained, 0);
    turns(3);
    assert_int_equal(the->drained, 1);
    fill_socket();
    conn_want_drained(the->conn);
    conn_want_drained(the->conn);
    turns(10);
    assert_int_equal(the->drained, 1);
    read_all(SIZE_MAX);
    assert_int_equal(the->drained, 2);
    send_frame(1);
    read_all(SIZE_MAX);
    assert_int_equal(the->drained, 2); /* not asked for */
}

/* All that waits is delivered, then the end; the other direction stays open. */
static void ending_delivers_all_first(void **state) {
    (void)state;
    fill_socket();
    for (int i = 0; i < 100; i++)
        send_frame(2000);
    conn_end(the->conn);
    conn_end(the->conn);
    struct region r = make_frame(1);
    assert_false(conn_send(the->conn, r));
    read_all(3000);
    peer_read(1);
    assert_true(the->peer_eof);
    assert_int_equal(the->got.len, the->sent.len);
    assert_int_equal(send(the->peer, "still here", 10, 0), 10);
    turns(3);
    assert_true(slice_is(buf_bytes(&the->in), "still here"));
    assert_int_equal(the->ends, 0);
    shutdown(the->peer, SHUT_WR);
    turns(3);
    assert_int_equal(the->ends, 1);
    assert_int_equal(the->end_status, UV_EOF);
}

static void ending_with_nothing_queued(void **state) {
    (void)state;
    conn_end(the->conn);
    turns(3);
    peer_read(1);
    assert_true(the->peer_eof);
    conn_close(the->conn, true); /* a reset is not possible any more, closing is */
}

static void closing_drops_all(void **state) {
    (void)state;
    fill_socket();
    send_frame(100);
    struct region r = make_frame(1);
    conn_want_drained(the->conn);
    conn_deadline(the->conn, net_now(&the->net) + 1);
    conn_close(the->conn, (the->flushes & 1) != 0);
    conn_close(the->conn, false);
    assert_int_equal(the->closed, 0);
    assert_false(conn_send(the->conn, r));
    conn_end(the->conn);
    conn_pause(the->conn, true);
    conn_deadline(the->conn, 1);
    turns(3);
    assert_int_equal(the->closed, 1);
    assert_int_equal(the->drained + the->ends + the->deadlines, 0);
}

static void a_reset_is_seen_as_one(void **state) {
    (void)state;
    char byte;
    conn_close(the->conn, true);
    turns(3);
    assert_int_equal(recv(the->peer, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, ECONNRESET);
}

static void a_broken_connection_is_told_once(void **state) {
    (void)state;
    struct linger now = {1, 0};
    fill_socket();
    setsockopt(the->peer, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(the->peer);
    the->peer = -1;
    turns(5);
    assert_int_equal(the->ends, 1);
    assert_true(the->end_status < 0 && the->end_status != UV_EOF);
}

static void pausing_holds_bytes_back(void **state) {
    (void)state;
    conn_pause(the->conn, true);
    conn_pause(the->conn, true);
    assert_int_equal(send(the->peer, "abc", 3, 0), 3);
    turns(5);
    assert_int_equal(the->in.len, 0);
    conn_pause(the->conn, false);
    turns(5);
    assert_true(slice_is(buf_bytes(&the->in), "abc"));
}

static void a_deadline_moves_and_clears(void **state) {
    (void)state;
    uint64_t from = net_now(&the->net);
    conn_deadline(the->conn, from + 60);
    conn_deadline(the->conn, from + 120);
    while (the->deadlines == 0 && net_now(&the->net) < from + 5000)
        uv_run(&the->loop, UV_RUN_ONCE);
    assert_int_equal(the->deadlines, 1);
    assert_true(the->deadline_at >= from + 120);
    assert_true(the->ticks > 0);
    from = net_now(&the->net);
    conn_deadline(the->conn, from + 60);
    conn_deadline(the->conn, 0);
    while (net_now(&the->net) < from + 200)
        uv_run(&the->loop, UV_RUN_ONCE);
    assert_int_equal(the->deadlines, 1);
}

/* A tick that came late would make a deadline late by two. */
static void ticks_come_at_the_wheels_times(void **state) {
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t next = net_now(&the->net) + uv_timer_get_due_in(&the->net.tick);
        assert_int_equal(next % WHEEL_TICK_MS, 0);
        unsigned ticks = the->ticks;
        while (the->ticks == ticks)
            uv_run(&the->loop, UV_RUN_ONCE);
    }
}

static void the_peer_has_an_address(void **state) {
    (void)state;
    char text[CONN_ADDRESS_SIZE], expected[CONN_ADDRESS_SIZE];
    struct sockaddr_in own;
    socklen_t size = sizeof own;
    getsockname(the->peer, (struct sockaddr *)&own, &size);
    snprintf(expected, sizeof expected, "127.0.0.1:%u", ntohs(own.sin_port));
    conn_address_text(&the->conn->address, text);
    assert_string_equal(text, expected);
}

static void send_wide(uint32_t len) {
    struct region r = make_frame(len);
    assert_true(conn_send_wide(the->conn, r));
    buf_append(&the->sent, r.slab->bytes + r.at, r.len);
}

/* Who gets something for themselves is written with the first, and in order all the same.
 */
static void what_goes_to_many_is_written_last(void **state) {
    (void)state;
    send_wide(100);
    assert_ptr_equal(the->net.wide.next, &the->conn->dirty);
    assert_true(list_empty(&the->net.dirty));
    send_frame(10);
    assert_ptr_equal(the->net.dirty.next, &the->conn->dirty);
    assert_true(list_empty(&the->net.wide));
    send_wide(20); /* it stays where it is */
    assert_true(list_empty(&the->net.wide));
    turn();
    assert_true(list_empty(&the->net.dirty));
    send_wide(30);
    assert_false(list_empty(&the->net.wide));
    turn();
    assert_true(list_empty(&the->net.wide));
    read_all(SIZE_MAX);
}

/* A connection that is closed while it waits among those is in no list but the one. */
static void who_is_closed_among_many_is_gone(void **state) {
    (void)state;
    send_wide(100);
    conn_close(the->conn, false);
    conn_dirty(the->conn);
    assert_true(list_empty(&the->net.wide) && list_empty(&the->net.dirty));
    assert_ptr_equal(the->net.closing.next, &the->conn->dirty);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_goes_to_many_is_written_last),
        TEST(who_is_closed_among_many_is_gone),
        TEST(neighbours_become_one),
        TEST(a_queue_is_not_full_before_its_first_chance),
        TEST(a_queue_is_full_at_its_limit),
        TEST(a_queue_that_moves_is_not_full),
        TEST(a_peer_that_lags_holds_what_it_counts),
        TEST(peers_that_lag_share_full_slabs),
        TEST(a_slab_that_nobody_holds_is_used_again),
        TEST(order_survives_partial_writes),
        TEST(many_entries_go_out_in_order),
        TEST(dropping_keeps_whole_frames),
        TEST(dropping_lets_go_of_slabs),
        TEST(dropping_keeps_http_answers),
        TEST(drained_is_told_once),
        TEST(ending_delivers_all_first),
        TEST(ending_with_nothing_queued),
        TEST(closing_drops_all),
        TEST(a_reset_is_seen_as_one),
        TEST(a_broken_connection_is_told_once),
        TEST(pausing_holds_bytes_back),
        TEST(a_deadline_moves_and_clears),
        TEST(ticks_come_at_the_wheels_times),
        TEST(the_peer_has_an_address),
    };
    return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
