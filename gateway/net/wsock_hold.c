#include "gateway/net/wsock_hold.h"

static struct wsock_hold *of_later(struct http_later *later) {
    return container_of(later, struct wsock_hold, later);
}

static void count(struct wsock_hold *hold, bool accepted) {
    metric_handshake(hold->shared->net->metrics, hold->door, accepted);
}

/* It is over. */
static void end(struct wsock_hold *hold, bool accepted) {
    hold->shared->count--;
    count(hold, accepted);
}

static void on_gone(struct http_later *later) {
    struct wsock_hold *hold = of_later(later);
    end(hold, false);
    hold->gone(hold);
}

static void on_late(struct http_later *later) {
    struct wsock_hold *hold = of_later(later);
    wsock_refuse(hold, 503, "the handshake could not be checked in time\n", NULL);
    hold->gone(hold);
}

bool wsock_hold(struct wsock_hold *hold, struct wsock_shared *shared, enum door_kind door,
                const struct http_request *request) {
    hold->shared = shared;
    hold->conn = request->conn;
    hold->door = door;
    hold->later = (struct http_later){.late = on_late, .gone = on_gone};
    if (!ws_handshake_read(&hold->handshake, request)) {
        count(hold, false);
        return false;
    }
    shared->count++;
    http_hold(request, &hold->later);
    return true;
}

bool wsock_admit(struct wsock_hold *hold, struct wsock *w, const struct wsock_ops *ops,
                 struct buf *early) {
    char head[WS_HEAD_SIZE];
    buf_init(early);
    struct conn *c =
        http_upgrade_later(&hold->later, ws_handshake_head(&hold->handshake, head), early);
    end(hold, c != NULL);
    if (c != NULL)
        wsock_begin(w, hold->shared, c, ops, hold->handshake.window);
    return c != NULL;
}

void wsock_take_early(struct wsock *w, struct buf *early) {
    struct buf bytes = *early;
    buf_init(early);
    if (bytes.len > 0 && !w->conn->closed)
        w->conn->ops->on_bytes(w->conn, bytes.data, bytes.len);
    buf_deinit(&bytes);
}

void wsock_refuse(struct wsock_hold *hold, int status, const char *why, const char *extra) {
    end(hold, false);
    http_answer_later(&hold->later, status, "text/plain; charset=utf-8", slice_of(why), extra);
}
