/*
 * What is left when a WebSocket server does nothing but pass messages on: one epoll loop that
 * speaks just enough to be measured by build/bench/load (as=plain). The lower bound for `make
 * bench`, and no server: it knows the one key of that client, trusts it, and frees nothing.
 *
 *     limit direct|coalescing [REDIS_PORT]
 *
 * direct      a message is written to each subscriber as it comes
 * coalescing  the frames of a turn of the loop (two, if Redis has more) are joined in one write
 *             for each subscriber
 * REDIS_PORT  messages go through PUBLISH and SUBSCRIBE, one Redis channel each
 *
 * Clients say Schannel and Pchannel text; both are answered with A, the latter when Redis has
 * it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define ANSWER                                                                                 \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"        \
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
#define SCRATCH (256 * 1024)
#define BUCKETS 16384
#define NAME    64

struct bytes {
    char *at;
    size_t len, room;
};
struct conn {
    int fd; /* -1: it is closed */
    bool open, watching, dirty;
    struct bytes in, out;
};
struct channel {
    char name[NAME];
    struct channel *next; /* of its bucket */
    struct conn **subs;
    size_t count, room;
    bool confirmed; /* Redis sends its messages */
    bool dirty;
    struct bytes pending; /* frames of this turn */
};
struct list { /* of conns or channels */
    void **at;
    size_t len, room;
};

static bool coalescing;
static int poll_fd;
static struct channel *channels[BUCKETS];
static struct list dirty_conns, dirty_channels;
static struct list publishers; /* whose PUBLISH is not yet answered, in order */
static size_t answered;        /* of them */
static redisContext *pub, *sub;
static bool pub_watched, sub_watched; /* for room to write */
static char scratch[SCRATCH];

static void check(bool good, const char *what) {
    if (good)
        return;
    fprintf(stderr, "limit: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *grown(void *at, size_t size) {
    at = realloc(at, size);
    check(at != NULL, "realloc");
    return at;
}

static void append(struct bytes *b, const char *data, size_t len) {
    if (b->room - b->len < len) {
        b->room = (b->len + len) * 2;
        b->at = grown(b->at, b->room);
    }
    memcpy(b->at + b->len, data, len);
    b->len += len;
}

static void push(struct list *list, void *one) {
    if (list->len == list->room) {
        list->room = list->room * 2 + 16;
        list->at = grown(list->at, list->room * sizeof *list->at);
    }
    list->at[list->len++] = one;
}

static void watch(int fd, void *who, bool room_to_write, int operation) {
    struct epoll_event e = {.events = EPOLLIN | (room_to_write ? (uint32_t)EPOLLOUT : 0),
                            .data.ptr = who};
    check(epoll_ctl(poll_fd, operation, fd, &e) == 0, "epoll_ctl");
}

/* ---- Out */

static void conn_close(struct conn *c) {
    close(c->fd);
    c->fd = -1;
}

static void conn_flush(struct conn *c) {
    ssize_t n = c->fd >= 0 && c->out.len > 0 ? write(c->fd, c->out.at, c->out.len) : 0;
    if (n < 0 && errno != EAGAIN)
        conn_close(c);
    if (c->fd < 0)
        return;
    if (n > 0) {
        c->out.len -= (size_t)n;
        memmove(c->out.at, c->out.at + n, c->out.len);
    }
    if ((c->out.len > 0) != c->watching) {
        c->watching = !c->watching;
        watch(c->fd, c, c->watching, EPOLL_CTL_MOD);
    }
}

/* Writes now what can be written. */
static void conn_write(struct conn *c, const char *data, size_t len) {
    ssize_t n = 0;
    if (c->fd >= 0 && c->out.len == 0)
        n = write(c->fd, data, len);
    if (n < 0 && errno != EAGAIN)
        conn_close(c);
    if (c->fd < 0 || n == (ssize_t)len)
        return;
    n = n < 0 ? 0 : n;
    append(&c->out, data + n, len - (size_t)n);
    conn_flush(c);
}

static void conn_ack(struct conn *c) {
    static const char ack[] = {(char)0x81, 1, 'A'};
    if (!coalescing) {
        conn_write(c, ack, sizeof ack);
        return;
    }
    append(&c->out, ack, sizeof ack);
    if (!c->dirty)
        push(&dirty_conns, c);
    c->dirty = true;
}

static void to_all(const struct channel *ch, const char *frames, size_t len) {
    for (size_t i = 0; i < ch->count; i++)
        conn_write(ch->subs[i], frames, len);
}

static void deliver(struct channel *ch, const char *text, size_t len) {
    static struct bytes frame;
    char head[4] = {(char)0x81, (char)(len < 126 ? len : 126), (char)(len >> 8), (char)len};
    struct bytes *into = coalescing ? &ch->pending : &frame;
    append(into, head, len < 126 ? 2 : 4);
    append(into, text, len);
    if (!coalescing) {
        to_all(ch, frame.at, frame.len);
        frame.len = 0;
    } else if (!ch->dirty) {
        ch->dirty = true;
        push(&dirty_channels, ch);
    }
}

/* ---- Channels, and Redis */

static struct channel *channel_of(const char *name, size_t len) {
    uint32_t hash = 2166136261U;
    check(len < NAME, "a channel's name");
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619U;
    struct channel **at = &channels[hash % BUCKETS];
    for (; *at != NULL; at = &(*at)->next) {
        if (strncmp((*at)->name, name, len) == 0 && (*at)->name[len] == '\0')
            return *at;
    }
    *at = calloc(1, sizeof **at);
    check(*at != NULL, "calloc");
    memcpy((*at)->name, name, len);
    return *at;
}

static void redis_flush(redisContext *link, bool *watched) {
    int done;
    check(redisBufferWrite(link, &done) == REDIS_OK, "write to Redis");
    if (*watched == !done)
        return;
    *watched = !done;
    watch(link->fd, link, *watched, EPOLL_CTL_MOD);
}

static void on_subscribe(struct conn *c, const char *name, size_t len) {
    struct channel *ch = channel_of(name, len);
    if (ch->count == ch->room) {
        ch->room = ch->room * 2 + 1;
        ch->subs = grown(ch->subs, ch->room * sizeof(struct conn *));
    }
    ch->subs[ch->count++] = c;
    if (sub == NULL || ch->confirmed) {
        conn_ack(c);
    } else if (ch->count == 1) {
        redisAppendCommand(sub, "SUBSCRIBE %s", ch->name);
        redis_flush(sub, &sub_watched);
    }
}

static void on_publish(struct conn *c, const char *text, size_t len) {
    const char *space = memchr(text, ' ', len);
    check(space != NULL, "a message without a channel");
    size_t name = (size_t)(space - text), rest = len - name - 1;
    if (pub == NULL) {
        deliver(channel_of(text, name), space + 1, rest);
        conn_ack(c);
        return;
    }
    redisAppendCommand(pub, "PUBLISH %b %b", text, name, space + 1, rest);
    push(&publishers, c);
    if (!coalescing)
        redis_flush(pub, &pub_watched);
}

static void on_pub_reply(const redisReply *reply) {
    check(reply->type == REDIS_REPLY_INTEGER && answered < publishers.len, "PUBLISH");
    conn_ack(publishers.at[answered++]);
    if (answered == publishers.len)
        answered = publishers.len = 0;
}

static void on_sub_reply(const redisReply *reply) {
    check(reply->type == REDIS_REPLY_ARRAY && reply->elements == 3, "SUBSCRIBE");
    const redisReply *name = reply->element[1], *text = reply->element[2];
    struct channel *ch = channel_of(name->str, name->len);
    if (text->type == REDIS_REPLY_STRING) {
        deliver(ch, text->str, text->len);
        return;
    }
    ch->confirmed = true;
    for (size_t i = 0; i < ch->count; i++)
        conn_ack(ch->subs[i]);
}

static void redis_read(redisContext *link, void (*on_reply)(const redisReply *)) {
    void *reply = NULL;
    check(redisBufferRead(link) == REDIS_OK, "read from Redis");
    while (redisGetReplyFromReader(link, &reply) == REDIS_OK && reply != NULL) {
        on_reply(reply);
        freeReplyObject(reply);
        reply = NULL;
    }
    check(link->err == 0, "Redis");
}

/* Connects before the loop begins, and does not block from then on. */
static redisContext *redis_connect(int port) {
    redisContext *link = redisConnectNonBlock("127.0.0.1", port);
    check(link != NULL && link->err == 0, "connect to Redis");
    watch(link->fd, link, false, EPOLL_CTL_ADD);
    return link;
}

/* ---- In */

static size_t take_request(struct conn *c, const char *at, size_t len) {
    const char *end = memmem(at, len, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    c->open = memmem(at, len, KEY, strlen(KEY)) != NULL;
    if (c->open)
        conn_write(c, ANSWER, strlen(ANSWER));
    else
        conn_close(c);
    return (size_t)(end - at) + 4;
}

/* The length of the frame at `at`, which is unmasked and done; 0 if it is not all there. */
static size_t take_frame(struct conn *c, char *at, size_t len) {
    if (len < 6)
        return 0;
    unsigned char *p = (unsigned char *)at;
    size_t size = p[1] & 0x7f, head = size == 126 ? 8 : 6;
    if (len < head)
        return 0;
    if (size == 126)
        size = (size_t)p[2] << 8 | p[3];
    if (len < head + size)
        return 0;
    for (size_t i = 0; i < size; i++)
        p[head + i] ^= p[head - 4 + (i & 3)];
    const char *text = at + head;
    if (text[0] == 'S')
        on_subscribe(c, text + 1, size - 1);
    else if (text[0] == 'P')
        on_publish(c, text + 1, size - 1);
    return head + size;
}

static void conn_read(struct conn *c) {
    size_t have = c->in.len, taken = 0;
    if (have > 0)
        memcpy(scratch, c->in.at, have);
    ssize_t n = read(c->fd, scratch + have, sizeof scratch - have);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        conn_close(c);
        return;
    }
    have += (size_t)n;
    if (!c->open)
        taken = take_request(c, scratch, have);
    for (size_t more; c->open && (more = take_frame(c, scratch + taken, have - taken)) > 0;)
        taken += more;
    c->in.len = 0;
    if (taken < have)
        append(&c->in, scratch + taken, have - taken);
}

/* ---- The loop */

static void accept_all(int listener) {
    int on = 1;
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        struct conn *c = calloc(1, sizeof *c);
        check(c != NULL, "calloc");
        c->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(fd, c, false, EPOLL_CTL_ADD);
    }
}

/* What Redis still has is awaited for one turn, since its messages leave together with these.
 */
static bool holds(void) {
    static bool held;
    held = !held && answered < publishers.len;
    return held;
}

static void turn_end(void) {
    if (pub != NULL)
        redis_flush(pub, &pub_watched);
    if (holds())
        return;
    for (size_t i = 0; i < dirty_channels.len; i++) {
        struct channel *ch = dirty_channels.at[i];
        to_all(ch, ch->pending.at, ch->pending.len);
        ch->pending.len = 0;
        ch->dirty = false;
    }
    for (size_t i = 0; i < dirty_conns.len; i++) {
        struct conn *c = dirty_conns.at[i];
        c->dirty = false;
        conn_flush(c);
    }
    dirty_channels.len = dirty_conns.len = 0;
}

static void on_event(void *who, uint32_t events, int listener) {
    if (who == NULL) {
        accept_all(listener);
    } else if (who == pub || who == sub) {
        if (events & EPOLLOUT)
            redis_flush(who, who == pub ? &pub_watched : &sub_watched);
        if (events & EPOLLIN)
            redis_read(who, who == pub ? on_pub_reply : on_sub_reply);
    } else {
        struct conn *c = who;
        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            conn_read(c);
        if (c->fd >= 0 && events & EPOLLOUT)
            conn_flush(c);
    }
}

static int listen_somewhere(void) {
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof addr;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(listener >= 0 && bind(listener, (struct sockaddr *)&addr, sizeof addr) == 0 &&
              listen(listener, 4096) == 0 &&
              getsockname(listener, (struct sockaddr *)&addr, &len) == 0,
          "listen");
    watch(listener, NULL, false, EPOLL_CTL_ADD);
    printf("addr=127.0.0.1:%u\n", ntohs(addr.sin_port));
    fflush(stdout);
    return listener;
}

int main(int argc, char **argv) {
    struct rlimit files;
    struct epoll_event events[256];
    if (argc < 2 || (strcmp(argv[1], "direct") != 0 && strcmp(argv[1], "coalescing") != 0)) {
        fputs("usage: limit direct|coalescing [REDIS_PORT]\n", stderr);
        return 1;
    }
    coalescing = argv[1][0] == 'c';
    check(getrlimit(RLIMIT_NOFILE, &files) == 0, "getrlimit");
    files.rlim_cur = files.rlim_max;
    check(setrlimit(RLIMIT_NOFILE, &files) == 0, "setrlimit");
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    check(poll_fd >= 0, "epoll_create1");
    if (argc > 2) {
        pub = redis_connect(atoi(argv[2]));
        sub = redis_connect(atoi(argv[2]));
    }
    int listener = listen_somewhere();
    for (;;) {
        int n = epoll_wait(poll_fd, events, 256, -1);
        check(n >= 0 || errno == EINTR, "epoll_wait");
        for (int i = 0; i < n; i++)
            on_event(events[i].data.ptr, events[i].events, listener);
        turn_end();
    }
}
