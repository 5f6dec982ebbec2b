#include "gateway/net/wsock.h"

#include <assert.h>

#include "gateway/net/ws_handshake.h"

/* What a message was inflated to costs units (common/rate.h) beyond so many times its size: one
 * for so many bytes. Text seldom gets that much shorter, and a megabyte of it is worth 5 to 10
 * ms. */
#define INFLATED_FREE   8
#define INFLATED_A_UNIT 4096

static const struct conn_ops ws_conn_ops;

static struct wsock *wsock_of(struct conn *c) {
    return c->peer;
}

/* --- the beginning --------------------------------------------------------------------------
 */

static void arm(struct wsock *w, uint64_t after_ms) {
    conn_deadline(w->conn, net_now(w->shared->net) + after_ms);
}

void wsock_begin(struct wsock *w, struct wsock_shared *shared, struct conn *c,
                 const struct wsock_ops *ops, unsigned char window) {
    w->conn = c;
    w->shared = shared;
    w->ops = ops;
    w->heard = (uint32_t)net_now(shared->net);
    w->state = WSOCK_OPEN;
    w->window = window;
    shared->count++;
    c->framed = true;
    c->inflates = window != 0;
    conn_take(c, &ws_conn_ops, w);
    conn_enter(c, ops->door);
    if (shared->ping_interval_ms > 0)
        arm(w, shared->ping_interval_ms);
}

bool wsock_open(struct wsock *w, struct wsock_shared *shared,
                const struct http_request *request, const struct wsock_ops *ops) {
    struct ws_handshake handshake;
    char head[WS_HEAD_SIZE];
    if (!ws_handshake_read(&handshake, request) ||
        !http_upgrade(request, ws_handshake_head(&handshake, head)))
        return false;
    wsock_begin(w, shared, request->conn, ops, handshake.window);
    return true;
}

/* --- out ------------------------------------------------------------------------------------
 */

/* first: bits of the header's first byte besides FIN and the opcode. */
static struct region encode(struct net *n, enum slab_lane lane, enum ws_opcode opcode,
                            unsigned first, const struct slice parts[], size_t count) {
    uint8_t head[WS_HEADER_MAX];
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += parts[i].len;
    size_t head_len = ws_header(head, opcode, len);
    head[0] |= (uint8_t)first;
    char *room = slabs_reserve_in(&n->slabs, lane, head_len + len);
    if (room == NULL)
        return (struct region){NULL, 0, 0};
    memcpy(room, head, head_len);
    char *at = room + head_len;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len != 0)
            memcpy(at, parts[i].ptr, parts[i].len);
        at += parts[i].len;
    }
    return slabs_commit(&n->slabs, head_len + len);
}

struct frame wsock_encode(struct net *n, enum ws_opcode opcode, const struct slice parts[],
                          size_t count) {
    return frame_of(encode(n, SLAB_PLAIN, opcode, 0, parts, count));
}

/* Compresses the message for all that have agreed to it. A frame without memory for that, or
 * that gets no shorter, is sent as it is. */
static void pack(struct net *n, struct frame *f) {
    struct slice plain = frame_payload(f->plain), packed = {NULL, 0};
    if (plain.len >= WS_DEFLATE_LEAST && plain.len <= WS_DEFLATE_MOST) {
        packed = ws_deflate_pack(&n->deflate, plain, plain.len - 1);
        metric_add(n->metrics, METRIC_DEFLATED, 1);
        metric_add(n->metrics, METRIC_DEFLATED_PLAIN, plain.len);
        metric_add(n->metrics, METRIC_DEFLATED_PACKED, packed.len > 0 ? packed.len : plain.len);
    }
    if (packed.len > 0)
        f->packed = encode(n, SLAB_PACKED, (enum ws_opcode)frame_opcode(f->plain),
                           WS_COMPRESSED, &packed, 1);
    if (f->packed.slab == NULL)
        frame_keep_plain(f);
    else
        slab_ref(f->packed.slab);
}

/* The form of a frame that this socket gets, which has agreed to compression. A message that is
 * no longer than its window refers back over no more than that, whatever the deflater's own
 * window is. */
static const struct region *form_of(const struct wsock *w, struct frame *f) {
    if (f->plain.slab == NULL)
        return &f->plain;
    if (w->window < WS_DEFLATE_WINDOW && frame_payload(f->plain).len > 1U << w->window)
        return &f->plain;
    if (f->packed.slab == NULL)
        pack(w->shared->net, f);
    return &f->packed;
}

bool wsock_send(struct wsock *w, struct frame *f, bool ephemeral) {
    struct conn *c = w->conn;
    if (w->state != WSOCK_OPEN)
        return false;
    if (ephemeral && queue_sheds(c->queue, w->shared->net->max_queue))
        return false;
    const struct region *form = w->window == 0 ? &f->plain : form_of(w, f);
    if (form->slab == NULL || conn_is_full(c, form->len)) {
        wsock_close(w, form->slab == NULL ? WS_CODE_INTERNAL : WS_CODE_TRY_LATER,
                    form->slab == NULL ? "out of memory" : "slow");
        return false;
    }
    if (!(f->wide ? conn_send_wide(c, *form) : conn_send(c, *form)))
        return false;
    metric_add(c->net->metrics, METRIC_SENT_MESSAGES + c->door, 1);
    return true;
}

bool wsock_send_text(struct wsock *w, const struct slice parts[], size_t count) {
    struct net *n = w->shared->net;
    struct frame f = wsock_encode(n, WS_TEXT, parts, count);
    bool sent = wsock_send(w, &f, false);
    frame_done(&f, &n->slabs);
    return sent;
}

/* --- closing --------------------------------------------------------------------------------
 */

static void state_set(struct wsock *w, enum wsock_state to) {
    assert(to > w->state); /* there is no way back */
    w->state = (unsigned char)to;
}

static void gone(struct wsock *w, enum wsock_state to) {
    bool first = w->state == WSOCK_OPEN;
    if (w->state != to)
        state_set(w, to);
    if (first)
        w->ops->on_gone(w);
}

static void send_close(struct wsock *w, uint16_t code, const char *reason) {
    uint8_t frame[WS_CLOSE_MAX];
    size_t len = ws_close_frame(frame, code, reason);
    struct slabs *slabs = &w->shared->net->slabs;
    char *room = slabs_reserve(slabs, len);
    if (conn_is_full(w->conn, len))
        conn_drop_queue(w->conn);
    if (room == NULL) {
        conn_close(w->conn, true);
        return;
    }
    memcpy(room, frame, len);
    conn_send(w->conn, slabs_commit(slabs, len));
}

/* The peer's close is awaited. */
static void read_on(struct wsock *w) {
    conn_slow(w->conn, 0);
    conn_pause(w->conn, false);
}

/* Shuts our side. The peer reads the close frame, and ends the stream. */
static void end(struct wsock *w) {
    gone(w, WSOCK_ENDED);
    read_on(w);
    conn_end(w->conn);
    arm(w, w->shared->close_timeout_ms);
}

void wsock_close(struct wsock *w, uint16_t code, const char *reason) {
    if (w->state != WSOCK_OPEN)
        return;
    bool slow = code == WS_CODE_TRY_LATER;
    if (slow)
        conn_drop_queue(w->conn);
    send_close(w, code, reason);
    metric_close(w->conn->net->metrics, code);
    gone(w, WSOCK_CLOSE_SENT);
    read_on(w);
    if (code == WS_CODE_UNSUPPORTED)
        conn_end(w->conn); /* a failure, like those that the codec finds (RFC 6455, 7.1.7) */
    arm(w, w->shared->close_timeout_ms);
}

/* --- in -------------------------------------------------------------------------------------
 */

/* The peer is alive: called for whole messages and pongs, not for any byte. Otherwise a frame
 * that never ends would hold its connection for ever. */
static void is_alive(struct wsock *w) {
    w->heard = (uint32_t)net_now(w->shared->net);
    w->ping_out = false;
}

static size_t most(void *arg) {
    const struct wsock *w = arg;
    return w->ops->most != NULL ? w->ops->most(w) : w->shared->pool.max_message;
}

static void charge(struct wsock *w, uint64_t units) {
    if (units > 0 && w->state == WSOCK_OPEN && w->ops->charge != NULL)
        w->ops->charge(w, units);
}

/* A few bytes on the wire may be a message of max-message bytes, which is read like any other.
 */
static void on_inflated(void *arg, size_t packed, size_t plain) {
    struct wsock *w = arg;
    struct metrics *m = w->conn->net->metrics;
    metric_add(m, METRIC_INFLATED, 1);
    metric_add(m, METRIC_INFLATED_PACKED, packed);
    metric_add(m, METRIC_INFLATED_PLAIN, plain);
    if (plain > INFLATED_FREE * packed)
        charge(w, (plain - INFLATED_FREE * packed) / INFLATED_A_UNIT);
}

static bool on_message(void *arg, enum ws_opcode opcode, struct slice payload) {
    struct wsock *w = arg;
    is_alive(w);
    if (w->state == WSOCK_OPEN) {
        metric_add(w->conn->net->metrics, METRIC_RECEIVED_MESSAGES + w->conn->door, 1);
        w->ops->on_message(w, opcode, payload);
    }
    return !w->conn->closed;
}

static bool on_control(void *arg, enum ws_opcode opcode, struct slice payload) {
    struct wsock *w = arg;
    if (opcode == WS_PONG)
        is_alive(w);
    charge(w, 1);
    if (opcode != WS_PING || w->state != WSOCK_OPEN)
        return true;
    struct region pong = encode(w->shared->net, SLAB_PLAIN, WS_PONG, 0, &payload, 1);
    if (pong.slab != NULL && !conn_is_full(w->conn, pong.len))
        conn_send(w->conn, pong);
    return true;
}

static const struct ws_handler plain_handler = {
    .on_message = on_message, .on_control = on_control, .most = most};
static const struct ws_handler packed_handler = {.on_message = on_message,
                                                 .on_control = on_control,
                                                 .most = most,
                                                 .on_inflated = on_inflated};

static const char *failure_text(const struct wsock *w, uint16_t code) {
    switch (code) {
    case WS_CODE_INVALID_UTF8:
        return w->window == 0 ? "invalid UTF-8" : "invalid UTF-8, or not deflated";
    case WS_CODE_TOO_BIG:
        return "message too big";
    case WS_CODE_POLICY:
        return "too many fragments";
    case WS_CODE_INTERNAL:
        return "out of memory";
    default:
        return "protocol error";
    }
}

static void on_bytes(struct conn *c, const char *bytes, size_t len) {
    struct wsock *w = wsock_of(c);
    uint16_t code = 0;
    if (w->state == WSOCK_ENDED)
        return; /* bytes are thrown away until the peer ends or the deadline comes */
    const struct ws_handler *handler = w->window != 0 ? &packed_handler : &plain_handler;
    enum ws_result result = ws_feed(&w->input, &w->shared->pool, handler, w, bytes, len, &code);
    if (c->closed || result == WS_OK || result == WS_STOPPED)
        return;
    w->away = result == WS_CLOSED && code == WS_CODE_GOING_AWAY;
    if (w->state == WSOCK_OPEN) {
        send_close(w, code, result == WS_FAILED ? failure_text(w, code) : "");
        if (result == WS_FAILED)
            metric_close(c->net->metrics, code);
        if (code == WS_CODE_TOO_BIG && result == WS_FAILED && w->ops->on_too_big != NULL)
            w->ops->on_too_big(w);
    }
    if (!c->closed)
        end(w);
}

static void on_end(struct conn *c, int status) {
    struct wsock *w = wsock_of(c);
    (void)status;
    gone(w, WSOCK_ENDED);
    conn_close(c, false);
}

static void ping(struct wsock *w) {
    struct slice empty = {NULL, 0};
    struct region frame = encode(w->shared->net, SLAB_PLAIN, WS_PING, 0, &empty, 1);
    if (frame.slab != NULL)
        conn_send(w->conn, frame);
}

static void on_deadline(struct conn *c) {
    struct wsock *w = wsock_of(c);
    struct wsock_shared *s = w->shared;
    uint32_t silent = (uint32_t)net_now(c->net) - w->heard;
    if (w->state != WSOCK_OPEN) {
        conn_close(c, true);
    } else if (conn_holds_back(c)) {
        /* Its pong may be among the bytes that are held back: another ping is sent later. A
         * peer that is gone resets the connection at the first, which the second notices. */
        if (silent >= s->ping_interval_ms)
            ping(w);
        w->ping_out = false;
        arm(w,
            silent >= s->ping_interval_ms ? s->ping_timeout_ms : s->ping_interval_ms - silent);
    } else if (w->ping_out) {
        gone(w, WSOCK_ENDED);
        conn_close(c, true);
    } else if (silent < s->ping_interval_ms) {
        arm(w, s->ping_interval_ms - silent);
    } else {
        ping(w);
        w->ping_out = true;
        arm(w, s->ping_timeout_ms);
    }
}

static void on_drained(struct conn *c) {
    struct wsock *w = wsock_of(c);
    if (w->state == WSOCK_OPEN)
        w->ops->on_drained(w);
}

static void on_closed(struct conn *c) {
    struct wsock *w = wsock_of(c);
    gone(w, WSOCK_ENDED); /* in case the connection broke without on_end */
    ws_input_deinit(&w->input, &w->shared->pool);
    w->conn = NULL;
    w->shared->count--;
    w->ops->on_free(w);
}

static size_t held(const struct conn *c) {
    const struct wsock *w = c->peer;
    bool asks = w->state == WSOCK_OPEN && w->ops->held != NULL;
    return ws_input_held(&w->input) + (asks ? w->ops->held(w) : 0);
}

/* What a write has that is under way cannot be given up without the connection. */
#define KEPT_MOST 65536

static void shed(struct conn *c) {
    struct wsock *w = wsock_of(c);
    wsock_close(w, WS_CODE_TRY_LATER, "memory");
    if (c->closed)
        return;
    ws_input_deinit(&w->input, &w->shared->pool);
    if (queue_held(c->queue) > KEPT_MOST)
        conn_close(c, true);
    else if (w->state != WSOCK_ENDED)
        end(w);
}

static const struct conn_ops ws_conn_ops = {
    .held = held,
    .shed = shed,
    .on_bytes = on_bytes,
    .on_end = on_end,
    .on_deadline = on_deadline,
    .on_drained = on_drained,
    .on_closed = on_closed,
};
