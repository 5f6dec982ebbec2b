/* Sockets, the handshake, frames, and the loop. */
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <zlib.h>

#define KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define AGREED "Sec-WebSocket-Extensions: permessage-deflate;"

static int poll_fd, tick_fd = -1;
static unsigned char scratch[SCRATCH];
uint64_t ticks;
unsigned cut_off;

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

void conn_flush(struct conn *c) {
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

static void frame_append(struct conn *c, unsigned char opcode, const char *data, size_t len) {
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

void conn_text(struct conn *c, const char *format, ...) {
    static char text[PAYLOAD_MOST + 512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    check(len >= 0 && (size_t)len < sizeof text, "a text that is too long");
    frame_append(c, 1, text, (size_t)len);
}

/* ---- In */

void conn_ready(struct conn *c) {
    c->ready = true;
    ready_count++;
}

static void on_frame(struct conn *c, unsigned opcode, const char *text, size_t len,
                     uint64_t when) {
    if (opcode == 9) {
        frame_append(c, 10, text, len);
        conn_flush(c);
    } else if (opcode == 8) {
        unsigned code =
            len < 2 ? 0 : (unsigned)(unsigned char)text[0] << 8 | (unsigned char)text[1];
        fail("connection %u: closed with %u %.*s", c->number, code, len < 2 ? 0 : (int)len - 2,
             text + 2);
    } else if (opcode != 1) {
        fail("connection %u: an unexpected frame, opcode %u", c->number, opcode);
    } else {
        dialect->frame(c, text, len, when);
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

/* The length of the answer to the handshake; 0 if it is not all there. */
static size_t take_answer(struct conn *c, const unsigned char *at, size_t len) {
    const unsigned char *end = memmem(at, len, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    size_t taken = (size_t)(end - at) + 4;
    if (memcmp(at, "HTTP/1.1 101", 12) != 0 ||
        memmem(at, taken, ACCEPT, strlen(ACCEPT)) == NULL)
        fail("connection %u: refused: %.*s", c->number, (int)taken, (const char *)at);
    if ((memmem(at, taken, AGREED, strlen(AGREED)) != NULL) != (option[DEFLATE] != 0))
        fail("connection %u: %s", c->number,
             option[DEFLATE] ? "no compression here" : "compression unasked");
    return taken;
}

/* The length of the frame at `at`, and of its head; 0 if it is not all there. */
static size_t frame_length(const struct conn *c, const unsigned char *at, size_t len,
                           size_t *head) {
    *head = 2;
    if (len < *head)
        return 0;
    size_t size = at[1] & 0x7f;
    if (size >= 126) {
        *head += size == 126 ? 2 : 8;
        if (len < *head)
            return 0;
        size = 0;
        for (size_t i = 2; i < *head; i++)
            size = size << 8 | at[i];
    }
    if (size + *head > SCRATCH)
        fail("connection %u: a frame of %zu bytes", c->number, size);
    return len < *head + size ? 0 : *head + size;
}

/* Returns how many bytes were taken: whole frames, or the answer to the handshake. */
static size_t conn_take(struct conn *c, const unsigned char *at, size_t len, uint64_t when) {
    size_t taken = 0, head, size;
    if (!c->open) {
        taken = take_answer(c, at, len);
        if (taken == 0)
            return 0;
        c->open = true;
        dialect->begin(c);
    }
    while ((size = frame_length(c, at + taken, len - taken, &head)) > 0) {
        const unsigned char *p = at + taken;
        const char *text = (const char *)p + head;
        taken += size;
        size -= head;
        if (p[0] & 0x40)
            text = inflated(p + head, &size);
        on_frame(c, p[0] & 0x0f, text, size, when);
    }
    return taken;
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
    counts.reads++;
    counts.came += (uint64_t)n;
    have += (size_t)n;
    size_t taken = conn_take(c, scratch, have, now());
    c->in.len = 0;
    if (taken < have)
        append(&c->in, scratch + taken, have - taken);
}

/* ---- The handshake */

void conn_connect(struct conn *c, unsigned number, enum role role) {
    const struct server *s = &servers[number % server_count];
    const struct linger reset = {1, 0}; /* leaves no port in TIME_WAIT */
    int on = 1;
    char path[128], request[448];
    c->number = number;
    c->role = role;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    check(c->fd >= 0, "socket");
    check(setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
    check(setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0, "SO_LINGER");
    check(connect(c->fd, (const struct sockaddr *)&s->addr, sizeof s->addr) == 0 ||
              errno == EINPROGRESS,
          "connect");
    dialect->path(c, path, sizeof path);
    int len =
        snprintf(request, sizeof request,
                 "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: " KEY "\r\n%s\r\n",
                 path, ntohs(s->addr.sin_port),
                 option[DEFLATE] ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "");
    append(&c->out, request, (size_t)len);
    watch(c, true, EPOLL_CTL_ADD);
}

/* ---- The loop */

void loop_init(void) {
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    check(poll_fd >= 0, "epoll_create1");
}

void loop_ticks(long a_second) {
    struct itimerspec every = {{a_second > 1 ? 0 : 1, a_second > 1 ? 1000000000 / a_second : 0},
                               {0, 1000000}};
    struct epoll_event e = {.events = EPOLLIN};
    tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    check(tick_fd >= 0 && timerfd_settime(tick_fd, 0, &every, NULL) == 0 &&
              epoll_ctl(poll_fd, EPOLL_CTL_ADD, tick_fd, &e) == 0,
          "timerfd");
}

void loop_turn(int timeout) {
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
