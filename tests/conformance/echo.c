#include "tests/conformance/echo.h"

#include <stdlib.h>

static const struct slice nothing = {NULL, 0};

/* --- Engine.IO ------------------------------------------------------------------------------
 */

static struct eio_session *eio_on_open(void *owner, const struct http_request *request) {
    (void)owner;
    (void)request;
    return calloc(1, sizeof(struct eio_session));
}

static void eio_on_message(struct eio_session *s, bool binary, struct slice bytes) {
    eio_send_once(s, eio_encode(s->server->net, binary, &bytes, 1), false);
}

static void eio_on_drained(struct eio_session *s) {
    (void)s; /* not asked for */
}

static void eio_on_alarm(struct eio_session *s) {
    (void)s; /* none is set */
}

static void eio_on_gone(struct eio_session *s, enum eio_gone why) {
    (void)s;
    (void)why;
}

static void eio_on_free(struct eio_session *s) {
    free(s);
}

const struct eio_ops echo_eio_ops = {.on_open = eio_on_open,
                                     .on_message = eio_on_message,
                                     .on_drained = eio_on_drained,
                                     .on_alarm = eio_on_alarm,
                                     .on_gone = eio_on_gone,
                                     .on_free = eio_on_free};

/* --- Socket.IO ------------------------------------------------------------------------------
 */

/*
 * "auth" leaves a little behind the answer to connect: clients there are that lose the second
 * of two messages that they read at once. What an event of the client's is answered comes after
 * it.
 */
#define AUTH_AFTER_MS 20
#define HELD_MS       100

struct echo_socket {
    struct sio_socket sio;
    struct list waiting; /* in struct echo, until "auth" has left */
    struct list held;
    uint64_t auth_at;
    uint64_t held_until;
    char *auth;
    size_t auth_len;
    uint64_t last_id;
};

static struct echo_socket *of_sio(struct sio_socket *s) {
    return container_of(s, struct echo_socket, sio);
}

static struct echo *echo_of(const struct sio_socket *s) {
    return s->server->owner;
}

static struct sio_socket *sio_create(void *owner) {
    (void)owner;
    struct echo_socket *e = calloc(1, sizeof *e);
    if (e == NULL)
        return NULL;
    list_init(&e->waiting);
    list_init(&e->held);
    return &e->sio;
}

/* Sends ["name",args...], with the message's attachments. */
static void send_event(struct sio_socket *s, const char *name, const struct sio_message *m,
                       const struct sio_packet *head) {
    struct slice parts[] = {SLICE("[\""), slice_of(name),
                            SLICE("\""),  m->args.len > 0 ? SLICE(",") : nothing,
                            m->args,      SLICE("]")};
    sio_emit(s, head, parts, 6, m->attachments, m->attachment_count);
}

static void send_auth(struct echo_socket *e) {
    struct sio_packet head = {.type = SIO_EVENT};
    struct sio_message m = {.args = {e->auth, e->auth_len}};
    if (list_empty(&e->waiting))
        return;
    list_remove(&e->waiting);
    send_event(&e->sio, "auth", &m, &head);
    free(e->auth);
    e->auth = NULL;
}

void echo_init(struct echo *e) {
    list_init(&e->waiting);
    list_init(&e->held);
}

void echo_tick(struct echo *echo, uint64_t now) {
    while (!list_empty(&echo->held)) {
        struct echo_socket *first = container_of(echo->held.next, struct echo_socket, held);
        if (now < first->held_until)
            break;
        list_remove(&first->held);
        sio_pause(&first->sio, false);
    }
    while (!list_empty(&echo->waiting)) {
        struct echo_socket *first =
            container_of(echo->waiting.next, struct echo_socket, waiting);
        if (now < first->auth_at)
            break;
        send_auth(first);
    }
}

static void on_connect(struct sio_socket *s, struct slice auth) {
    static const char *const names[] = {"refuse"};
    struct echo_socket *e = of_sio(s);
    struct json_value value, refuse;
    json_parse(auth, &value);
    json_fields(value, names, &refuse, 1);
    if (refuse.type == JSON_TRUE) {
        sio_refuse(s, "refused", auth);
        return;
    }
    e->auth = malloc(auth.len);
    if (e->auth == NULL) {
        sio_close(s, WS_CODE_INTERNAL, "out of memory");
        return;
    }
    memcpy(e->auth, auth.ptr, auth.len);
    e->auth_len = auth.len;
    e->auth_at = net_now(s->server->eio.net) + AUTH_AFTER_MS;
    list_push(&echo_of(s)->waiting, &e->waiting);
    sio_accept(s, NULL);
}

static void on_drained(struct sio_socket *s) {
    struct sio_packet head = {.type = SIO_EVENT};
    struct sio_message m = {.args = nothing};
    send_event(s, "drained", &m, &head);
}

static void hold(struct sio_socket *s) {
    struct echo_socket *e = of_sio(s);
    list_remove(&e->held);
    list_push(&echo_of(s)->held, &e->held);
    e->held_until = net_now(s->server->eio.net) + HELD_MS;
    sio_pause(s, true);
}

static void on_event(struct sio_socket *s, const struct sio_message *m) {
    struct sio_packet event = {.type = SIO_EVENT};
    struct sio_packet ack = {.type = SIO_ACK, .has_id = true, .id = m->id};
    struct slice parts[] = {SLICE("["), m->args, SLICE("]")};
    send_auth(of_sio(s));
    if (slice_is(m->name.raw, "\"message\"")) {
        send_event(s, "message-back", m, &event);
    } else if (slice_is(m->name.raw, "\"message-with-ack\"") && m->has_id) {
        sio_emit(s, &ack, parts, 3, m->attachments, m->attachment_count);
    } else if (slice_is(m->name.raw, "\"message-to-ack\"")) {
        event.has_id = true;
        event.id = of_sio(s)->last_id++;
        send_event(s, "message-to-ack", m, &event);
    } else if (slice_is(m->name.raw, "\"disconnect-me\"")) {
        sio_disconnect(s);
    } else if (slice_is(m->name.raw, "\"hold-me\"")) {
        hold(s);
    } else if (slice_is(m->name.raw, "\"tell-when-drained\"")) {
        sio_want_drained(s);
    }
}

static void on_ack(struct sio_socket *s, const struct sio_message *m) {
    struct sio_packet event = {.type = SIO_EVENT};
    if (m->id < of_sio(s)->last_id)
        send_event(s, "message-acked", m, &event);
}

static void on_disconnect(struct sio_socket *s, enum sio_gone why) {
    (void)why;
    list_remove(&of_sio(s)->waiting);
    list_remove(&of_sio(s)->held);
}

static void sio_on_free(struct sio_socket *s) {
    sio_socket_deinit(s);
    free(of_sio(s)->auth);
    free(of_sio(s));
}

const struct sio_app echo_sio_app = {.create = sio_create,
                                     .on_connect = on_connect,
                                     .on_event = on_event,
                                     .on_ack = on_ack,
                                     .on_drained = on_drained,
                                     .on_disconnect = on_disconnect,
                                     .on_free = sio_on_free};

/* --- WebSocket ------------------------------------------------------------------------------
 */

/* A client that sends on without reading is not read from, above this. */
#define QUEUED_MOST 262144

static void ws_on_message(struct wsock *w, enum ws_opcode opcode, struct slice payload) {
    struct net *n = w->shared->net;
    struct frame f = wsock_encode(n, opcode, &payload, 1);
    wsock_send(w, &f, false);
    frame_done(&f, &n->slabs);
    if (w->conn->queue->bytes > QUEUED_MOST) {
        conn_pause(w->conn, true);
        wsock_want_drained(w);
    }
}

static void ws_on_drained(struct wsock *w) {
    conn_pause(w->conn, false);
}

static void ws_on_gone(struct wsock *w) {
    (void)w;
}

static void ws_on_free(struct wsock *w) {
    free(w);
}

static const struct wsock_ops ws_ops = {.door = DOOR_RAW,
                                        .on_message = ws_on_message,
                                        .on_drained = ws_on_drained,
                                        .on_gone = ws_on_gone,
                                        .on_free = ws_on_free};

void echo_ws_open(struct wsock_shared *shared, const struct http_request *request) {
    struct wsock *w = calloc(1, sizeof *w);
    if (w == NULL)
        http_answer(request, 503, "text/plain", SLICE("out of memory\n"), NULL);
    else if (!wsock_open(w, shared, request, &ws_ops))
        free(w);
}
