#include "gateway/socketio/eio_polling.h"

#include <stdlib.h>

#include "gateway/socketio/eio_answer.h"
#include "gateway/socketio/eio_post.h"

#define SECOND_MS 500 /* how long the connection of a dead node may take to end */
/* An answer that has as many bytes gets no more messages, since it is a copy. */
#define ANSWER_BYTES 1048576
#define FLOOR        16 /* bytes of an answer that a slow line takes a ms: 16 KB/s */

struct eio_polling {
    struct eio_session *session;
    struct wsock *probe;      /* or NULL */
    uint64_t probe_until;     /* when the upgrade must be done */
    struct http_later get;    /* a poll that waits for something to send */
    struct http_later second; /* another poll, which waits to see whether the node through which
                                 the first came is dead */
    uint64_t second_until;    /* after this the node is alive, so there are two polls at once */
    struct http_receipt receipt; /* for messages that went through another node */
    struct eio_post post;
    struct out_queue out;  /* WebSocket frames that wait for a poll */
    size_t most;           /* the most packets of an answer to a poll */
    uint64_t polled_until; /* the client is gone if it does not poll again before this */
    bool probed;           /* the probe's "2probe" came */
    bool get_from_node;    /* the waiting poll came through another node */
    bool second_from_node;
    bool unsure; /* it is not known whether messages were passed on. Nothing more is sent, or
                    the client would have a gap without knowing */
};

/* --- a polled session -----------------------------------------------------------------------
 */

/* When the session ends because of a second poll, or because no poll came. UINT64_MAX: never.
 */
static uint64_t ends_at(const struct eio_polling *p, enum eio_gone *why) {
    *why = EIO_GONE_OVERLAP;
    if (p->second.http != NULL)
        return p->second_until;
    *why = EIO_GONE_TIMEOUT;
    /* A client that probes sends no polls; the probe has its own time limit. */
    bool waits = p->get.http != NULL || eio_post_is_under_way(&p->post) || p->probe != NULL;
    return waits ? UINT64_MAX : p->polled_until;
}

static uint64_t due(const struct eio_session *s) {
    const struct eio_polling *p = s->polling;
    enum eio_gone why;
    uint64_t at = ends_at(p, &why);
    return p->probe != NULL && p->probe_until < at ? p->probe_until : at;
}

static void on_due(struct eio_session *s) {
    const struct eio_polling *p = s->polling;
    uint64_t now = net_now(s->server->net);
    enum eio_gone why;
    if (p->probe != NULL && now >= p->probe_until)
        eio_polling_drop_probe(s);
    if (now >= ends_at(p, &why))
        eio_end(s, why);
}

/* Sets the time until which the client must poll again after an answer of so many bytes. */
static void await_poll(struct eio_session *s, size_t answered) {
    if (s->state != EIO_POLLING)
        return;
    s->polling->polled_until =
        net_now(s->server->net) + s->server->config.ping_interval_ms + answered / FLOOR;
    eio_arm(s);
}

/* While the body of a POST comes, which may be slow, no pong can come. */
static bool receives(const struct eio_session *s) {
    const struct eio_post *post = &s->polling->post;
    return eio_post_is_under_way(post) && !post->handling;
}

/* A client that gives its poll up is gone. When another node gives a poll up, that node is
 * ending; if the client is gone, the node says so in another way. */
static void on_get_gone(struct http_later *later) {
    struct eio_polling *p = container_of(later, struct eio_polling, get);
    if (!p->get_from_node) {
        eio_end(p->session, EIO_GONE_TRANSPORT);
    } else if (p->second.http != NULL) {
        http_later_move(&p->second, &p->get);
        p->get_from_node = p->second_from_node;
        eio_mark(p->session);
    } else {
        await_poll(p->session, 0);
    }
}

static void on_second_gone(struct http_later *later) {
    struct eio_polling *p = container_of(later, struct eio_polling, second);
    if (!p->second_from_node)
        eio_end(p->session, EIO_GONE_TRANSPORT);
}

static void on_receipt(struct http_receipt *receipt) {
    struct eio_polling *p = container_of(receipt, struct eio_polling, receipt);
    p->unsure = false;
    if (p->get.http != NULL)
        eio_mark(p->session);
}

/* It is not known whether the node passed the messages on before it died. The session ends, and
 * the client is recovered when it begins a new one. */
static void on_receipt_gone(struct http_receipt *receipt) {
    eio_end(container_of(receipt, struct eio_polling, receipt)->session, EIO_GONE_TRANSPORT);
}

static bool begin(struct eio_session *s) {
    struct eio_polling *p = calloc(1, sizeof *p);
    if (p == NULL)
        return false;
    p->session = s;
    p->get.gone = on_get_gone;
    p->second.gone = on_second_gone;
    p->receipt.come = on_receipt;
    p->receipt.gone = on_receipt_gone;
    p->get.keep_errors = p->second.keep_errors = true;
    eio_post_init(&p->post, s);
    p->polled_until = net_now(s->server->net) + s->server->config.ping_interval_ms;
    s->polling = p;
    return true;
}

static void free_polling(struct eio_session *s) {
    struct eio_polling *p = s->polling;
    if (p == NULL)
        return;
    s->polling = NULL;
    http_drop_receipt(&p->receipt);
    queue_clear(&p->out, &s->server->net->out);
    eio_post_deinit(&p->post);
    free(p);
}

/* The Python client gives up a session when the answer to a poll has more packets than this. */
#define PACKETS_OF_PYTHON 16

static size_t most_packets(const struct http_request *request) {
    const char *agent = http_header(request, "user-agent");
    return agent != NULL && strcasestr(agent, "python") != NULL ? PACKETS_OF_PYTHON : SIZE_MAX;
}

/* Appends the packet of a frame that wsock_encode made. Returns true if it is a message. */
static bool put_packet(struct region frame, struct buf *payload) {
    struct slice packet = frame_payload(frame);
    if (frame_opcode(frame) == WS_BINARY) {
        eio_payload_binary(payload, packet);
        return true;
    }
    eio_payload_text(payload, packet);
    return packet.ptr[0] == EIO_MESSAGE || packet.ptr[0] == EIO_BINARY;
}

static bool send_message(struct eio_session *s, struct region message, bool ephemeral) {
    struct net *n = s->server->net;
    const struct eio_polling *p = s->polling;
    struct out_queue *out = &s->polling->out;
    if (ephemeral && queue_sheds(out, n->max_queue))
        return false;
    if (queue_is_full(out, n->max_queue, message.len, p->post.handling, net_awake(n))) {
        eio_end(s, EIO_GONE_SLOW);
        return false;
    }
    if (!queue_push(out, &n->out, message, true)) {
        eio_end(s, EIO_GONE_MEMORY);
        return false;
    }
    metric_add(n->metrics, METRIC_SENT_MESSAGES + DOOR_SIO, 1);
    eio_mark(s);
    return true;
}

/* Answers the waiting poll with the packets that wait. */
static void answer_with_queue(struct eio_session *s) {
    struct eio_polling *p = s->polling;
    struct net *n = s->server->net;
    struct buf payload;
    bool messages = false;
    buf_init(&payload);
    for (size_t i = 0; p->out.bytes > 0 && i < p->most && payload.len < ANSWER_BYTES; i++) {
        struct region frame = queue_first(&p->out);
        messages = put_packet(frame, &payload) || messages;
        queue_sent(&p->out, &n->out, frame.len);
    }
    queue_took(&p->out, net_awake(n));
    if (p->get_from_node && messages)
        http_await_receipt(&p->get, &p->receipt);
    p->unsure = p->receipt.http != NULL;
    if (payload.failed && s->state != EIO_CLOSED)
        eio_end(s, EIO_GONE_MEMORY);
    else
        eio_answer_text(&p->get, payload.failed ? SLICE("1") : buf_bytes(&payload));
    await_poll(s, payload.len);
    buf_deinit(&payload);
}

/* Answers a waiting poll, with a noop if nothing waits, because the probe was accepted. */
static void release(struct eio_session *s) {
    struct eio_polling *p = s->polling;
    if (p->get.http == NULL || p->unsure)
        return;
    if (p->second.http != NULL) {
        eio_answer_nothing(&p->get);
        eio_answer_nothing(&p->second);
        await_poll(s, 0);
    } else if (p->out.bytes > 0) {
        answer_with_queue(s);
    } else {
        eio_answer_nothing(&p->get);
        await_poll(s, 0);
    }
}

static void end(struct eio_session *s, enum eio_gone why, uint16_t code, const char *reason) {
    struct eio_polling *p = s->polling;
    (void)code;
    (void)reason;
    /* A close never follows messages in one answer. Official clients would end at once, hand
     * the messages on a turn later without keeping their offset, and get them again when they
     * are recovered. A client that gets messages learns of the end by its next poll. */
    if (why == EIO_GONE_CLIENT)
        eio_answer_nothing(&p->get);
    else if (p->unsure)
        eio_answer_unknown(&p->get);
    else if (why == EIO_GONE_SLOW || why == EIO_GONE_MEMORY || p->out.bytes == 0)
        eio_answer_text(&p->get, SLICE("1"));
    else
        answer_with_queue(s);
    eio_answer_error_later(&p->second, EIO_E_REQUEST);
    eio_post_answer(&p->post, why == EIO_GONE_CLIENT);
    eio_polling_drop_probe(s);
}

/* A POST was answered: the client may poll after it. */
static void posted(struct eio_session *s) {
    struct eio_polling *p = s->polling;
    p->polled_until += net_now(s->server->net) - p->post.since;
    eio_arm(s);
}

static void flush(struct eio_session *s) {
    struct eio_polling *p = s->polling;
    struct net *n = s->server->net;
    if (eio_post_go_on(&p->post))
        posted(s);
    if (s->state == EIO_CLOSED)
        return;
    if (p->get.http != NULL && p->second.http == NULL && p->out.bytes > 0 && !p->unsure)
        answer_with_queue(s);
    if (p->probed)
        release(s);
    if (p->out.bytes > 0)
        queue_lags(&p->out, &n->out, p->out.bytes, net_awake(n));
    if (s->want_drained && p->out.bytes == 0) {
        s->want_drained = false;
        s->server->ops->on_drained(s);
    }
}

/* --- requests -------------------------------------------------------------------------------
 */

static bool is_from_node(const struct eio_session *s, const struct http_request *request) {
    const struct eio_elsewhere *way = s->server->config.elsewhere;
    return way != NULL && way->is_handed_over(way->owner, request);
}

/* The first poll waits at another node. If that node has died, the client's proxy may poll
 * again before this node sees the connection's end. So this node waits for the end, and answers
 * neither poll meanwhile. */
static void get_second(struct eio_session *s, const struct http_request *request) {
    struct eio_polling *p = s->polling;
    p->second_from_node = is_from_node(s, request);
    p->second_until = net_now(s->server->net) + SECOND_MS;
    http_defer(request, &p->second, 0);
    eio_arm(s);
}

void eio_polling_get(struct eio_session *s, const struct http_request *request) {
    struct eio_polling *p = s->polling;
    if (p->get.http != NULL && p->get_from_node && p->second.http == NULL) {
        get_second(s, request);
        return;
    }
    if (p->get.http != NULL) {
        eio_end(s, EIO_GONE_OVERLAP);
        eio_answer_error(request, EIO_E_REQUEST);
        return;
    }
    p->get_from_node = is_from_node(s, request);
    http_defer(request, &p->get, 0);
    if (p->out.bytes > 0 || p->probed)
        release(s);
    if (s->want_drained)
        eio_mark(s);
}

void eio_polling_post(struct eio_session *s, const struct http_request *request) {
    if (eio_post_take(&s->polling->post, request))
        posted(s);
}

bool eio_polling_body(struct eio_session *s, const struct http_request *request) {
    return eio_post_watch(&s->polling->post, request);
}

static size_t queued(const struct eio_session *s) {
    return s->polling->out.bytes;
}

static size_t held(const struct eio_session *s) {
    return s->polling->post.rest.cap;
}

static void pause_session(struct eio_session *s, bool pause) {
    (void)pause; /* the flush looks at whether the session is paused */
    eio_mark(s);
}

static const struct eio_carrier carrier = {.state = EIO_POLLING,
                                           .begin = begin,
                                           .send = send_message,
                                           .queued = queued,
                                           .want_drained = eio_mark,
                                           .pause = pause_session,
                                           .held = held,
                                           .receives = receives,
                                           .due = due,
                                           .on_due = on_due,
                                           .flush = flush,
                                           .end = end,
                                           .free = free_polling};

void eio_polling_open(struct eio_server *e, const struct http_request *request) {
    struct buf open;
    if (!addresses_enter(&e->polled, &request->conn->address)) {
        metric_limited(e->net->metrics, LIMIT_PER_ADDRESS);
        /* Not 503, because a proxy would take the node for ill and ask the next one. */
        http_answer_and_keep(request, 429, EIO_TEXT_TYPE, SLICE("too many from your address\n"),
                             NULL);
        return;
    }
    buf_init(&open);
    struct eio_session *s = e->ops->on_open(e->owner, request);
    if (eio_begin(e, s, request->conn, &carrier, &open)) {
        s->polling->most = most_packets(request);
        http_answer(request, 200, EIO_TEXT_TYPE, buf_bytes(&open), NULL);
    } else {
        addresses_leave(&e->polled, &request->conn->address);
        http_answer_and_keep(request, 503, EIO_TEXT_TYPE, SLICE("out of memory\n"), NULL);
    }
    buf_deinit(&open);
}

/* --- the probe, and the upgrade -------------------------------------------------------------
 */

bool eio_polling_probe(struct eio_session *s, struct wsock *probe) {
    struct eio_polling *p = s->polling;
    if (p->probe != NULL)
        return false;
    p->probe = probe;
    p->probed = false;
    p->probe_until = net_now(s->server->net) + s->server->config.upgrade_timeout_ms;
    eio_arm(s);
    return true;
}

void eio_polling_probed(struct eio_session *s) {
    s->polling->probed = true;
    eio_mark(s);
}

static struct wsock *forget_probe(struct eio_session *s) {
    struct eio_polling *p = s->polling;
    struct wsock *probe = p->probe;
    p->probe = NULL;
    p->probed = false;
    if (probe != NULL)
        await_poll(s, 0);
    return probe;
}

void eio_polling_drop_probe(struct eio_session *s) {
    struct wsock *probe = forget_probe(s);
    if (probe != NULL)
        wsock_close(probe, WS_CODE_NORMAL, "");
}

void eio_polling_lost(struct eio_session *s, const struct wsock *w) {
    if (s->polling != NULL && s->polling->probe == w)
        forget_probe(s);
}

bool eio_polling_finish(struct eio_session *s) {
    const struct eio_polling *p = s->polling;
    /* Ends the session. With a POST under way, the order of messages would not be known. A
     * client that still polls after an unsure answer has not got that answer. */
    if (eio_post_is_under_way(&p->post) || (p->unsure && p->get.http != NULL))
        eio_end(s, EIO_GONE_OVERLAP);
    else
        release(s);
    return s->state == EIO_POLLING;
}

/* Sends the frames that waited for a poll over the WebSocket instead. */
static void move_queue(struct eio_session *s, struct out_queue *from) {
    struct out_pool *pool = &s->server->net->out;
    while (s->state == EIO_WEBSOCKET && from->bytes > 0) {
        struct region first = queue_first(from);
        struct frame frame = frame_of(first);
        frame_keep_plain(&frame);
        eio_send_once(s, frame, false);
        queue_sent(from, pool, first.len);
    }
}

void eio_polling_hand_on(struct eio_session *s) {
    move_queue(s, &s->polling->out);
    free_polling(s);
}
