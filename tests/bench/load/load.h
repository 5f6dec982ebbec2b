/*
 * The load client of the benchmarks: one thread, epoll, its own WebSocket framing. Its state is
 * global: a process is one measurement.
 *
 *   main.c     the command line
 *   conn.c     sockets, the handshake, frames, the loop
 *   dialect.c  what each kind of server is told, and how its frames are told apart
 *   message.c  messages: their text, and what happens when one is acknowledged or comes
 *   modes.c    the work that is done: fanout, pairs, idle, crowd
 *   sample.c   CPU time, memory, latencies, and what is printed
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define MAX_SERVERS  8
#define PAYLOAD_MOST 16384
#define SCRATCH      (256 * 1024)
#define SECOND       1000000000ULL /* of now() */

enum option {
    SUBS,
    PUBS,
    TOPICS,
    WINDOW,
    RATE,
    SECONDS,
    WARMUP,
    PAIRS,
    CONNS,
    ROOM,
    FIRST,
    PAYLOAD,
    DEFLATE,
    REDIS,
    OPTIONS
};
extern long option[OPTIONS];

enum role { SUBSCRIBER, PUBLISHER, FRIEND, IDLER };
struct bytes {
    unsigned char *at;
    size_t len, room;
};
struct conn {
    int fd;
    unsigned number;
    enum role role;
    bool open;     /* the handshake is over */
    bool ready;    /* and what its role begins with is done */
    bool watching; /* for room to write */
    bool refused;  /* of a crowd: an event was, and all are sent again */
    unsigned unacked;
    unsigned under_way; /* ends of a friend's last message that are awaited */
    uint64_t seq;       /* of the last message; 0: none yet */
    uint64_t stamp;     /* of the last message */
    struct bytes in, out;
};
extern struct conn *conns;
extern unsigned conn_count;

struct server {
    struct sockaddr_in addr;
    pid_t pid;
    clockid_t cpu;
};
extern struct server servers[MAX_SERVERS];
extern unsigned server_count;
extern clockid_t redis_cpu;

/* Since the start. */
struct counts {
    uint64_t sent, acked, delivered, disordered, others, reads, came;
};
extern struct counts counts;
extern unsigned ready_count;
extern uint64_t ticks;
extern bool running;  /* friends answer with the next message */
extern bool counting; /* latencies */
extern bool is_crowd;

/* ---- main.c */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void check(bool good, const char *what); /* or fails with errno */
uint64_t nanoseconds(clockid_t clock);
uint64_t now(void);

/* ---- conn.c */
void conn_connect(struct conn *c, unsigned number, enum role role);
/* Appends a text frame. conn_flush sends it. */
void conn_text(struct conn *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void conn_flush(struct conn *c);
void conn_ready(struct conn *c);
void loop_init(void);
void loop_ticks(long a_second);
void loop_turn(int timeout);
extern unsigned cut_off; /* connections of a crowd that came again */

/* ---- dialect.c */
struct dialect {
    const char *name;
    bool acks; /* each message is acknowledged to its publisher */
    void (*path)(const struct conn *c, char *at, size_t size);
    void (*begin)(struct conn *c); /* the handshake is over */
    void (*publish)(struct conn *c, unsigned topic, const char *payload);
    void (*tell)(struct conn *c, unsigned to, const char *payload); /* a private message */
    void (*frame)(struct conn *c, const char *text, size_t len, uint64_t when);
};
extern const struct dialect *dialect;
void dialect_choose(const char *name); /* fails if there is none */
void join_room(struct conn *c);        /* by the dialect sluice only */

/* ---- message.c */
unsigned topic_of(const struct conn *c);
uint64_t subs_of_topic(void); /* how many get a message that is published */
void message_publish(struct conn *c, unsigned topic);
void message_tell(struct conn *c); /* to its friend */
void message_acked(struct conn *c);
/* Returns whether the text has a message's mark; if so, it is counted. */
bool message_came(struct conn *c, const char *text, size_t len, uint64_t when);

/* ---- modes.c */
void mode_run(const char *name);
void try_later(struct conn *c); /* of a crowd: it begins again in a second */

/* ---- sample.c */
struct sample {
    double wall, nodes, redis, client, busy, idle; /* seconds */
    struct counts counts;
};
struct sample sample_take(void);
void sample_print(const struct sample *from, const struct sample *to, uint64_t receivers);
void latency_add(uint64_t ns);
long memory(const char *name); /* a line of the first server's /proc/PID/status, in KiB */

#endif
