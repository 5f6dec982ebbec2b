#include <stdlib.h>

#include "gateway/net/eio_internal.h"

#define PROBE_MOST 125 /* bytes of a message: "2probe", "5" */

/* The WebSockets of sessions: the transport of one, or a probe that is to become it. */

static struct eio_socket *of_wsock(struct wsock *w) {
    return container_of(w, struct eio_socket, ws);
}

void eio_socket_let_go(struct eio_socket **of, uint16_t code, const char *reason) {
    struct eio_socket *socket = *of;
    if (socket == NULL)
        return;
    *of = NULL;
    socket->session = NULL;
    wsock_close(&socket->ws, code, reason);
}

void eio_probe_drop(struct eio_session *s) {
    if (s->probe != NULL)
        eio_await_poll(s, 0);
    eio_socket_let_go(&s->probe, WS_CODE_NORMAL, "");
}

static void send_text(struct eio_socket *socket, struct slice text) {
    wsock_send(&socket->ws, wsock_encode(socket->ws.shared->net, WS_TEXT, &text, 1), false);
}

/* What waited for a poll goes over the WebSocket, frame by frame. */
static void move_queue(struct eio_session *s, struct out_queue *from) {
    struct out_pool *pool = &s->server->net->out;
    while (s->state == EIO_WEBSOCKET && from->bytes > 0) {
        struct region frame = queue_first(from);
        eio_send(s, frame, false);
        queue_sent(from, pool, frame.len);
    }
    queue_clear(from, pool);
}

static void upgrade(struct eio_session *s) {
    struct eio_polling *p = s->polling;
    /* Which would come first? And a client that polls has not got what was said before. */
    if (p->post.http != NULL || (p->unsure && p->get.http != NULL)) {
        eio_end(s, EIO_GONE_OVERLAP);
        return;
    }
    eio_polling_release(s);
    eio_state_set(s, EIO_WEBSOCKET);
    s->socket = s->probe;
    s->probe = NULL;
    move_queue(s, &p->out);
    eio_polling_free(s);
    if (s->state != EIO_WEBSOCKET)
        return;
    eio_pause(s, s->paused);
    if (s->want_drained)
        eio_want_drained(s);
}

/* As with the reference server, a probe may be asked for again, or be left out. */
static void take_probe(struct eio_session *s, enum ws_opcode opcode, struct slice text) {
    struct eio_socket *probe = s->probe;
    if (opcode == WS_TEXT && slice_is(text, "2probe")) {
        probe->probed = true;
        send_text(probe, SLICE("3probe"));
        eio_mark(s); /* lets a poll that waits go */
    } else if (opcode == WS_TEXT && text.len > 0 && text.ptr[0] == EIO_UPGRADE) {
        upgrade(s);
    } else {
        eio_probe_drop(s); /* polling goes on */
    }
}

static void on_message(struct wsock *w, enum ws_opcode opcode, struct slice payload) {
    struct eio_socket *socket = of_wsock(w);
    struct eio_session *s = socket->session;
    if (s == NULL)
        return;
    if (eio_is_over(s))
        eio_end(s, EIO_GONE_TIMEOUT);
    else if (socket == s->probe)
        take_probe(s, opcode, payload);
    else if (opcode == WS_BINARY)
        s->server->ops->on_message(s, true, payload);
    else
        eio_take(s, payload);
}

static size_t most(const struct wsock *w) {
    const struct eio_socket *socket = container_of(w, const struct eio_socket, ws);
    const struct eio_session *s = socket->session;
    return s != NULL && s->probe != socket ? eio_most(s, false) : PROBE_MOST;
}

static void on_drained(struct wsock *w) {
    struct eio_session *s = of_wsock(w)->session;
    if (s == NULL || !s->want_drained)
        return;
    s->want_drained = false;
    s->server->ops->on_drained(s);
}

static void on_gone(struct wsock *w) {
    struct eio_socket *socket = of_wsock(w);
    struct eio_session *s = socket->session;
    if (s == NULL)
        return;
    if (socket == s->probe) {
        s->probe = NULL;
        socket->session = NULL;
        eio_await_poll(s, 0);
    } else {
        eio_end(s, EIO_GONE_TRANSPORT);
    }
}

static void on_free(struct wsock *w) {
    free(of_wsock(w));
}

static const struct wsock_ops socket_ops = {.door = DOOR_SIO,
                                            .on_message = on_message,
                                            .most = most,
                                            .on_drained = on_drained,
                                            .on_gone = on_gone,
                                            .on_free = on_free};

static struct eio_socket *open_socket(struct eio_server *e,
                                      const struct http_request *request) {
    struct eio_socket *socket = calloc(1, sizeof *socket);
    if (socket == NULL) {
        http_answer(request, 503, "text/plain", SLICE("out of memory\n"), NULL);
        return NULL;
    }
    if (wsock_open(&socket->ws, &e->sockets, request, &socket_ops))
        return socket;
    free(socket);
    return NULL;
}

void eio_begin_socket(struct eio_server *e, const struct http_request *request) {
    struct conn *c = request->conn;
    struct eio_session *s = e->ops->on_open(e->owner, request); /* which the upgrade ends */
    struct eio_socket *socket = open_socket(e, request);
    struct buf open;
    if (socket == NULL) {
        if (s != NULL)
            e->ops->on_free(s);
        return;
    }
    buf_init(&open);
    if (!eio_begin(e, s, c, EIO_WEBSOCKET, &open)) {
        wsock_close(&socket->ws, WS_CODE_INTERNAL, "out of memory");
    } else {
        s->socket = socket;
        socket->session = s;
        send_text(socket, buf_bytes(&open));
    }
    buf_deinit(&open);
}

void eio_begin_probe(struct eio_session *s, const struct http_request *request) {
    bool wanted = s->state == EIO_POLLING && s->probe == NULL;
    struct eio_socket *socket = open_socket(s->server, request);
    if (socket == NULL)
        return;
    if (!wanted) { /* the one that is there stays */
        wsock_close(&socket->ws, WS_CODE_NORMAL, "");
        return;
    }
    s->probe = socket;
    socket->session = s;
    socket->until = net_now(s->server->net) + s->server->config.upgrade_timeout_ms;
    eio_arm(s);
}
