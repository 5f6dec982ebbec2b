/*
 * The load client of `make bench`: one thread, epoll, its own WebSocket framing.
 *
 *     load fanout|pairs|idle|crowd [name=N]... redis=PID HOST:PORT:PID...
 *
 * The servers are given by address and pid, so that their CPU time is read at the very ends of
 * the measured window. Prints one line of JSON; says on stderr what failed and exits with 1.
 *   fanout  subs subscribers of topics topics (1), each of one, pubs publishers. rate=0: each
 * publisher keeps window publishes outstanding, until acknowledged and delivered; else rate
 * publishes a second pairs   pairs of users who send each other private messages, each awaiting
 * the ack of the last idle    memory of conns connections: open, then logged in and in a room
 * of room members   crowd   conns connections, logged in as u<first> and so on, all subscribed
 * to one topic. It says "ready" when they are, "all" when each has the one message that
 * somebody publishes then, and stays until its input ends.
 * payload is the bytes of a message's JSON text. deflate=1: all offer permessage-deflate, and
 * inflate what they get.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define MAX_SERVERS  8
#define BURST        128 /* connections, or joins, that are under way at once */
#define PAYLOAD_MOST 16384
#define SCRATCH      (256 * 1024)
#define LATENCY_MAX  1000000 /* buckets of 10 µs; the last has all that took longer */
#define STAMP_DIGITS 16
#define KEY          "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT       "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define AGREED       "Sec-WebSocket-Extensions: permessage-deflate;"

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
static const char *const option_names[OPTIONS] = {
    "subs",  "pubs",  "topics", "window", "rate",    "seconds", "warmup",
    "pairs", "conns", "room",   "first",  "payload", "deflate", "redis"};
static long option[OPTIONS] = {1000, 4, 1, 32, 0, 10, 1, 200, 10000, 10000, 0, 128, 0, 0};

struct server {
    struct sockaddr_in addr;
    pid_t pid;
    clockid_t cpu;
};
static struct server servers[MAX_SERVERS];
static unsigned server_count;
static clockid_t redis_cpu;

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
    bool ready;    /* and the work of its role is done */
    bool watching; /* for room to write */
    bool refused;  /* of a crowd: an event was, and all are sent again */
    unsigned unacked;
    uint64_t seq; /* of the last message; 0: none yet */
    struct bytes in, out;
};
static struct conn *conns;
static unsigned conn_count;
static int poll_fd;
static int tick_fd = -1;
static unsigned char scratch[SCRATCH];
static uint32_t latencies[LATENCY_MAX];

/* Since the start. */
static uint64_t sent, acked, delivered, others, reads, came, ticks;
static unsigned ready_count;
static bool running, counting;
static bool is_crowd;
static unsigned cut_off;       /* connections of a crowd that came again */
static unsigned patience = 60; /* seconds for the work before and after the window */

static _Noreturn void fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    exit(1);
}

static void check(bool good, const char *what) {
    if (!good)
        fail("%s: %s", what, strerror(errno));
}

static uint64_t nanoseconds(clockid_t clock) {
    struct timespec t;
    check(clock_gettime(clock, &t) == 0, "a process is gone: clock_gettime");
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t now(void) {
    return nanoseconds(CLOCK_MONOTONIC);
}

/* ---- Out */

static void append(struct bytes *b, const void *data, size_t len) {
    if (b->room - b->len < len) {
        b->room = (b->len + len) * 2;
        b->at = realloc(b->at, b->room);
        check(b->at != NULL, "realloc");
    }
    if (len > 0)
        memcpy(b->at + b->len, data, len);
    b->len += len;
}

static void watch(struct conn *c, bool room_to_write, int operation) {
    struct epoll_event e = {.events = EPOLLIN | (room_to_write ? (uint32_t)EPOLLOUT : 0),
                            .data.ptr = c};
    c->watching = room_to_write;
    check(epoll_ctl(poll_fd, operation, c->fd, &e) == 0, "epoll_ctl");
}

static void conn_connect(struct conn *c, unsigned number, enum role role);

/* Who belongs to a crowd and is cut off while it comes in tries again, as clients do. */
static bool comes_again(struct conn *c) {
    if (!is_crowd || c->ready)
        return false;
    close(c->fd);
    c->open = c->refused = false;
    c->unacked = 0;
    c->in.len = c->out.len = 0;
    cut_off++;
    conn_connect(c, c->number, c->role);
    return true;
}

static void conn_flush(struct conn *c) {
    ssize_t n = c->out.len > 0 ? write(c->fd, c->out.at, c->out.len) : 0;
    if (n < 0 && errno != EAGAIN && comes_again(c))
        return;
    if (n < 0 && errno != EAGAIN)
        fail("connection %u: write: %s", c->number, strerror(errno));
    if (n > 0) {
        c->out.len -= (size_t)n;
        memmove(c->out.at, c->out.at + n, c->out.len);
    }
    if ((c->out.len > 0) != c->watching)
        watch(c, c->out.len > 0, EPOLL_CTL_MOD);
}

static void conn_frame(struct conn *c, unsigned char opcode, const char *data, size_t len) {
    static uint32_t mask = 0x9e3779b9;
    mask = mask * 1664525 + 1013904223;
    unsigned char key[4], head[4] = {(unsigned char)(0x80 | opcode)};
    memcpy(key, &mask, sizeof key);
    head[1] = (unsigned char)(0x80 | (len < 126 ? len : 126));
    head[2] = (unsigned char)(len >> 8);
    head[3] = (unsigned char)len;
    append(&c->out, head, len < 126 ? 2 : 4);
    append(&c->out, key, sizeof key);
    append(&c->out, data, len);
    unsigned char *payload = c->out.at + c->out.len - len;
    for (size_t i = 0; i < len; i++)
        payload[i] ^= key[i % 4];
}

/* Appends an event with this data, and waits for its ack. conn_flush sends it. */
__attribute__((format(printf, 3, 4))) static void conn_event(struct conn *c, const char *event,
                                                             const char *format, ...) {
    static char text[PAYLOAD_MOST + 512], data[PAYLOAD_MOST + 256];
    va_list args;
    va_start(args, format);
    vsnprintf(data, sizeof data, format, args);
    va_end(args);
    int len =
        snprintf(text, sizeof text, "{\"event\":\"%s\",\"data\":{%s},\"ack\":1}", event, data);
    conn_frame(c, 1, text, (size_t)len);
    c->unacked++;
}

/* A time, and words that are another choice each time. Without its end it has the quotes. */
static const char *payload(uint64_t stamp) {
    static const char *const words[] = {
        "the",      "order",    "is",     "waiting",   "please", "look",   "at",    "invoice",
        "that",     "customer", "wrote",  "yesterday", "and",    "we",     "have",  "not",
        "answered", "yet",      "who",    "can",       "take",   "it",     "over",  "before",
        "lunch",    "I",        "will",   "be",        "back",   "around", "three", "thanks",
        "a",        "lot",      "for",    "your",      "help",   "with",   "this",  "server",
        "restart",  "was",      "fine",   "but",       "queue",  "still",  "grows", "slowly",
        "maybe",    "somebody", "should", "call",      "them",   "today",  "or",    "tomorrow",
        "morning",  "in",       "any",    "case",      "their",  "number", "on",    "page"};
    static char text[PAYLOAD_MOST];
    static uint32_t dice = 1;
    size_t len = (size_t)option[PAYLOAD] - 2;
    size_t at = (size_t)snprintf(text, sizeof text, "%0*" PRIx64, STAMP_DIGITS, stamp);
    while (at < len) {
        dice = dice * 1664525 + 1013904223;
        at += (size_t)snprintf(text + at, sizeof text - at, " %s", words[dice >> 26]);
    }
    text[len] = '\0';
    return text;
}

static unsigned topic_of(const struct conn *c) {
    return c->number % (unsigned)option[TOPICS];
}

/* How many get a message that is published. */
static uint64_t subs_of_topic(void) {
    return (uint64_t)(option[SUBS] / option[TOPICS]);
}

static void conn_publish(struct conn *c) {
    conn_event(c, "publish", "\"channel\":\"topic:bench%u\",\"data\":\"%s\"", topic_of(c),
               payload(now()));
    sent++;
}

static void conn_message(struct conn *c) {
    conn_event(c, "private_message", "\"receiverId\":\"u%lu\",\"content\":\"%s\"",
               (unsigned long)option[FIRST] + (c->number ^ 1), payload(now()));
    sent++;
}

/* ---- In */

static void conn_ready(struct conn *c) {
    c->ready = true;
    ready_count++;
}

static void conn_begin(struct conn *c) {
    conn_event(c, "login", "\"userId\":\"u%lu\"", (unsigned long)option[FIRST] + c->number);
    if (c->role == SUBSCRIBER)
        conn_event(c, "subscribe", "\"channel\":\"topic:bench%u\"", topic_of(c));
    conn_flush(c);
}

static void conn_opened(struct conn *c) {
    c->open = true;
    if (c->role == IDLER)
        conn_ready(c);
    else
        conn_begin(c);
}

/* Those that a node refused while Redis was away come again, as clients do. */
static struct {
    struct conn **conns;
    unsigned count;
    uint64_t due;
} again;

static void try_later(struct conn *c) {
    if (again.conns == NULL)
        again.conns = calloc((size_t)option[CONNS], sizeof *again.conns);
    check(again.conns != NULL, "calloc");
    if (again.count == 0)
        again.due = now() + 1000000000;
    again.conns[again.count++] = c;
}

static void try_again(void) {
    if (again.count == 0 || now() < again.due)
        return;
    unsigned count = again.count;
    again.count = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!again.conns[i]->refused)
            continue; /* it was cut off meanwhile */
        again.conns[i]->refused = false;
        conn_begin(again.conns[i]);
    }
}

static void on_ack(struct conn *c, const char *text, size_t len) {
    bool refused = memmem(text, len < 24 ? len : 24, "\"error\"", 7) != NULL;
    bool passes = is_crowd && (c->refused || memmem(text, len, "\"unavailable\"", 13) != NULL);
    if (refused && !passes) /* an event after a login that was refused is refused, too */
        fail("connection %u: refused: %.*s", c->number, (int)len, text);
    if (c->unacked == 0)
        fail("connection %u: an ack too many: %.*s", c->number, (int)len, text);
    c->unacked--;
    c->refused = c->refused || refused;
    if (c->refused) {
        if (c->unacked == 0)
            try_later(c);
        return;
    }
    if (c->ready)
        acked++;
    else if (c->unacked == 0)
        conn_ready(c);
    if (c->role == FRIEND && running && c->ready) {
        conn_message(c);
        conn_flush(c);
    }
}

static uint64_t frame_seq(const char *text, size_t len) {
    static size_t offset; /* of the last frame: usually it is the same */
    if (offset + 6 > len || memcmp(text + offset, "\"seq\":", 6) != 0) {
        const char *at = memmem(text, len, "\"seq\":", 6);
        if (at == NULL)
            fail("a frame without seq: %.*s", (int)len, text);
        offset = (size_t)(at - text);
    }
    return strtoull(text + offset + 6, NULL, 10);
}

/* A topic's messages come without a hole. The numbers of an inbox count sent messages, too. */
static void on_message(struct conn *c, const char *text, size_t len, uint64_t when) {
    delivered++;
    if (c->role == SUBSCRIBER) {
        uint64_t seq = frame_seq(text, len);
        if (c->seq != 0 && seq != c->seq + 1)
            fail("connection %u: seq %" PRIu64 " after %" PRIu64, c->number, seq, c->seq);
        c->seq = seq;
    }
    size_t stamped = (size_t)option[PAYLOAD];
    if (!counting || len <= stamped)
        return;
    static const char before[] = "\"content\":\"";
    const char *stamp = c->role == SUBSCRIBER ? text + len - stamped
                                              : memmem(text, len, before, sizeof before - 1);
    if (stamp == NULL)
        return;
    if (c->role != SUBSCRIBER)
        stamp += sizeof before - 1;
    uint64_t taken = (when - strtoull(stamp, NULL, 16)) / 10000;
    latencies[taken < LATENCY_MAX ? taken : LATENCY_MAX - 1]++;
}

static void on_frame(struct conn *c, unsigned opcode, const char *text, size_t len,
                     uint64_t when) {
    if (opcode == 9) {
        conn_frame(c, 10, text, len);
        conn_flush(c);
    } else if (opcode == 8) {
        unsigned code =
            len < 2 ? 0 : (unsigned)(unsigned char)text[0] << 8 | (unsigned char)text[1];
        fail("connection %u: closed with %u %.*s", c->number, code, len < 2 ? 0 : (int)len - 2,
             text + 2);
    } else if (opcode != 1 || len < 10) {
        fail("connection %u: an unexpected frame, opcode %u", c->number, opcode);
    } else if (memcmp(text, "{\"ack\":", 7) == 0) {
        on_ack(c, text, len);
    } else if (c->role != IDLER && memcmp(text, "{\"channel\"", 10) == 0) {
        on_message(c, text, len, when);
    } else if (memmem(text, len < 40 ? len : 40, "\"error\"", 7) != NULL ||
               memmem(text, len < 40 ? len : 40, "\"channel_reset\"", 15) != NULL) {
        fail("connection %u: %.*s", c->number, (int)len, text);
    } else {
        others++;
    }
}

/* The text of a compressed frame, valid until the next one. */
static const char *inflated(const unsigned char *at, size_t *len) {
    static unsigned char text[SCRATCH];
    static z_stream z;
    static bool made;
    unsigned char tail[] = {0, 0, 0xff, 0xff};
    check(made || inflateInit2(&z, -15) == Z_OK, "inflateInit2");
    made = true;
    inflateReset(&z);
    z.next_out = text;
    z.avail_out = sizeof text;
    for (int part = 0; part < 2; part++) {
        z.next_in = part == 0 ? (Bytef *)(uintptr_t)at : tail;
        z.avail_in = part == 0 ? (uInt)*len : sizeof tail;
        if (inflate(&z, Z_SYNC_FLUSH) != Z_OK || z.avail_in > 0)
            fail("a frame that cannot be inflated");
    }
    *len = sizeof text - z.avail_out;
    return (const char *)text;
}

/* Returns how many bytes were taken: whole frames, or the answer to the handshake. */
static size_t conn_take(struct conn *c, const unsigned char *at, size_t len, uint64_t when) {
    size_t taken = 0;
    if (!c->open) {
        const unsigned char *end = memmem(at, len, "\r\n\r\n", 4);
        if (end == NULL)
            return 0;
        taken = (size_t)(end - at) + 4;
        if (memcmp(at, "HTTP/1.1 101", 12) != 0 ||
            memmem(at, taken, ACCEPT, strlen(ACCEPT)) == NULL)
            fail("connection %u: refused: %.*s", c->number, (int)taken, (const char *)at);
        if ((memmem(at, taken, AGREED, strlen(AGREED)) != NULL) != (option[DEFLATE] != 0))
            fail("connection %u: %s", c->number,
                 option[DEFLATE] ? "no compression here" : "compression unasked");
        conn_opened(c);
    }
    for (;;) {
        const unsigned char *p = at + taken;
        size_t left = len - taken, head = 2;
        if (left < head)
            return taken;
        size_t size = p[1] & 0x7f;
        if (size >= 126) {
            size_t digits = size == 126 ? 2 : 8;
            head += digits;
            if (left < head)
                return taken;
            size = 0;
            for (size_t i = 2; i < head; i++)
                size = size << 8 | p[i];
        }
        if (size + head > SCRATCH)
            fail("connection %u: a frame of %zu bytes", c->number, size);
        if (left < head + size)
            return taken;
        taken += head + size;
        const char *text = (const char *)p + head;
        if (p[0] & 0x40)
            text = inflated(p + head, &size);
        on_frame(c, p[0] & 0x0f, text, size, when);
    }
}

static void conn_read(struct conn *c) {
    size_t have = c->in.len;
    if (have > 0)
        memcpy(scratch, c->in.at, have);
    ssize_t n = read(c->fd, scratch + have, sizeof scratch - have);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 && comes_again(c))
        return;
    if (n <= 0)
        fail("connection %u: %s", c->number, n < 0 ? strerror(errno) : "ended by the server");
    reads++;
    came += (uint64_t)n;
    have += (size_t)n;
    size_t taken = conn_take(c, scratch, have, now());
    c->in.len = 0;
    if (taken < have)
        append(&c->in, scratch + taken, have - taken);
}

static void conn_connect(struct conn *c, unsigned number, enum role role) {
    const struct server *s = &servers[number % server_count];
    const struct linger reset = {1, 0}; /* leaves no port in TIME_WAIT */
    int on = 1;
    char request[320];
    c->number = number;
    c->role = role;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    check(c->fd >= 0, "socket");
    check(setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
    check(setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0, "SO_LINGER");
    check(connect(c->fd, (const struct sockaddr *)&s->addr, sizeof s->addr) == 0 ||
              errno == EINPROGRESS,
          "connect");
    int len =
        snprintf(request, sizeof request,
                 "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: " KEY "\r\n%s\r\n",
                 ntohs(s->addr.sin_port),
                 option[DEFLATE] ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "");
    append(&c->out, request, (size_t)len);
    watch(c, true, EPOLL_CTL_ADD);
}

/* ---- The loop */

static void turn(int timeout) {
    struct epoll_event events[256];
    int n = epoll_wait(poll_fd, events, 256, timeout);
    check(n >= 0 || errno == EINTR, "epoll_wait");
    for (int i = 0; i < n; i++) {
        struct conn *c = events[i].data.ptr;
        uint64_t due;
        if (c == NULL) {
            if (read(tick_fd, &due, sizeof due) == sizeof due)
                ticks += due;
            continue;
        }
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            conn_read(c);
        if (events[i].events & EPOLLOUT)
            conn_flush(c);
    }
}

static void wait_for(const uint64_t *counter, uint64_t wanted, const char *what) {
    uint64_t limit = now() + (uint64_t)patience * 1000000000;
    while (*counter < wanted) {
        turn(100);
        if (now() > limit)
            fail("%" PRIu64 " of %" PRIu64 " %s within %u s", *counter, wanted, what, patience);
    }
    if (*counter > wanted)
        fail("%" PRIu64 " %s, expected %" PRIu64, *counter, what, wanted);
}

static void open_all(unsigned count, unsigned publishers, enum role role) {
    uint64_t limit = now() + (uint64_t)patience * 1000000000;
    conns = calloc(count, sizeof *conns);
    check(conns != NULL, "calloc");
    while (ready_count < count) {
        for (; conn_count < count && conn_count - ready_count < BURST; conn_count++)
            conn_connect(&conns[conn_count], conn_count,
                         conn_count < publishers ? PUBLISHER : role);
        turn(100);
        try_again();
        if (now() > limit)
            fail("%u of %u connections ready within %u s", ready_count, count, patience);
    }
}

static void publish(uint64_t subscribers, unsigned publishers) {
    uint64_t most = (uint64_t)option[WINDOW] * publishers;
    static unsigned turn_of;
    if (option[RATE] > 0) {
        for (; ticks > 0; ticks--, turn_of++) {
            conn_publish(&conns[turn_of % publishers]);
            conn_flush(&conns[turn_of % publishers]);
        }
        return;
    }
    for (unsigned i = 0; i < publishers; i++) {
        while (conns[i].unacked < option[WINDOW] &&
               sent * subscribers < delivered + most * subscribers)
            conn_publish(&conns[i]);
        conn_flush(&conns[i]);
    }
}

static void run(double seconds) {
    uint64_t end = now() + (uint64_t)(seconds * 1e9);
    while (now() < end) {
        if (conns[0].role == PUBLISHER)
            publish(subs_of_topic(), (unsigned)option[PUBS]);
        turn(10);
    }
}

/* ---- What was measured */

struct sample {
    double wall, nodes, redis, client, busy, idle; /* seconds */
    uint64_t acked, delivered, reads, came;
};

static struct sample sample_take(void) {
    struct sample s = {.acked = acked, .delivered = delivered, .reads = reads, .came = came};
    s.wall = (double)now() / 1e9;
    for (unsigned i = 0; i < server_count; i++)
        s.nodes += (double)nanoseconds(servers[i].cpu) / 1e9;
    s.redis = (double)nanoseconds(redis_cpu) / 1e9;
    s.client = (double)nanoseconds(CLOCK_PROCESS_CPUTIME_ID) / 1e9;
    unsigned long long t[8] = {0};
    FILE *f = fopen("/proc/stat", "r");
    check(f != NULL && fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1],
                              &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]) == 8,
          "/proc/stat");
    fclose(f);
    double hz = (double)sysconf(_SC_CLK_TCK);
    s.busy = (double)(t[0] + t[1] + t[2] + t[5] + t[6] + t[7]) / hz; /* with stolen time */
    s.idle = (double)(t[3] + t[4]) / hz;
    return s;
}

static double percentile(double part) {
    uint64_t total = 0, below = 0;
    for (size_t i = 0; i < LATENCY_MAX; i++)
        total += latencies[i];
    for (size_t i = 0; i < LATENCY_MAX; i++) {
        below += latencies[i];
        if (below > 0 && (double)below >= part * (double)total)
            return (double)i * 10;
    }
    return 0;
}

static void measure(void) {
    running = true;
    for (unsigned i = 0; i < conn_count && conns[i].role == FRIEND; i++) {
        conn_message(&conns[i]);
        conn_flush(&conns[i]);
    }
    run((double)option[WARMUP]);
    struct sample a = sample_take();
    counting = true;
    run((double)option[SECONDS]);
    struct sample b = sample_take();
    counting = running = false;
    wait_for(&acked, sent, "messages acknowledged");
    wait_for(&delivered, sent * (conns[0].role == FRIEND ? 1 : subs_of_topic()), "deliveries");

    double wall = b.wall - a.wall, nodes = b.nodes - a.nodes, redis = b.redis - a.redis;
    double client = b.client - a.client, rest = b.busy - a.busy - nodes - redis - client;
    double messages = (double)(b.acked - a.acked),
           received = (double)(b.delivered - a.delivered);
    if (messages == 0 || received == 0)
        fail("%.0f acks and %.0f deliveries within the window: too short", messages, received);
    printf("{\"seconds\":%.3f,\"messages\":%.0f,\"deliveries\":%.0f,\"node_us\":%.3f,"
           "\"redis_us\":%.3f,\"client_us\":%.3f,\"frames_a_read\":%.2f,\"bytes\":%.1f,"
           "\"p50_us\":%.0f,"
           "\"p99_us\":%.0f,\"cores\":{\"nodes\":%.3f,\"redis\":%.3f,\"client\":%.3f,"
           "\"others\":%.3f,\"idle\":%.3f}}\n",
           wall, messages, received, nodes / received * 1e6, redis / messages * 1e6,
           client / received * 1e6, received / (double)(b.reads - a.reads),
           (double)(b.came - a.came) / received, percentile(0.5), percentile(0.99),
           nodes / wall, redis / wall, client / wall, rest > 0 ? rest / wall : 0,
           (b.idle - a.idle) / wall);
}

static void fanout(void) {
    if (option[RATE] > 0) {
        struct itimerspec every = {{0, 1000000000 / option[RATE]}, {0, 1000000}};
        struct epoll_event e = {.events = EPOLLIN};
        tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        check(tick_fd >= 0 && timerfd_settime(tick_fd, 0, &every, NULL) == 0 &&
                  epoll_ctl(poll_fd, EPOLL_CTL_ADD, tick_fd, &e) == 0,
              "timerfd");
    }
    open_all((unsigned)(option[SUBS] + option[PUBS]), (unsigned)option[PUBS], SUBSCRIBER);
    ticks = 0;
    measure();
}

/* A line of /proc/PID/status, in KiB. */
static long memory(const char *name) {
    char path[64], line[256];
    long value = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)servers[0].pid);
    FILE *f = fopen(path, "r");
    check(f != NULL, path);
    while (fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtol(line + strlen(name) + 1, NULL, 10);
    }
    fclose(f);
    return value;
}

/* Waits until nothing came for a second, so that timers and rosters are done. */
static void settle(void) {
    uint64_t limit = now() + (uint64_t)patience * 1000000000, quiet = now(), seen = reads;
    while (now() < quiet + 1000000000 && now() < limit) {
        turn(100);
        if (reads != seen)
            quiet = now();
        seen = reads;
    }
}

static void idle(void) {
    unsigned count = (unsigned)option[CONNS], joins = 0;
    long before = memory("VmRSS");
    uint64_t t0 = now();
    open_all(count, 0, IDLER);
    double opening = (double)(now() - t0) / 1e9;
    settle();
    long open = memory("VmRSS");
    uint64_t t1 = now(), limit = t1 + (uint64_t)patience * 1000000000;
    while (acked < count) {
        for (; joins < count && joins - acked < BURST; joins++) {
            conn_event(&conns[joins], "join", "\"id\":\"u%u\",\"room\":\"bench%ld\"", joins,
                       joins / option[ROOM]);
            conn_flush(&conns[joins]);
        }
        turn(100);
        if (now() > limit)
            fail("%" PRIu64 " of %u joins within %u s", acked, count, patience);
    }
    double joining = (double)(now() - t1) / 1e9;
    settle();
    long joined = memory("VmRSS");
    printf("{\"conns\":%u,\"before_kib\":%ld,\"open_bytes\":%.0f,\"joined_bytes\":%.0f,"
           "\"peak_bytes\":%.0f,\"opened_a_second\":%.0f,\"joined_a_second\":%.0f,"
           "\"frames\":%" PRIu64 "}\n",
           count, before, (double)(open - before) * 1024 / count,
           (double)(joined - before) * 1024 / count,
           (double)(memory("VmHWM") - before) * 1024 / count, count / opening, count / joining,
           others);
}

/* The input ends when nobody wants the crowd any more. */
static bool input_ended(void) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char byte;
    return poll(&input, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

static void crowd(void) {
    unsigned count = (unsigned)option[CONNS];
    bool told = false;
    is_crowd = true;
    patience = 3600;
    open_all(count, 0, SUBSCRIBER);
    if (cut_off > 0)
        fprintf(stderr, "load: %u connections were cut off on their way in\n", cut_off);
    puts("ready");
    fflush(stdout);
    while (!input_ended()) {
        turn(100);
        if (told || delivered < count)
            continue;
        told = true;
        puts("all");
        fflush(stdout);
    }
}

/* ---- The command line */

static void clock_of(long pid, clockid_t *clock) {
    int error = clock_getcpuclockid((pid_t)pid, clock);
    if (error != 0)
        fail("process %ld: %s", pid, strerror(error));
}

static void parse(const char *arg) {
    char host[64];
    unsigned port;
    int pid;
    for (unsigned i = 0; i < OPTIONS; i++) {
        size_t len = strlen(option_names[i]);
        if (strncmp(arg, option_names[i], len) == 0 && arg[len] == '=') {
            char *end;
            option[i] = strtol(arg + len + 1, &end, 10);
            if (*end != '\0' || option[i] < 0)
                fail("%s: not a number", arg);
            return;
        }
    }
    struct server *s = &servers[server_count];
    if (server_count == MAX_SERVERS || sscanf(arg, "%63[0-9.]:%u:%d", host, &port, &pid) != 3 ||
        inet_pton(AF_INET, host, &s->addr.sin_addr) != 1)
        fail("%s: neither name=N nor HOST:PORT:PID", arg);
    s->addr.sin_family = AF_INET;
    s->addr.sin_port = htons((uint16_t)port);
    s->pid = pid;
    clock_of(pid, &s->cpu);
    server_count++;
}

int main(int argc, char **argv) {
    struct rlimit files;
    for (int i = 2; i < argc; i++)
        parse(argv[i]);
    if (option[PAYLOAD] < 32 || option[PAYLOAD] > PAYLOAD_MOST)
        fail("payload: 32 to %d bytes", PAYLOAD_MOST);
    if (server_count == 0 || option[REDIS] == 0 || option[ROOM] == 0 || option[PUBS] == 0)
        fail("usage: load fanout|pairs|idle|crowd [name=N]... redis=PID HOST:PORT:PID...");
    clock_of(option[REDIS], &redis_cpu);
    check(getrlimit(RLIMIT_NOFILE, &files) == 0, "getrlimit");
    files.rlim_cur = files.rlim_max;
    check(setrlimit(RLIMIT_NOFILE, &files) == 0, "setrlimit");
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    check(poll_fd >= 0, "epoll_create1");

    if (strcmp(argv[1], "fanout") == 0) {
        fanout();
    } else if (strcmp(argv[1], "pairs") == 0) {
        open_all((unsigned)option[PAIRS] * 2, 0, FRIEND);
        measure();
    } else if (strcmp(argv[1], "idle") == 0) {
        idle();
    } else if (strcmp(argv[1], "crowd") == 0) {
        crowd();
    } else {
        fail("%s: fanout, pairs, idle or crowd", argv[1]);
    }
    return 0;
}
