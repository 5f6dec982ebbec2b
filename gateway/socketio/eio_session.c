#include "gateway/socketio/eio_session.h"

#include <assert.h>

#include "common/base64.h"
#include "common/eio.h"
#include "common/rate.h"
#include "gateway/net/token.h"

static const char *gone_text(enum eio_gone why) {
#define TEXT(symbol, text) text,
    static const char *const texts[] = {EIO_GONE_TABLE(TEXT)};
#undef TEXT
    return texts[why];
}

/* Makes a sid of random characters and the name of the node. */
static bool make_sid(const struct eio_config *config, char out[EIO_SID_SIZE]) {
    if (!token_make(out, EIO_ID_SIZE - 1))
        return false;
    if (config->node != NULL)
        memcpy(out + EIO_ID_SIZE - 1, config->node, EIO_NODE_SIZE);
    return true;
}

/* --- the deadline ---------------------------------------------------------------------------
 */

static uint64_t now_of(const struct eio_session *s) {
    return net_now(s->server->net);
}

/* The client has all of ping_timeout_ms for its pong. So the ping is sent one or two ticks
 * early, so that it is not late even on a busy machine. */
static uint64_t ping_lead(const struct eio_session *s) {
    return s->server->config.ping_timeout_ms + UINT64_C(2) * WHEEL_TICK_MS;
}

static uint64_t ping_time(const struct eio_session *s) {
    uint64_t lead = ping_lead(s);
    return s->alive_until > lead ? s->alive_until - lead : 0;
}

static uint64_t carrier_due(const struct eio_session *s) {
    return s->carrier->due != NULL ? s->carrier->due(s) : UINT64_MAX;
}

void eio_arm(struct eio_session *s) {
    uint64_t at = s->ping_out ? s->alive_until : ping_time(s);
    uint64_t due = carrier_due(s);
    if (s->alarm != 0 && s->alarm < at)
        at = s->alarm;
    if (s->slowed && s->slow_until < at)
        at = s->slow_until;
    if (due < at)
        at = due;
    wheel_set(&s->server->wheel, &s->timer, at);
}

static void is_alive(struct eio_session *s) {
    const struct eio_config *config = &s->server->config;
    s->alive_until = now_of(s) + config->ping_interval_ms + config->ping_timeout_ms;
    s->ping_out = false;
    eio_arm(s);
}

/* A pong may be among what is held back, or was until a moment ago. */
static bool holds_back(const struct eio_session *s) {
    return s->paused || (s->slow_until != 0 &&
                         now_of(s) < s->slow_until + s->server->config.ping_timeout_ms);
}

bool eio_is_over(const struct eio_session *s) {
    if (now_of(s) < s->alive_until || holds_back(s))
        return false;
    return s->carrier->receives == NULL || !s->carrier->receives(s);
}

/* No pong came in time, but it may be among the packets that are held back. So another ping is
 * sent now. */
static void ask_again(struct eio_session *s) {
    s->alive_until = now_of(s) + ping_lead(s);
    s->ping_out = false;
}

static bool put_packet(struct eio_session *s, const char *text);

/* A client that is held back is pinged like others, because it would end a session that is
 * silent. */
static void look_at_ping(struct eio_session *s) {
    if (eio_is_over(s)) {
        eio_end(s, EIO_GONE_TIMEOUT);
        return;
    }
    if (now_of(s) >= s->alive_until)
        ask_again(s);
    if (!s->ping_out && now_of(s) >= ping_time(s)) {
        s->ping_out = true;
        put_packet(s, "2");
    }
}

void eio_on_timer(struct eio_session *s) {
    uint64_t now = now_of(s);
    look_at_ping(s);
    if (s->slowed && now >= s->slow_until) {
        s->slowed = false;
        eio_mark(s);
    }
    if (s->state != EIO_CLOSED && now >= carrier_due(s))
        s->carrier->on_due(s);
    if (s->state != EIO_CLOSED && s->alarm != 0 && now >= s->alarm) {
        s->alarm = 0;
        s->server->ops->on_alarm(s);
    }
    if (s->state != EIO_CLOSED)
        eio_arm(s);
}

void eio_set_alarm(struct eio_session *s, uint64_t at) {
    s->alarm = at;
    if (s->state != EIO_CLOSED)
        eio_arm(s);
}

/* --- life -----------------------------------------------------------------------------------
 */

static void put_open(const struct eio_session *s, struct buf *out) {
    const struct eio_config *c = &s->server->config;
    buf_printf(out, "0{\"sid\":\"%s\",\"upgrades\":[%s],\"pingInterval\":", s->sid,
               s->state == EIO_POLLING ? "\"websocket\"" : "");
    buf_u64(out, c->ping_interval_ms);
    buf_str(out, ",\"pingTimeout\":");
    buf_u64(out, c->ping_timeout_ms);
    buf_str(out, ",\"maxPayload\":");
    buf_u64(out, c->max_payload);
    buf_char(out, '}');
}

bool eio_begin(struct eio_server *e, struct eio_session *s, const struct conn *c,
               const struct eio_carrier *carrier, struct buf *open) {
    if (s == NULL)
        return false;
    s->server = e;
    s->address = c->address;
    s->carrier = carrier;
    s->state = (unsigned char)carrier->state;
    list_init(&s->link);
    bool good = make_sid(&e->config, s->sid) && (carrier->begin == NULL || carrier->begin(s));
    s->node.key = slice_of(s->sid);
    put_open(s, open);
    if (!good || open->failed || !map_insert(&e->sessions, &s->node)) {
        if (carrier->free != NULL)
            carrier->free(s);
        e->ops->on_free(s);
        return false;
    }
    e->count++;
    e->by_state[s->state]++;
    is_alive(s);
    return true;
}

static void state_set(struct eio_session *s, enum eio_state to) {
    assert(to > s->state);
    if (s->state == EIO_POLLING)
        addresses_leave(&s->server->polled, &s->address);
    s->server->by_state[s->state]--;
    s->state = (unsigned char)to;
    if (to != EIO_CLOSED)
        s->server->by_state[to]++;
}

void eio_upgrade(struct eio_session *s, const struct eio_carrier *carrier,
                 struct wsock *socket) {
    state_set(s, carrier->state);
    s->carrier = carrier;
    s->socket = socket;
    if (s->slowed)
        conn_slow(socket->conn, s->slow_until);
}

static void end(struct eio_session *s, enum eio_gone why, uint16_t code, const char *reason) {
    struct eio_server *e = s->server;
    if (s->state == EIO_CLOSED)
        return;
    state_set(s, EIO_CLOSED);
    wheel_clear(&e->wheel, &s->timer);
    map_remove(&e->sessions, &s->node);
    list_remove(&s->link);
    list_push(&e->gone, &s->link);
    s->carrier->end(s, why, code, reason);
    e->ops->on_gone(s, why);
}

void eio_end(struct eio_session *s, enum eio_gone why) {
    static const uint16_t codes[EIO_GONE_COUNT] = {
        [EIO_GONE_CLIENT] = WS_CODE_NORMAL,    [EIO_GONE_SERVER] = WS_CODE_NORMAL,
        [EIO_GONE_TIMEOUT] = WS_CODE_POLICY,   [EIO_GONE_TRANSPORT] = WS_CODE_NORMAL,
        [EIO_GONE_AWAY] = WS_CODE_NORMAL,      [EIO_GONE_OVERLAP] = WS_CODE_PROTOCOL,
        [EIO_GONE_INVALID] = WS_CODE_PROTOCOL, [EIO_GONE_SLOW] = WS_CODE_TRY_LATER,
        [EIO_GONE_MEMORY] = WS_CODE_INTERNAL};
    bool said = why != EIO_GONE_CLIENT && why != EIO_GONE_SERVER;
    end(s, why, codes[why], said ? gone_text(why) : "");
}

void eio_close(struct eio_session *s, uint16_t code, const char *reason) {
    end(s, EIO_GONE_SERVER, code, reason);
}

/* --- packets in -----------------------------------------------------------------------------
 */

static void take_binary(struct eio_session *s, struct slice text) {
    struct buf bytes;
    buf_init(&bytes);
    base64_read(text, &bytes);
    if (bytes.failed)
        eio_end(s, EIO_GONE_MEMORY);
    else
        s->server->ops->on_message(s, true, buf_bytes(&bytes));
    buf_deinit(&bytes);
}

size_t eio_most(const struct eio_session *s, bool post) {
    const struct eio_server *e = s->server;
    size_t most = e->ops->most != NULL ? e->ops->most(s, post) : e->config.max_payload;
    return most < e->config.max_payload ? most : e->config.max_payload;
}

void eio_take(struct eio_session *s, struct slice text) {
    struct eio_packet p;
    if (text.len > eio_most(s, false)) {
        if (s->server->ops->on_too_big != NULL)
            s->server->ops->on_too_big(s);
        eio_close(s, WS_CODE_TOO_BIG, "message too big");
        return;
    }
    if (!eio_read(text, &p)) {
        eio_end(s, EIO_GONE_INVALID);
        return;
    }
    switch (p.type) {
    case EIO_CLOSE:
        eio_end(s, EIO_GONE_CLIENT);
        break;
    case EIO_PONG:
        is_alive(s);
        eio_charge(s, 1);
        break;
    case EIO_MESSAGE:
        s->server->ops->on_message(s, false, p.data);
        break;
    case EIO_BINARY:
        take_binary(s, p.data);
        break;
    case EIO_PING: /* sent by a client of Engine.IO 3, which would wait for a pong in vain */
        eio_end(s, EIO_GONE_INVALID);
        break;
    case EIO_OPEN: /* a client should not send these, or not here; some do, without harm */
    case EIO_UPGRADE:
    case EIO_NOOP:
        eio_charge(s, 1);
        break;
    }
}

/* --- packets out ----------------------------------------------------------------------------
 */

struct frame eio_encode(struct net *n, bool binary, const struct slice parts[], size_t count) {
    struct slice all[16] = {SLICE("4")};
    struct frame f = {.plain = {NULL, 0, 0}};
    struct buf joined;
    if (binary) {
        f = wsock_encode(n, WS_BINARY, parts, count);
        frame_keep_plain(&f);
        return f;
    }
    if (count < sizeof all / sizeof *all) {
        memcpy(all + 1, parts, count * sizeof *parts);
        return wsock_encode(n, WS_TEXT, all, count + 1);
    }
    buf_init(&joined);
    buf_char(&joined, EIO_MESSAGE);
    for (size_t i = 0; i < count; i++)
        buf_slice(&joined, parts[i]);
    all[0] = buf_bytes(&joined);
    if (!joined.failed)
        f = wsock_encode(n, WS_TEXT, all, 1);
    buf_deinit(&joined);
    return f;
}

void eio_mark(struct eio_session *s) {
    if (s->state == EIO_CLOSED)
        return;
    if (list_empty(&s->link))
        list_push(&s->server->dirty, &s->link);
    net_again(s->server->net);
}

bool eio_send(struct eio_session *s, struct frame *message, bool ephemeral) {
    if (s->state == EIO_CLOSED)
        return false;
    if (message->plain.slab == NULL) {
        eio_end(s, EIO_GONE_MEMORY);
        return false;
    }
    if (s->socket == NULL)
        return s->carrier->send(s, message->plain, ephemeral);
    if (conn_is_full(s->socket->conn, message->plain.len)) {
        if (!ephemeral)
            eio_end(s, EIO_GONE_SLOW);
        return false;
    }
    return wsock_send(s->socket, message, ephemeral);
}

bool eio_send_once(struct eio_session *s, struct frame message, bool ephemeral) {
    struct slabs *slabs = &s->server->net->slabs;
    bool sent = eio_send(s, &message, ephemeral);
    frame_done(&message, slabs);
    return sent;
}

/* Sends a packet of the server itself. */
static bool put_packet(struct eio_session *s, const char *text) {
    struct slice all = slice_of(text);
    return eio_send_once(s, wsock_encode(s->server->net, WS_TEXT, &all, 1), false);
}

size_t eio_queued(const struct eio_session *s) {
    return s->state != EIO_CLOSED ? s->carrier->queued(s) : 0;
}

void eio_want_drained(struct eio_session *s) {
    s->want_drained = true;
    if (s->state != EIO_CLOSED)
        s->carrier->want_drained(s);
}

void eio_pause(struct eio_session *s, bool pause) {
    if (s->paused && s->state != EIO_CLOSED && now_of(s) >= s->alive_until) {
        ask_again(s);
        eio_arm(s);
    }
    s->paused = pause;
    if (s->state != EIO_CLOSED)
        s->carrier->pause(s, pause);
}

size_t eio_held(const struct eio_session *s) {
    size_t carried = s->carrier->held != NULL ? s->carrier->held(s) : 0;
    return carried + (s->server->ops->held != NULL ? s->server->ops->held(s) : 0);
}

/* --- what it may spend ----------------------------------------------------------------------
 */

bool eio_slow(struct eio_session *s, uint64_t until) {
    bool first = !s->slowed;
    if (s->state == EIO_CLOSED)
        return false;
    s->slowed = true;
    s->slow_until = until;
    if (s->socket != NULL)
        conn_slow(s->socket->conn, until);
    if (first)
        eio_arm(s);
    return first;
}

void eio_charge(struct eio_session *s, uint64_t units) {
    struct net *n = s->server->net;
    uint64_t until = rate_charge(&s->rate, net_now(n), n->rate, units);
    if (until != 0 && eio_slow(s, until))
        metric_limited(n->metrics, LIMIT_RATE);
}
