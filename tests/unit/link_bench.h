#ifndef SLUICE_UNIT_LINK_BENCH_H
#define SLUICE_UNIT_LINK_BENCH_H

#include "gateway/redis/link.h"

/*
 * A fake Redis, and the link that talks to it, in one loop. It greets as a Redis does, and
 * answers by the rules. The commands that came, and the link's callbacks, are kept as text.
 */
struct link_rule {
    const char *command; /* applies to commands that begin with this */
    const char *answer;  /* NULL: closes the connection; "": none */
};

struct link_bench {
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_prepare_t flush;
    uv_idle_t trickle;
    uv_timer_t clock;

    struct link_rule rules[4];
    unsigned hold; /* answer only when so many commands were seen */
    size_t step;   /* bytes of an answer that go out in one turn; 0: all */
    uv_tcp_t *peer;
    struct reply_reader *reader;
    struct buf seen;    /* each command's words, followed by a | */
    struct buf answers; /* not yet written */
    unsigned commands;
    unsigned accepted;

    struct redis_address address;
    struct link link;
    bool no_flush;
    unsigned push_us; /* handling a push takes this */
    unsigned ready, down, closed;
    struct buf log; /* the link's callbacks: outcomes, pushes, errors */
    char why[256];
};

extern struct link_bench *bench; /* of the running test */

/* For cmocka: one bench for each test. The tear-down checks that nothing is left: no handle in
 * the loop, no byte. */
int bench_set_up(void **state);
int bench_tear_down(void **state);

/* The commands of a greeting without a user, as bench->seen has them. */
#define PLAIN "CLIENT SETNAME unit|CLIENT ID|INFO server|INFO replication|PING|"

/* Opens the link, waits until it is ready, and clears the texts. */
void bench_open(void);

/* Closes the link and waits until it is closed, which it must tell once. */
void bench_close_link(void);

/* The fake Redis closes its connection. */
void bench_drop_peer(void);

/* Sends a command of one word, with bench_on_done. */
void bench_send_word(const char *word);

/* For link_send: writes "arg=reply " or "arg=outcome " into bench->log. */
void bench_on_done(void *arg, const struct reply *reply, enum outcome outcome);

void bench_turns(unsigned n);

/* Turns until the count is at least that; false after 8 s. */
bool bench_wait_for(const unsigned *count, unsigned least);

void bench_assert_buf(const struct buf *b, const char *expected);

#endif
