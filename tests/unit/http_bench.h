#ifndef SLUICE_UNIT_HTTP_BENCH_H
#define SLUICE_UNIT_HTTP_BENCH_H

#include "common/buf.h"
#include "gateway/net/http_later.h"
#include "gateway/net/turn.h"

/*
 * A server whose router puts answers off, and its peer, in one loop. /now is answered at once,
 * /later and /watched when the test says so, /take is an upgrade, /echo takes a body of
 * BODY_MAX and sends it back, /refuse answers when a body is announced. The peer is a plain
 * socket.
 */
enum { BODY_MAX = 100, TIMEOUT_MS = 60000, LATERS = 8 };

struct http_bench {
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
    unsigned wanted; /* by what bench_until() waits for */
    unsigned laters, lates, routed, gones, bodies;
    bool watches, forgets;
    uint64_t limit_ms;
};

extern struct http_bench *bench; /* of the running test */

/* cmocka's: one for each test. After it nothing may be left, and nobody may be waited for. */
int bench_set_up(void **state);
int bench_tear_down(void **state);

/* ---- For what the tests begin by themselves */

void bench_on_gone(struct http_later *later); /* counts it in bench->gones */

/* Of a connection after /take: its bytes go to bench->taken. */
extern const struct conn_ops bench_taken_ops;

/* ---- What the peer does */

#define GET(path)           "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST(path, headers) "POST " path " HTTP/1.1\r\nHost: x\r\n" headers "\r\n"
#define LENGTH(n)           "Content-Length: " #n "\r\n"
#define CHUNKED             "Transfer-Encoding: chunked\r\n"
#define FIFTY               "12345678901234567890123456789012345678901234567890"

void bench_ask(const char *text);

/* Reads what is there into bench->got. */
void bench_read(void);
void bench_close_peer(void);

/* ---- Waiting: turns of the loop, with the peer reading */

void bench_turns(unsigned n);

/* Turns until `done`, or fails after 8 s. */
void bench_until(bool (*done)(void));
bool bench_is_over(void); /* the peer has read the end */
bool bench_is_gone(void); /* the server has let go of the connection */

/* Until the peer has so many answers; until so many are put off. */
void bench_await_answers(unsigned n);
void bench_await_laters(unsigned n);

/* ---- Answers */

/* Gives the answer that was put off as the i-th. */
void bench_finish(unsigned i, const char *body);

/* How often the text stands in what the peer has read, and that it ends with it. */
unsigned bench_count(const char *text);
void bench_assert_ends(const char *text);

#endif
