#include "gateway/socketio/relay.h"

#include <stdlib.h>

#include "gateway/socketio/eio_answer.h"
#include "gateway/socketio/relay_head.h"

#define HOLD_MS 2000 /* the longest time that a request is held until its node is found */
#define LOOK_MS 100  /* the least time between two looks for nodes */
#define SPARE   16   /* connections beyond the limit, for clients that are there already */

enum kind { POLL, POST, UPGRADE, GIVE_UP };

struct relay_request {
    struct relay *relay;
    struct list link; /* in the relay's waiting or giving_up */
    struct http_later later;
    struct http_call call;
    struct buf target;
    struct buf head; /* the request's head, up to the key */
    struct buf body; /* the bytes of the body that came while it was held */
    char node[EIO_NODE_SIZE];
    enum kind kind;
    bool chunked;  /* its body is sent in chunks, since its length is not known */
    bool released; /* its connection to the node was ended, so that the node answers it */
    bool again;    /* it was sent twice */
};

static void count(struct relay *r, enum handover what) {
    metric_add(r->net->metrics, METRIC_HANDOVERS + (unsigned)what, 1);
}

/* --- a request ------------------------------------------------------------------------------
 */

static enum http_fate on_answered(struct http_call *call, const struct http_reply *reply);
static void on_failed(struct http_call *call, enum http_failure why);
static void on_upgraded(struct http_call *call, const struct http_reply *reply, struct conn *c,
                        struct slice rest);
static void on_gone(struct http_later *later);
static void on_piece(struct http_later *later, struct slice bytes);
static void on_sent(struct http_call *call);

static struct relay_request *request_make(struct relay *r, const struct http_request *request,
                                          struct slice node) {
    struct relay_request *q = calloc(1, sizeof *q);
    if (q == NULL)
        return NULL;
    q->relay = r;
    q->later = (struct http_later){.gone = on_gone, .piece = on_piece, .keep_errors = true};
    q->call = (struct http_call){.answered = on_answered,
                                 .failed = on_failed,
                                 .upgraded = on_upgraded,
                                 .drained = on_sent};
    q->kind = request->upgrade ? UPGRADE : slice_is(request->method, "GET") ? POLL : POST;
    memcpy(q->node, node.ptr, node.len);
    buf_init(&q->head);
    buf_init(&q->body);
    buf_init(&q->target);
    buf_slice(&q->target, request->path);
    buf_char(&q->target, '?');
    buf_slice(&q->target, request->query);
    list_init(&q->link);
    list_push(&r->waiting, &q->link);
    r->waiting_count++;
    return q;
}

static void stop_waiting(struct relay_request *q) {
    if (q->kind != GIVE_UP)
        q->relay->waiting_count--;
    list_remove(&q->link);
}

static void request_free(struct relay_request *q) {
    stop_waiting(q);
    buf_deinit(&q->head);
    buf_deinit(&q->body);
    buf_deinit(&q->target);
    free(q);
}

static bool start(struct relay_request *q, struct relay_peer *p) {
    struct relay *r = q->relay;
    struct slice parts[] = {buf_bytes(&q->head), SLICE(RELAY_HEADER ": "), slice_of(p->key),
                            SLICE("\r\n\r\n"), buf_bytes(&q->body)};
    bool full = r->net->open >= r->most + SPARE && list_empty(&p->http.idle);
    bool good = !q->head.failed && !q->target.failed && !q->body.failed;
    return !r->stopped && !full && good &&
           http_call_begin(&q->call, &p->http, parts, 5, q->again);
}

/* --- its end --------------------------------------------------------------------------------
 */

static struct relay_request *of_call(struct http_call *call) {
    return container_of(call, struct relay_request, call);
}

static enum http_fate on_answered(struct http_call *call, const struct http_reply *reply) {
    struct relay_request *q = of_call(call);
    bool polls = q->kind == POLL;
    if (q->kind != GIVE_UP)
        count(q->relay, HANDOVER_ANSWERED);
    q->later.passed_on = true;
    bool passed = http_answer_later(&q->later, reply->status, NULL, reply->body, reply->lines);
    request_free(q);
    return !polls ? HTTP_TAKEN : passed ? HTTP_PASSED_ON : HTTP_DROPPED;
}

/* A kept connection ended before an answer came, so the other node has not read the request. A
 * POST changes something, so it is never sent twice. */
static bool start_again(struct relay_request *q, enum http_failure why) {
    struct relay_peer *p = relay_peer_find(&q->relay->peers, slice_of(q->node));
    if (why != HTTP_STALE || p == NULL || q->kind == POST || q->released || q->again)
        return false;
    q->again = true;
    return start(q, p);
}

static void on_failed(struct http_call *call, enum http_failure why) {
    struct relay_request *q = of_call(call);
    bool no_answer = why == HTTP_STALE || why == HTTP_ENDED;
    if (start_again(q, why))
        return;
    if (q->released && no_answer) {
        count(q->relay, HANDOVER_RELEASED);
        eio_answer_nothing(&q->later);
    } else if (q->kind != GIVE_UP) {
        count(q->relay, HANDOVER_FAILED);
        eio_answer_unknown(&q->later);
    }
    request_free(q);
}

static void on_upgraded(struct http_call *call, const struct http_reply *reply,
                        struct conn *far, struct slice rest) {
    struct relay_request *q = of_call(call);
    struct relay *r = q->relay;
    struct buf early;
    struct buf *head = &q->head;
    buf_init(&early);
    buf_clear(head);
    buf_str(head, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                  "Connection: Upgrade\r\n");
    buf_printf(head, "%s\r\n", reply->lines);
    struct conn *near = NULL;
    if (q->kind == UPGRADE && !head->failed)
        near = http_upgrade_later(&q->later, buf_bytes(head), &early);
    if (near == NULL) {
        conn_close(far, true);
        eio_answer_unknown(&q->later);
    } else {
        conn_enter(near, DOOR_SIO);
        tunnel_open(&r->tunnels, near, far, relay_peer_find(&r->peers, slice_of(q->node)),
                    buf_bytes(&early), rest);
    }
    count(r, near != NULL ? HANDOVER_TUNNELLED : HANDOVER_FAILED);
    buf_deinit(&early);
    request_free(q);
}

/* Tells the other node that the client is gone, by a POST that no client sends. That node ends
 * the session, as it would for a client of its own. */
static bool give_up(struct relay_request *q) {
    struct relay_peer *p = relay_peer_find(&q->relay->peers, slice_of(q->node));
    if (p == NULL)
        return false;
    stop_waiting(q);
    q->kind = GIVE_UP;
    list_push(&q->relay->giving_up, &q->link);
    q->call.open = false;
    buf_clear(&q->body);
    buf_clear(&q->head);
    relay_head_put_give_up(&q->head, buf_bytes(&q->target));
    return start(q, p);
}

static void on_gone(struct http_later *later) {
    struct relay_request *q = container_of(later, struct relay_request, later);
    bool told = q->kind != UPGRADE && !q->relay->stopped;
    http_call_drop(&q->call);
    count(q->relay, HANDOVER_GIVEN_UP);
    if (!told || !give_up(q))
        request_free(q);
}

/* --- a POST's body, passed on as it comes ---------------------------------------------------
 */

static void put_piece(struct buf *out, bool chunked, struct slice bytes) {
    if (chunked)
        buf_printf(out, "%zx\r\n", bytes.len);
    buf_slice(out, bytes);
    if (chunked)
        buf_str(out, "\r\n");
}

/* The body cannot be passed on: the client's connection ends. */
static void lose_body(struct relay_request *q) {
    http_call_drop(&q->call);
    count(q->relay, HANDOVER_FAILED);
    eio_answer_unknown(&q->later);
    request_free(q);
}

/* While the node is looked for, only the bytes that have already come are read. */
static void on_piece(struct http_later *later, struct slice bytes) {
    struct relay_request *q = container_of(later, struct relay_request, later);
    struct buf piece;
    if (q->call.out == NULL) {
        put_piece(&q->body, q->chunked, bytes);
        http_pause_body(later, true);
        return;
    }
    buf_init(&piece);
    put_piece(&piece, q->chunked, bytes);
    struct slice all = buf_bytes(&piece);
    size_t waits = piece.failed ? SIZE_MAX : http_call_send(&q->call, &all, 1);
    buf_deinit(&piece);
    if (waits == SIZE_MAX)
        lose_body(q);
    else if (waits > HTTP_CALL_MOST)
        http_pause_body(later, true);
}

static void on_sent(struct http_call *call) {
    http_pause_body(&of_call(call)->later, false);
}

static bool put_end(struct relay_request *q) {
    struct slice end = SLICE("0\r\n\r\n");
    q->call.open = false;
    if (!q->chunked)
        return true;
    if (q->call.out != NULL)
        return http_call_send(&q->call, &end, 1) != SIZE_MAX;
    buf_slice(&q->body, end);
    return !q->body.failed;
}

/* All of the body has come: waits for the answer. */
static void end_body(struct http_later *later, const struct http_request *request) {
    struct relay_request *q = container_of(later, struct relay_request, later);
    http_defer(request, later, 0);
    if (!put_end(q))
        lose_body(q);
}

/* --- requests that come ---------------------------------------------------------------------
 */

bool relay_is_handed_over(void *relay, const struct http_request *request) {
    const struct relay *r = relay;
    return relay_head_has_key(request, r->key);
}

/* Limits how often nodes are looked for, because a client can invent names of nodes. */
static bool may_come(struct relay *r) {
    uint64_t now = net_now(r->net);
    if (r->looking || now < r->look_again || !r->look(r->owner))
        return r->looking;
    r->look_again = now + LOOK_MS;
    r->look_until = now + HOLD_MS;
    return r->looking = true;
}

/* A request that has the header is not passed on, whoever wrote the header. */
static bool may_go(struct relay *r, const struct http_request *request, struct slice node) {
    bool goes = !relay_head_is_marked(request) &&
                (relay_peer_find(&r->peers, node) != NULL || may_come(r));
    if (!goes)
        count(r, HANDOVER_UNKNOWN);
    return goes;
}

/* Sends the request to the node that it names, or holds it until that node is found. Returns
 * false if it can do neither. */
static bool send_off(struct relay_request *q, const struct http_request *request) {
    struct relay *r = q->relay;
    struct relay_peer *p = relay_peer_find(&r->peers, slice_of(q->node));
    relay_head_put(&q->head, request, buf_bytes(&q->target));
    if (p != NULL && !start(q, p)) {
        count(r, HANDOVER_FAILED);
        return false;
    }
    if (p == NULL) {
        list_remove(&q->link);
        list_push(&r->held, &q->link);
    }
    return true;
}

/* The node that has the session is asked before the body is read, because only that node knows
 * whether the session exists. */
bool relay_body(void *relay, const struct http_request *request, struct slice node) {
    struct relay_request *q = NULL;
    if (may_go(relay, request, node))
        q = request_make(relay, request, node);
    if (q == NULL)
        return false;
    q->chunked = request->length == HTTP_CHUNKED;
    q->call.open = true;
    if (!send_off(q, request)) {
        request_free(q);
        return false;
    }
    http_watch(request, &q->later);
    return true;
}

/* Refuses the request while this node drains: the proxy then asks the next node, which will
 * stay longer. */
static bool turned_away(const struct relay *r, const struct http_request *request) {
    if (!r->draining || slice_is(request->method, "POST"))
        return false;
    http_answer(request, 503, "text/plain; charset=utf-8", SLICE("draining\n"), NULL);
    return true;
}

bool relay_route(void *relay, const struct http_request *request, struct slice node) {
    struct relay *r = relay;
    struct http_later *watched = http_claim(request);
    if (watched != NULL) {
        end_body(watched, request);
        return true;
    }
    struct relay_request *q = NULL;
    if (!may_go(r, request, node))
        return false;
    if (turned_away(r, request))
        return true;
    q = request_make(r, request, node);
    if (q != NULL && send_off(q, request)) {
        http_defer(request, &q->later, 0);
        return true;
    }
    if (q != NULL)
        request_free(q);
    return false;
}

void relay_ready(struct relay *r) {
    r->looking = false;
    while (!list_empty(&r->held)) {
        struct relay_request *q = container_of(r->held.next, struct relay_request, link);
        struct relay_peer *p = relay_peer_find(&r->peers, slice_of(q->node));
        list_remove(&q->link);
        list_push(&r->waiting, &q->link);
        if (p != NULL && start(q, p)) {
            buf_deinit(&q->body);
            http_pause_body(&q->later, false);
            continue;
        }
        count(r, p != NULL ? HANDOVER_FAILED : HANDOVER_UNKNOWN);
        eio_answer_unknown(&q->later);
        request_free(q);
    }
}

void relay_tick(struct relay *r, uint64_t now) {
    if (r->looking && now >= r->look_until)
        relay_ready(r);
}

/* --- the relay ------------------------------------------------------------------------------
 */

void relay_init(struct relay *r) {
    list_init(&r->peers);
    list_init(&r->waiting);
    list_init(&r->held);
    list_init(&r->giving_up);
    tunnels_init(&r->tunnels, r->close_ms);
}

void relay_deinit(struct relay *r) {
    while (!list_empty(&r->peers))
        relay_peer_close(container_of(r->peers.next, struct relay_peer, link));
}

void relay_met(struct relay *r, const char *name, const struct conn_address *at,
               const char *key) {
    const struct relay_peer *p = relay_peer_find(&r->peers, slice_of(name));
    if (p != NULL && relay_peer_is(p, at, key))
        return;
    if (p != NULL)
        relay_lost(r, name);
    relay_peer_add(&r->peers, r->net, r->idle_ms, name, at, key);
}

/* The mark of a tunnel is the node to which its far side leads. */
void relay_lost(struct relay *r, const char *name) {
    struct relay_peer *p = relay_peer_find(&r->peers, slice_of(name));
    if (p == NULL)
        return;
    tunnels_cut(&r->tunnels, p);
    relay_peer_close(p);
}

unsigned relay_count(const struct relay *r) {
    return r->tunnels.count + r->waiting_count;
}

bool relay_close_one(struct relay *r) {
    if (tunnels_close_one(&r->tunnels))
        return true;
    for (struct list *at = r->waiting.next; at != &r->waiting; at = at->next) {
        struct relay_request *q = container_of(at, struct relay_request, link);
        if (q->kind != POLL || q->released)
            continue;
        q->released = true;
        http_call_hang_up(&q->call);
        return true;
    }
    return false;
}
