#include "gateway/net/relay.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "common/log.h"

#define HEADER     "Sluice-Handover"
#define CONNECT_MS 1000
#define HOLD_MS    2000 /* at most, for a node to be found */
#define LOOK_MS    100  /* between two looks for one */
#define SPARE      16   /* connections beyond the limit, for clients that are there already */
/* The answer to a poll may have twice the queue, as base64, and a message that is longer. */
#define MORE_BODY (128UL << 20)

struct relay_peer {
    struct http_peer http;
    struct list link;
    char name[EIO_NODE_SIZE];
    char key[RELAY_KEY_SIZE];
};

enum kind { POLL, POST, UPGRADE, GIVE_UP };

struct relay_request {
    struct relay *relay;
    struct list link; /* in the relay's waiting or giving_up */
    struct http_later later;
    struct http_call call;
    struct slice origin;
    struct buf target;
    struct buf head; /* up to the key */
    struct buf body; /* while it is held */
    char node[EIO_NODE_SIZE];
    enum kind kind;
    bool released; /* its connection has been ended, for it to be answered */
    bool again;    /* it has been sent twice */
};

static void count(struct relay *r, enum handover what) {
    metric_add(r->net->metrics, METRIC_HANDOVERS + (unsigned)what, 1);
}

/* --- nodes ----------------------------------------------------------------------------------
 */

static struct relay_peer *peer_find(struct relay *r, struct slice name) {
    for (struct list *at = r->peers.next; at != &r->peers; at = at->next) {
        struct relay_peer *p = container_of(at, struct relay_peer, link);
        if (slice_is(name, p->name))
            return p;
    }
    return NULL;
}

static void peer_free(struct http_peer *http) {
    free(container_of(http, struct relay_peer, http));
}

void relay_met(struct relay *r, const char *name, const struct conn_address *at,
               const char *key) {
    struct relay_peer *p = peer_find(r, slice_of(name));
    if (p != NULL && memcmp(&p->http.address, at, sizeof *at) == 0 && strcmp(p->key, key) == 0)
        return;
    if (p != NULL)
        relay_lost(r, name);
    p = calloc(1, sizeof *p);
    if (p == NULL) {
        LOG(LOG_ERROR, "no_peer", "why", "out of memory", NULL);
        return;
    }
    p->http = (struct http_peer){.net = r->net,
                                 .address = *at,
                                 .connect_ms = CONNECT_MS,
                                 .idle_ms = r->idle_ms,
                                 .body_max = 2 * r->net->max_queue + MORE_BODY,
                                 .on_closed = peer_free};
    http_peer_init(&p->http);
    snprintf(p->name, sizeof p->name, "%s", name);
    snprintf(p->key, sizeof p->key, "%s", key);
    list_init(&p->link);
    list_push(&r->peers, &p->link);
}

void relay_lost(struct relay *r, const char *name) {
    struct relay_peer *p = peer_find(r, slice_of(name));
    if (p == NULL)
        return;
    list_remove(&p->link);
    tunnels_cut(&r->tunnels, p);
    http_peer_close(&p->http);
}

/* --- a request ------------------------------------------------------------------------------
 */

static bool on_answered(struct http_call *call, const struct http_reply *reply);
static void on_failed(struct http_call *call, enum http_failure why);
static void on_upgraded(struct http_call *call, const struct http_reply *reply, struct conn *c,
                        struct slice rest);
static void on_gone(struct http_later *later);

static struct relay_request *request_make(struct relay *r, const struct http_request *request,
                                          struct slice node) {
    struct relay_request *q = calloc(1, sizeof *q);
    if (q == NULL)
        return NULL;
    q->relay = r;
    q->later = (struct http_later){.gone = on_gone, .keep_errors = true};
    q->call = (struct http_call){
        .answered = on_answered, .failed = on_failed, .upgraded = on_upgraded};
    q->kind = request->upgrade ? UPGRADE : slice_is(request->method, "GET") ? POLL : POST;
    q->origin = eio_origin(r->eio, request);
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

static void put_header(struct buf *b, const struct http_request *request, const char *name) {
    const char *value = http_header(request, name);
    if (value != NULL)
        buf_printf(b, "%s: %s\r\n", name, value);
}

/* What the other node looks at, and no more: the rest was for this one, or the proxy's. */
static void put_head(struct relay_request *q, const struct http_request *request) {
    struct buf *b = &q->head;
    buf_slice(b, request->method);
    buf_char(b, ' ');
    buf_slice(b, buf_bytes(&q->target));
    buf_str(b, " HTTP/1.1\r\n");
    put_header(b, request, "Host");
    put_header(b, request, "Origin");
    if (q->kind == UPGRADE) {
        buf_str(b, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
        put_header(b, request, "Sec-WebSocket-Version");
        put_header(b, request, "Sec-WebSocket-Key");
        put_header(b, request, "Sec-WebSocket-Protocol");
    }
    if (q->kind == POST)
        buf_printf(b, "Content-Length: %zu\r\n", request->body.len);
}

static bool start(struct relay_request *q, struct relay_peer *p, struct slice body) {
    struct relay *r = q->relay;
    struct slice parts[] = {buf_bytes(&q->head), SLICE(HEADER ": "), slice_of(p->key),
                            SLICE("\r\n\r\n"), body};
    bool full = r->net->count >= r->most + SPARE && list_empty(&p->http.idle);
    return !r->stopped && !full && !q->head.failed && !q->target.failed &&
           http_call_begin(&q->call, &p->http, parts, 5, q->again);
}

/* --- its end --------------------------------------------------------------------------------
 */

static struct relay_request *of_call(struct http_call *call) {
    return container_of(call, struct relay_request, call);
}

static bool on_answered(struct http_call *call, const struct http_reply *reply) {
    struct relay_request *q = of_call(call);
    bool polls = q->kind == POLL;
    if (q->kind != GIVE_UP)
        count(q->relay, HANDOVER_ANSWERED);
    bool passed = http_answer_later(&q->later, reply->status, NULL, reply->body, reply->lines);
    request_free(q);
    return polls && passed;
}

/* A kept connection ended before it gave an answer: the other node has not read the request.
 * What changes something is not sent twice, all the same. */
static bool start_again(struct relay_request *q, enum http_failure why) {
    struct slice none = {NULL, 0};
    struct relay_peer *p = peer_find(q->relay, slice_of(q->node));
    if (why != HTTP_STALE || p == NULL || q->kind == POST || q->released || q->again)
        return false;
    q->again = true;
    return start(q, p, none);
}

static void on_failed(struct http_call *call, enum http_failure why) {
    struct relay_request *q = of_call(call);
    bool no_answer = why == HTTP_STALE || why == HTTP_ENDED;
    if (start_again(q, why))
        return;
    if (q->released && no_answer) {
        count(q->relay, HANDOVER_RELEASED);
        eio_answer_nothing(&q->later, q->origin);
    } else if (q->kind != GIVE_UP) {
        count(q->relay, HANDOVER_FAILED);
        eio_answer_unknown(&q->later, q->origin);
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
        eio_answer_unknown(&q->later, q->origin);
    } else {
        conn_enter(near, DOOR_SIO);
        tunnel_open(&r->tunnels, near, far, peer_find(r, slice_of(q->node)), buf_bytes(&early),
                    rest);
    }
    count(r, near != NULL ? HANDOVER_TUNNELLED : HANDOVER_FAILED);
    buf_deinit(&early);
    request_free(q);
}

/* The other node hears it from a POST that no client sends: it ends the session, as it would if
 * the client had been its own. */
static bool give_up(struct relay_request *q) {
    struct slice none = {NULL, 0};
    struct relay_peer *p = peer_find(q->relay, slice_of(q->node));
    if (p == NULL)
        return false;
    stop_waiting(q);
    q->kind = GIVE_UP;
    list_push(&q->relay->giving_up, &q->link);
    buf_clear(&q->head);
    buf_str(&q->head, "POST ");
    buf_slice(&q->head, buf_bytes(&q->target));
    buf_str(&q->head, " HTTP/1.1\r\nHost: sluice\r\nContent-Length: 0\r\n");
    return start(q, p, none);
}

static void on_gone(struct http_later *later) {
    struct relay_request *q = container_of(later, struct relay_request, later);
    bool told = q->kind != UPGRADE && !q->relay->stopped;
    http_call_drop(&q->call);
    count(q->relay, HANDOVER_GIVEN_UP);
    if (!told || !give_up(q))
        request_free(q);
}

/* --- requests that come ---------------------------------------------------------------------
 */

bool relay_is_handed_over(void *relay, const struct http_request *request) {
    const struct relay *r = relay;
    const char *key = http_header(request, HEADER);
    size_t len = strlen(r->key);
    return key != NULL && strlen(key) == len && CRYPTO_memcmp(key, r->key, len) == 0;
}

/* Looking is bounded: anybody can make names up. */
static bool may_come(struct relay *r) {
    uint64_t now = net_now(r->net);
    if (r->looking || now < r->look_again || !r->look(r->owner))
        return r->looking;
    r->look_again = now + LOOK_MS;
    r->look_until = now + HOLD_MS;
    return r->looking = true;
}

/* Whoever wrote the header: the request has come far enough. */
static bool may_go(struct relay *r, const struct http_request *request, struct slice node) {
    bool goes =
        http_header(request, HEADER) == NULL && (peer_find(r, node) != NULL || may_come(r));
    if (!goes)
        count(r, HANDOVER_UNKNOWN);
    return goes;
}

bool relay_body(void *relay, const struct http_request *request, struct slice node) {
    struct relay_request *q = NULL;
    if (may_go(relay, request, node))
        q = request_make(relay, request, node);
    if (q != NULL)
        http_watch(request, &q->later);
    return q != NULL;
}

/* Not while this node drains: the proxy asks the next one, which will be there for longer. */
static bool turned_away(const struct relay *r, const struct http_request *request) {
    if (!r->draining || slice_is(request->method, "POST"))
        return false;
    http_answer(request, 503, "text/plain; charset=utf-8", SLICE("draining\n"), NULL);
    return true;
}

/* Waits for nodes to be looked for. */
static bool hold(struct relay_request *q, struct slice body) {
    buf_slice(&q->body, body);
    if (q->head.failed || q->body.failed)
        return false;
    list_remove(&q->link);
    list_push(&q->relay->held, &q->link);
    return true;
}

bool relay_route(void *relay, const struct http_request *request, struct slice node) {
    struct relay *r = relay;
    struct relay_request *q = NULL;
    if (request->watched != NULL)
        q = container_of(request->watched, struct relay_request, later);
    bool goes = may_go(r, request, node);
    if (goes && turned_away(r, request))
        return true;
    if (goes && q == NULL)
        q = request_make(r, request, node);
    if (goes && q != NULL) {
        struct relay_peer *p = peer_find(r, node);
        put_head(q, request);
        if (p != NULL ? start(q, p, request->body) : hold(q, request->body)) {
            http_defer(request, &q->later, 0);
            return true;
        }
        count(r, HANDOVER_FAILED);
    }
    if (q != NULL)
        request_free(q);
    return false;
}

void relay_ready(struct relay *r) {
    r->looking = false;
    while (!list_empty(&r->held)) {
        struct relay_request *q = container_of(r->held.next, struct relay_request, link);
        struct relay_peer *p = peer_find(r, slice_of(q->node));
        list_remove(&q->link);
        list_push(&r->waiting, &q->link);
        if (p != NULL && start(q, p, buf_bytes(&q->body))) {
            buf_deinit(&q->body);
            continue;
        }
        count(r, p != NULL ? HANDOVER_FAILED : HANDOVER_UNKNOWN);
        eio_answer_unknown(&q->later, q->origin);
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
    while (!list_empty(&r->peers)) {
        struct relay_peer *p = container_of(r->peers.next, struct relay_peer, link);
        list_remove(&p->link);
        http_peer_close(&p->http);
    }
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
