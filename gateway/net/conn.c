#include "gateway/net/conn.h"

#include <stdlib.h>

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

static void take_records(struct conn *c, const char *bytes, ssize_t n) {
    struct conn_tls *t = c->tls;
    struct slice plain = {NULL, 0};
    if (n == UV_ENOBUFS) { /* on_alloc gave none */
        uv_read_stop((uv_stream_t *)&c->tcp);
        if (list_empty(&t->link))
            list_push(&c->net->shaking, &t->link);
        return;
    }
    if (n < 0)
        conn_tls_ended(c->net, t, (int)n, &c->address);
    else
        conn_tls_read(c->net, t, (struct slice){bytes, (size_t)n}, &c->address, &plain);
    if (!c->writing && (t->tls.out.len > 0 || c->queue.bytes > 0))
        conn_dirty(c); /* answers of the handshake, or what has waited for its end */
    if (plain.len > 0)
        take_plain(c, plain.ptr, plain.len);
    conn_tell_end(c);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    struct conn *c = (struct conn *)(void *)stream;
    if (c->closed || n == 0)
        return;
    if (c->tls != NULL)
        take_records(c, buf->base, n);
    else if (n < 0)
        c->ops->on_end(c, (int)n);
    else
        take_plain(c, buf->base, (size_t)n);
}

static void limit_read(const struct conn *c, uv_buf_t *buf) {
    uint64_t rate = c->net->rate;
    uint64_t most = c->inflates ? 0 : rate * READ_BYTES_A_UNIT;
    if (rate != 0 && buf->len > READ_LEAST && most < buf->len)
        buf->len = most > READ_LEAST ? (size_t)most : READ_LEAST;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    const struct conn *c = (const struct conn *)(void *)handle;
    if (c->tls != NULL && conn_tls_must_wait(c->net, c->tls)) {
        *buf = uv_buf_init(NULL, 0);
    } else {
        read_buffer(handle, suggested, buf);
        limit_read(c, buf);
    }
}

static void read_on(struct conn *c) {
    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

void conn_shake_on(struct net *n) {
    n->shaking_ns = 0;
    for (unsigned i = 0; i < SHAKE_AGAIN && !list_empty(&n->shaking); i++) {
        struct conn_tls *t = container_of(n->shaking.next, struct conn_tls, link);
        list_remove(&t->link);
        if (!t->conn->closed && !conn_holds_back(t->conn))
            read_on(t->conn);
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
    if (after)
        uv_read_stop((uv_stream_t *)&c->tcp);
    else
        read_on(c);
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

static void on_handle_closed(uv_handle_t *handle) {
    struct conn *c = (struct conn *)(void *)handle;
    struct net *n = c->net;
    queue_clear(&c->queue, &n->out);
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

static void turn_away(struct net *n, uv_stream_t *listener);

static void on_turned_away(uv_handle_t *handle) {
    struct net *n = handle->data;
    uv_stream_t *next = n->turn_next[0];
    n->turning_away = false;
    n->turn_next[0] = n->turn_next[1];
    n->turn_next[1] = NULL;
    if (next != NULL)
        turn_away(n, next);
}

/* Accepts a connection for which there is no memory, and closes it. The listener accepts no
 * other connection until it is taken. */
static void turn_away(struct net *n, uv_stream_t *listener) {
    if (n->turning_away)
        n->turn_next[n->turn_next[0] != NULL] = listener;
    if (n->turning_away || uv_tcp_init(n->loop, &n->turned_away) < 0)
        return;
    n->turning_away = true;
    n->turned_away.data = n;
    uv_accept(listener, (uv_stream_t *)&n->turned_away);
    uv_close((uv_handle_t *)&n->turned_away, on_turned_away);
}

static struct conn *conn_make(struct net *n, enum door_kind door) {
    struct conn *c = calloc(1, sizeof *c);
    if (c == NULL || uv_tcp_init(n->loop, &c->tcp) < 0) {
        free(c);
        return NULL;
    }
    c->net = n;
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
    int size = sizeof from;
    if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&from, &size) < 0)
        return false;
    conn_address_set(out, (const struct sockaddr *)&from);
    return true;
}

struct conn *conn_accept(struct net *n, uv_stream_t *listener, const struct conn_ops *ops) {
    struct sockaddr_storage from;
    int size = sizeof from;
    struct conn *c = conn_make(n, DOOR_HTTP);
    if (c == NULL) {
        turn_away(n, listener);
        return NULL;
    }
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) < 0 ||
        uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&from, &size) < 0) {
        conn_close(c, false);
        return NULL;
    }
    c->ops = ops;
    conn_address_set(&c->address, (const struct sockaddr *)&from);
    uv_tcp_nodelay(&c->tcp, 1);
    read_on(c);
    return c;
}

bool conn_secure(struct conn *c, SSL_CTX *context) {
    c->tls = conn_tls_make(context, c);
    return c->tls != NULL;
}

static void on_connected(uv_connect_t *request, int status) {
    struct conn *c = (struct conn *)(void *)request->handle;
    free(request);
    c->connecting = false;
    if (c->closed)
        return;
    if (status < 0)
        c->ops->on_end(c, status);
    else if (!conn_holds_back(c))
        read_on(c);
}

struct conn *conn_connect(struct net *n, const struct conn_address *to,
                          const struct conn_ops *ops, void *peer) {
    struct sockaddr_storage at;
    uv_connect_t *request = malloc(sizeof *request);
    struct conn *c = request != NULL ? conn_make(n, DOOR_PEER) : NULL;
    if (c == NULL) {
        free(request);
        return NULL;
    }
    conn_address_get(to, &at);
    if (uv_tcp_connect(request, &c->tcp, (struct sockaddr *)&at, on_connected) < 0) {
        free(request);
        conn_close(c, false);
        return NULL;
    }
    c->address = *to;
    c->connecting = true;
    uv_tcp_nodelay(&c->tcp, 1);
    conn_take(c, ops, peer);
    return c;
}

void conn_enter(struct conn *c, enum door_kind door) {
    c->net->doors[c->door]--;
    c->door = (unsigned char)door;
    c->net->doors[door]++;
}

void conn_close(struct conn *c, bool reset) {
    if (c->closed)
        return;
    if (c->tls != NULL)
        conn_tls_closing(c->net, c->tls, &c->address);
    if (c->tls != NULL && !reset)
        conn_say_last(c);
    c->closed = true;
    c->net->open--;
    forget_slowed(c);
    list_remove(&c->dirty);
    wheel_clear(&c->net->wheel, &c->timer);
    if (!reset || uv_tcp_close_reset(&c->tcp, on_handle_closed) < 0)
        uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
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
