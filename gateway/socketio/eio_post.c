#include "gateway/socketio/eio_post.h"

#include "common/utf8.h"
#include "gateway/socketio/eio_answer.h"

#define PACKETS_A_TURN 512 /* packets of one POST; the rest waits for the next turn */

static void on_gone(struct http_later *later) {
    eio_end(container_of(later, struct eio_post, request)->session, EIO_GONE_TRANSPORT);
}

void eio_post_init(struct eio_post *p, struct eio_session *s) {
    *p = (struct eio_post){.session = s, .request = {.gone = on_gone, .keep_errors = true}};
    buf_init(&p->rest);
}

static void drop_rest(struct eio_post *p) {
    p->session->server->held -= p->rest.cap;
    buf_deinit(&p->rest);
}

void eio_post_deinit(struct eio_post *p) {
    drop_rest(p);
}

void eio_post_answer(struct eio_post *p, bool good) {
    if (good)
        eio_answer_text(&p->request, SLICE("ok"));
    else
        eio_answer_error_later(&p->request, EIO_E_REQUEST);
}

bool eio_post_watch(struct eio_post *p, const struct http_request *request) {
    if (eio_post_is_under_way(p)) {
        eio_end(p->session, EIO_GONE_OVERLAP);
        return false;
    }
    p->since = net_now(p->session->server->net);
    http_watch(request, &p->request);
    return true;
}

/* Handles the packets of one turn. */
bool eio_post_go_on(struct eio_post *p) {
    struct eio_session *s = p->session;
    struct slice packet;
    if (!p->handling)
        return false;
    for (unsigned n = 0; p->reading.at != NULL; n++) {
        if (s->paused || s->slowed)
            return false;
        if (n == PACKETS_A_TURN) {
            eio_mark(s);
            return false;
        }
        eio_payload_next(&p->reading, &packet);
        metric_add(s->server->net->metrics, METRIC_RECEIVED_MESSAGES + DOOR_SIO, 1);
        eio_take(s, packet);
        if (s->state == EIO_CLOSED)
            return false;
    }
    drop_rest(p);
    p->handling = false;
    eio_post_answer(p, true);
    return true;
}

/* Copies the rest of the body, which is valid in this turn only. */
static void keep_rest(struct eio_post *p) {
    struct slice rest = {p->reading.at, (size_t)(p->reading.end - p->reading.at)};
    buf_slice(&p->rest, rest);
    p->session->server->held += p->rest.cap;
    if (p->rest.failed)
        eio_end(p->session, EIO_GONE_MEMORY);
    else if (rest.len == 0)
        eio_end(p->session, EIO_GONE_INVALID); /* the body ends in a separator */
    else
        eio_payload_init(&p->reading, buf_bytes(&p->rest));
}

bool eio_post_take(struct eio_post *p, const struct http_request *request) {
    struct eio_session *s = p->session;
    bool watched = http_claim(request) != NULL;
    if (!watched && eio_post_is_under_way(p)) {
        eio_end(s, EIO_GONE_OVERLAP);
        eio_answer_error(request, EIO_E_REQUEST);
        return false;
    }
    if (!watched)
        p->since = net_now(s->server->net);
    http_defer(request, &p->request, 0);
    if (request->body.len == 0 || !utf8_valid(request->body)) {
        eio_end(s, EIO_GONE_INVALID);
        return false;
    }
    eio_payload_init(&p->reading, request->body);
    p->handling = true;
    bool done = eio_post_go_on(p);
    if (s->state != EIO_CLOSED && p->handling)
        keep_rest(p);
    return done;
}
