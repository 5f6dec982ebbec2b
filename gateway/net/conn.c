#include "gateway/net/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/listen.h"
#include "gateway/read_buffer.h"

#define SHAKE_AGAIN 32 /* handshakes that waited and are taken up again in a turn */
/* With a rate-limit, bytes of a read for each unit a second. What one read brings is handled
 * before a connection can be slowed down, and a frame takes 6 bytes at least: so one read costs
 * some 3 s, and much less than the most that a connection may owe (common/rate.h). Where
 * messages may be compressed, READ_LEAST bytes may be worth a thousand times as much. */
#define READ_BYTES_A_UNIT 16
#define READ_LEAST        1024

/* --- reading --------------------------------------------------------------------------------
 */

static void take_plain(struct conn *c, const char *bytes, size_t len) {
    metric_add(c->net->metrics, METRIC_RECEIVED_BYTES + c->door, len);
    c->asking = true;
    c->ops->on_bytes(c, bytes, len);
    c->asking = false;
}

/* n: what read() said, or a libuv error. */
static void take_records(struct conn *c, const char *bytes, ssize_t n) {
    struct conn_tls *t = c->tls;
    struct slice plain = {NULL, 0};
    if (n < 0)
        conn_tls_ended(c->net, t, (int)n, &c->address);
    else
        conn_tls_read(c->net, t, (struct slice){bytes, (size_t)n}, &c->address, &plain);
    if (!c->writing && (t->tls.out.len > 0 || c->queue->bytes > 0))
        conn_dirty(c); /* answers of the handshake, or what has waited for its end */
    if (plain.len > 0)
        take_plain(c, plain.ptr, plain.len);
    conn_tell_end(c);
}

static size_t read_most(const struct conn *c, size_t room) {
    uint64_t rate = c->net->rate, most = c->inflates ? 0 : rate * READ_BYTES_A_UNIT;
    if (rate == 0 || most >= room)
        return room;
    return most > READ_LEAST ? (size_t)most : READ_LEAST;
}

static void read_set(struct conn *c, bool on) {
    c->reading = on;
    conn_watch(c);
}

/* Reads once a turn: who sends more waits for others to be read. What is read is used up or
 * copied before this returns, so one buffer is enough for all. */
static void read_once(struct conn *c) {
    uv_buf_t buffer;
    if (c->tls != NULL && conn_tls_must_wait(c->net, c->tls)) {
        read_set(c, false);
        if (list_empty(&c->tls->link))
            list_push(&c->net->shaking, &c->tls->link);
        return;
    }
    read_buffer(NULL, 0, &buffer);
    ssize_t n = read(c->fd, buffer.base, read_most(c, buffer.len));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        n = n == 0 ? UV_EOF : uv_translate_sys_error(errno);
        read_set(c, false); /* the end would be told again and again */
    }
    if (c->tls != NULL)
        take_records(c, buffer.base, n);
    else if (n < 0)
        c->ops->on_end(c, (int)n);
    else
        take_plain(c, buffer.base, (size_t)n);
}

void conn_shake_on(struct net *n) {
    n->shaking_ns = 0;
    for (unsigned i = 0; i < SHAKE_AGAIN && !list_empty(&n->shaking); i++) {
        struct conn_tls *t = container_of(n->shaking.next, struct conn_tls, link);
        list_remove(&t->link);
        if (!t->conn->closed && !conn_holds_back(t->conn))
            read_set(t->conn, true);
    }
    if (!list_empty(&n->shaking))
        net_again(n);
}

/* A connection that is not read for a time. Few are. */
struct conn_slowed {
    struct list link; /* in net->slowed */
    struct conn *conn;
    uint64_t until;
};

static void update_reading(struct conn *c, bool before) {
    bool after = conn_holds_back(c);
    if (c->closed || c->connecting || before == after)
        return; /* reading begins when it is established */
    read_set(c, !after);
    if (!after && c->tls != NULL && c->tls->end != 0 && !c->writing)
        conn_dirty(c); /* so that the end is told, in a later turn */
}

void conn_pause(struct conn *c, bool pause) {
    bool before = conn_holds_back(c);
    if (c->closed)
        return;
    c->paused = pause;
    update_reading(c, before);
}

static void forget_slowed(struct conn *c) {
    if (c->slowed == NULL)
        return;
    list_remove(&c->slowed->link);
    free(c->slowed);
    c->slowed = NULL;
}

bool conn_slow(struct conn *c, uint64_t until) {
    bool before = conn_holds_back(c), first = c->slowed == NULL;
    if (c->closed)
        return false;
    if (until == 0) {
        forget_slowed(c);
    } else if (first) {
        c->slowed = malloc(sizeof *c->slowed);
        if (c->slowed == NULL) {
            conn_close(c, true); /* it would ask for too much without an end */
            return false;
        }
        list_push(&c->net->slowed, &c->slowed->link);
        c->slowed->conn = c;
    }
    if (c->slowed != NULL)
        c->slowed->until = until;
    update_reading(c, before);
    return first && until != 0;
}

void conn_tick(struct net *n) {
    for (struct list *at = n->slowed.next, *next; at != &n->slowed; at = next) {
        const struct conn_slowed *s = container_of(at, struct conn_slowed, link);
        next = at->next;
        if (net_now(n) >= s->until)
            conn_slow(s->conn, 0); /* reads nothing in this call */
    }
}

/* --- life -----------------------------------------------------------------------------------
 */

void conn_bury(struct net *n) {
    struct list now;
    list_init(&now);
    list_splice(&now, &n->closing);
    while (!list_empty(&now)) {
        struct conn *c = container_of(now.next, struct conn, dirty);
        list_remove(&c->dirty);
        conn_free_queue(c);
        list_remove(&c->link);
        n->count--;
        n->doors[c->door]--;
        if (c->ops != NULL)
            c->ops->on_closed(c);
        n->on_gone(n->owner, c);
        if (c->tls != NULL)
            conn_tls_free(c->tls);
        free(c);
    }
}

/* Owns the socket from now on, also if it returns NULL. */
static struct conn *conn_make(struct net *n, int fd, enum door_kind door) {
    int on = 1;
    struct conn *c = calloc(1, sizeof *c);
    if (c == NULL) {
        close(fd);
        return NULL;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* a path has no delay */
    c->net = n;
    c->fd = fd;
    c->queue = queue_nothing();
    list_init(&c->dirty);
    list_push(&n->conns, &c->link);
    n->count++;
    n->open++;
    c->door = (unsigned char)door;
    n->doors[door]++;
    return c;
}

bool conn_peer(const struct conn *c, struct conn_address *out) {
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    if (getpeername(c->fd, (struct sockaddr *)&from, &size) != 0)
        return false;
    conn_address_set(out, (const struct sockaddr *)&from);
    return true;
}

struct conn *conn_accept(struct net *n, int fd, const struct sockaddr *from,
                         const struct conn_ops *ops) {
    struct conn *c = conn_make(n, fd, DOOR_HTTP);
    if (c == NULL)
        return NULL;
    c->ops = ops;
    conn_address_set(&c->address, from);
    read_set(c, true);
    return c;
}

bool conn_secure(struct conn *c, SSL_CTX *context) {
    c->tls = conn_tls_make(context, c);
    return c->tls != NULL;
}

static void connected(struct conn *c) {
    int wrong = 0;
    socklen_t size = sizeof wrong;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &wrong, &size) != 0)
        wrong = errno;
    c->connecting = c->writing = false;
    if (wrong != 0) {
        c->ops->on_end(c, uv_translate_sys_error(wrong));
        return;
    }
    read_set(c, !conn_holds_back(c));
    conn_dirty(c); /* what was queued meanwhile */
}

struct conn *conn_connect(struct net *n, const struct conn_address *to,
                          const struct conn_ops *ops, void *peer) {
    struct sockaddr_storage at;
    conn_address_get(to, &at);
    int fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct conn *c = fd >= 0 ? conn_make(n, fd, DOOR_PEER) : NULL;
    if (c == NULL)
        return NULL;
    bool begun =
        connect(fd, (struct sockaddr *)&at, listen_length(&at)) == 0 || errno == EINPROGRESS;
    if (!begun && errno != ECONNREFUSED) {
        conn_close(c, false);
        return NULL;
    }
    c->address = *to;
    c->connecting = true;
    conn_take(c, ops, peer);
    if (begun) {
        c->writing = true;
        conn_watch(c);
    } else { /* the loopback says so at once; it is told in a later turn all the same */
        c->lost = true;
        conn_dirty(c);
    }
    return c;
}

void conn_ready(void *conn, unsigned ready) {
    struct conn *c = conn;
    if (c->closed)
        return; /* by another one that was ready in the same turn */
    if (c->connecting) {
        connected(c);
        return;
    }
    if ((ready & POLLER_READ) != 0 && c->reading)
        read_once(c);
    if ((ready & POLLER_WRITE) == 0 || c->closed || !c->writing)
        return;
    c->writing = false; /* at the end of the turn it is written again */
    conn_dirty(c);
}

void conn_enter(struct conn *c, enum door_kind door) {
    c->net->doors[c->door]--;
    c->door = (unsigned char)door;
    c->net->doors[door]++;
}

void conn_close(struct conn *c, bool reset) {
    static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (c->closed)
        return;
    if (c->tls != NULL)
        conn_tls_closing(c->net, c->tls, &c->address);
    if (c->tls != NULL && !reset)
        conn_say_last(c);
    c->closed = true;
    c->net->open--;
    forget_slowed(c);
    wheel_clear(&c->net->wheel, &c->timer);
    if (reset)
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(c->fd);
    c->fd = -1;
    c->watched = 0;
    c->wide = false;
    list_remove(&c->dirty);
    list_push(&c->net->closing, &c->dirty);
}

void conn_shed(struct conn *c) {
    if (c->closed)
        return;
    if (c->ops->shed != NULL)
        c->ops->shed(c);
    else
        c->ops->on_end(c, UV_ENOMEM);
}

void conn_deadline(struct conn *c, uint64_t at) {
    if (at == 0 || c->closed)
        wheel_clear(&c->net->wheel, &c->timer);
    else
        wheel_set(&c->net->wheel, &c->timer, at);
}
