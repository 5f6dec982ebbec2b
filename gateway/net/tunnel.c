#include "gateway/net/tunnel.h"

#include <stdlib.h>

#define MOST_QUEUED 131072 /* with more bytes waiting for a side, the other is not read */

static const struct conn_ops tunnel_ops;

static struct tunnel_side *side_of(struct conn *c) {
    return c->peer;
}

static struct tunnel_side *other_of(struct tunnel_side *side) {
    struct tunnel *t = side->tunnel;
    return side == &t->near ? &t->far : &t->near;
}

static void cut(struct tunnel *t) {
    t->closing = true;
    if (t->near.conn != NULL)
        conn_close(t->near.conn, true);
    if (t->far.conn != NULL)
        conn_close(t->far.conn, true);
}

static void set_limit(struct tunnel_side *side) {
    if (side->conn != NULL)
        conn_deadline(side->conn, net_now(side->conn->net) + side->tunnel->all->end_ms);
}

/* --- bytes ----------------------------------------------------------------------------------
 */

static void on_bytes(struct conn *c, const char *bytes, size_t len) {
    struct tunnel_side *from = side_of(c);
    struct tunnel_side *to = other_of(from);
    if (to->conn == NULL || to->conn->closed || to->conn->end_after)
        return; /* its end is on its way here */
    if (!conn_send_parts(to->conn, &(struct slice){bytes, len}, 1)) {
        cut(from->tunnel);
    } else if (to->conn->queue->bytes > MOST_QUEUED) {
        conn_pause(c, true);
        conn_want_drained(to->conn);
    }
}

static void on_drained(struct conn *c) {
    struct tunnel_side *side = side_of(c);
    struct tunnel_side *other = other_of(side);
    if (other->conn != NULL && !other->ended)
        conn_pause(other->conn, false);
    if (side->ended && other->ended)
        conn_close(c, false);
}

/* --- the end --------------------------------------------------------------------------------
 */

/* Ends our side of the connection after all that waits for it, and reads until the peer ends.
 */
static void end_after_rest(struct tunnel_side *side) {
    conn_end(side->conn);
    conn_pause(side->conn, false);
    if (side->ended)
        conn_want_drained(side->conn);
    set_limit(side);
}

/* One side sends nothing more. The other side gets what is left, and then the end. When both
 * have ended, each is closed after its last byte. */
static void on_end(struct conn *c, int status) {
    struct tunnel_side *side = side_of(c);
    struct tunnel_side *other = other_of(side);
    side->ended = true;
    side->tunnel->closing = true;
    if (status != UV_EOF)
        conn_close(c, true);
    else if (other->ended)
        conn_want_drained(c);
    if (other->conn == NULL || other->conn->closed)
        return;
    end_after_rest(other);
    set_limit(side);
}

static void on_deadline(struct conn *c) {
    cut(side_of(c)->tunnel);
}

static void on_closed(struct conn *c) {
    struct tunnel_side *side = side_of(c);
    struct tunnel *t = side->tunnel;
    struct tunnel_side *other = other_of(side);
    side->conn = NULL;
    side->ended = t->closing = true;
    if (other->conn == NULL) {
        list_remove(&t->link);
        t->all->count--;
        free(t);
    } else if (!other->conn->closed) {
        end_after_rest(other);
    }
}

static const struct conn_ops tunnel_ops = {
    .on_bytes = on_bytes,
    .on_end = on_end,
    .on_deadline = on_deadline,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

/* --- the beginning --------------------------------------------------------------------------
 */

static void on_nothing(struct conn *c) {
    (void)c;
}

/* For a connection that has no owner. */
static const struct conn_ops closed_ops = {.on_closed = on_nothing};

bool tunnel_open(struct tunnels *all, struct conn *near, struct conn *far, const void *mark,
                 struct slice to_far, struct slice to_near) {
    struct tunnel *t = calloc(1, sizeof *t);
    if (t == NULL) {
        conn_take(near, &closed_ops, NULL);
        conn_take(far, &closed_ops, NULL);
        conn_close(near, true);
        conn_close(far, true);
        return false;
    }
    *t = (struct tunnel){.all = all,
                         .near = {.tunnel = t, .conn = near},
                         .far = {.tunnel = t, .conn = far},
                         .mark = mark};
    list_init(&t->link);
    list_push(&all->open, &t->link);
    all->count++;
    conn_take(near, &tunnel_ops, &t->near);
    conn_take(far, &tunnel_ops, &t->far);
    if (!conn_send_parts(far, &to_far, 1) || !conn_send_parts(near, &to_near, 1))
        cut(t);
    return true;
}

void tunnels_init(struct tunnels *all, uint64_t end_ms) {
    all->end_ms = end_ms;
    all->count = 0;
    list_init(&all->open);
}

bool tunnels_close_one(struct tunnels *all) {
    for (struct list *at = all->open.next; at != &all->open; at = at->next) {
        struct tunnel *t = container_of(at, struct tunnel, link);
        if (t->closing)
            continue;
        t->closing = true;
        if (t->near.conn != NULL)
            conn_pause(t->near.conn, true);
        conn_end(t->far.conn);
        set_limit(&t->far);
        return true;
    }
    return false;
}

void tunnels_cut(struct tunnels *all, const void *mark) {
    for (struct list *at = all->open.next; at != &all->open; at = at->next) {
        struct tunnel *t = container_of(at, struct tunnel, link);
        if (t->mark == mark)
            cut(t);
    }
}
