#ifndef SLUICE_UNIT_HTTP_BENCH_H
#define SLUICE_UNIT_HTTP_BENCH_H

#include "common/buf.h"
#include "gateway/net/http_later.h"
#include "gateway/net/turn.h"

/*
 * A server whose router defers answers, and its peer, in one loop. /now is answered at once,
 * /later and /watched when the test says so, /take is an upgrade, /echo takes a body of
 * BODY_MAX and sends it back, /refuse answers when a body is announced. The peer is a plain
 * socket.
 */
enum { BODY_MAX = 100, TIMEOUT_MS = 60000, LATERS = 8 };

struct http_bench {
    uv_loop_t loop;
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
    unsigned wanted; /* the number for which bench_until() waits */
    unsigned laters, lates, routed, gones, bodies;
    bool watches, forgets;
    uint64_t limit_ms;
};

extern struct http_bench *bench; /* of the running test */

/* For cmocka: one bench for each test. The tear-down checks that nothing is left, and that
 * nothing waits. */
int bench_set_up(void **state);
int bench_tear_down(void **state);

/* ---- For connections that the tests handle themselves */

void bench_on_gone(struct http_later *later); /* counts it in bench->gones */

/* Of a connection after /take: its bytes go to bench->taken. */
extern const struct conn_ops bench_taken_ops;

/* ---- The peer */

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

/* Waits until the peer has so many answers; until so many are deferred. */
void bench_await_answers(unsigned n);
void bench_await_laters(unsigned n);

/* ---- Answers */

/* Gives the i-th answer that was deferred. */
void bench_finish(unsigned i, const char *body);

/* How often the text is in the bytes that the peer has read; checks that they end with it. */
unsigned bench_count(const char *text);
void bench_assert_ends(const char *text);

#endif
