#include "gateway/socketio/eio_socket.h"

#include <stdlib.h>

#include "common/eio.h"
#include "gateway/socketio/eio_polling.h"

#define PROBE_MOST 125 /* bytes of a probe's message, which is "2probe" or "5" */

struct eio_socket {
    struct wsock ws;
    struct eio_session *session; /* NULL: it is closing, without a session */
};

static struct eio_socket *of_wsock(struct wsock *w) {
    return container_of(w, struct eio_socket, ws);
}

static void send_text(struct wsock *w, struct slice text) {
    wsock_send_text(w, &text, 1);
}

/* --- it carries a session -------------------------------------------------------------------
 */

static size_t queued(const struct eio_session *s) {
    return s->socket->conn->queue->bytes;
}

static void want_drained(struct eio_session *s) {
    wsock_want_drained(s->socket);
}

static void pause_socket(struct eio_session *s, bool pause) {
    conn_pause(s->socket->conn, pause);
}

static void end(struct eio_session *s, enum eio_gone why, uint16_t code, const char *reason) {
    struct wsock *w = s->socket;
    (void)why;
    s->socket = NULL;
    of_wsock(w)->session = NULL;
    wsock_close(w, code, reason);
}

static const struct eio_carrier carrier = {.state = EIO_WEBSOCKET,
                                           .queued = queued,
                                           .want_drained = want_drained,
                                           .pause = pause_socket,
                                           .end = end};

/* --- it is a probe --------------------------------------------------------------------------
 */

static void upgrade(struct eio_session *s, struct wsock *probe) {
    if (!eio_polling_finish(s))
        return;
    eio_upgrade(s, &carrier, probe);
    eio_polling_hand_on(s);
    if (s->state != EIO_WEBSOCKET)
        return;
    eio_pause(s, s->paused);
    if (s->want_drained)
        eio_want_drained(s);
}

/* As with the reference server, "2probe" may come again, or be left out. */
static void take_probe(struct eio_session *s, struct wsock *probe, enum ws_opcode opcode,
                       struct slice text) {
    if (opcode == WS_TEXT && slice_is(text, "2probe")) {
        eio_polling_probed(s); /* before the answer, which may end the probe */
        send_text(probe, SLICE("3probe"));
    } else if (opcode == WS_TEXT && text.len > 0 && text.ptr[0] == EIO_UPGRADE) {
        upgrade(s, probe);
    } else {
        eio_polling_drop_probe(s); /* polling goes on */
    }
}

/* --- what the WebSocket tells ---------------------------------------------------------------
 */

static void on_message(struct wsock *w, enum ws_opcode opcode, struct slice payload) {
    struct eio_session *s = of_wsock(w)->session;
    if (s == NULL)
        return;
    if (eio_is_over(s))
        eio_end(s, EIO_GONE_TIMEOUT);
    else if (s->socket != w)
        take_probe(s, w, opcode, payload);
    else if (opcode == WS_BINARY)
        s->server->ops->on_message(s, true, payload);
    else
        eio_take(s, payload);
}

static size_t most(const struct wsock *w) {
    const struct eio_socket *socket = container_of(w, const struct eio_socket, ws);
    const struct eio_session *s = socket->session;
    return s != NULL && s->socket == w ? eio_most(s, false) : PROBE_MOST;
}

static void on_too_big(struct wsock *w) {
    struct eio_session *s = of_wsock(w)->session;
    if (s != NULL && s->socket == w && s->server->ops->on_too_big != NULL)
        s->server->ops->on_too_big(s);
}

static void charge(struct wsock *w, uint64_t units) {
    if (of_wsock(w)->session != NULL)
        eio_charge(of_wsock(w)->session, units);
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
    socket->session = NULL;
    if (s == NULL)
        return;
    if (s->socket == w)
        eio_end(s, w->away ? EIO_GONE_AWAY : EIO_GONE_TRANSPORT);
    else
        eio_polling_lost(s, w);
}

static void on_free(struct wsock *w) {
    free(of_wsock(w));
}

static const struct wsock_ops ops = {.door = DOOR_SIO,
                                     .on_message = on_message,
                                     .most = most,
                                     .on_too_big = on_too_big,
                                     .charge = charge,
                                     .on_drained = on_drained,
                                     .on_gone = on_gone,
                                     .on_free = on_free};

/* --- requests -------------------------------------------------------------------------------
 */

static struct eio_socket *open_socket(struct eio_server *e,
                                      const struct http_request *request) {
    struct eio_socket *socket = calloc(1, sizeof *socket);
    if (socket == NULL) {
        http_answer(request, 503, "text/plain", SLICE("out of memory\n"), NULL);
        return NULL;
    }
    if (wsock_open(&socket->ws, &e->sockets, request, &ops))
        return socket;
    free(socket);
    return NULL;
}

void eio_socket_open(struct eio_server *e, const struct http_request *request) {
    struct conn *c = request->conn;
    struct eio_session *s = e->ops->on_open(e->owner, request); /* the upgrade ends it */
    struct eio_socket *socket = open_socket(e, request);
    struct buf open;
    if (socket == NULL) {
        if (s != NULL)
            e->ops->on_free(s);
        return;
    }
    buf_init(&open);
    if (!eio_begin(e, s, c, &carrier, &open)) {
        wsock_close(&socket->ws, WS_CODE_INTERNAL, "out of memory");
    } else {
        s->socket = &socket->ws;
        socket->session = s;
        send_text(s->socket, buf_bytes(&open));
    }
    buf_deinit(&open);
}

void eio_socket_open_probe(struct eio_session *s, const struct http_request *request) {
    bool polled = s->state == EIO_POLLING;
    struct eio_socket *socket = open_socket(s->server, request);
    if (socket == NULL)
        return;
    if (polled && eio_polling_probe(s, &socket->ws))
        socket->session = s;
    else
        wsock_close(&socket->ws, WS_CODE_NORMAL, ""); /* the first probe stays */
}
