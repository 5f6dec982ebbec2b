#ifndef SLUICE_NET_CONN_H
#define SLUICE_NET_CONN_H

#include <uv.h>

#include "common/slice.h"
#include "gateway/net/conn_address.h"
#include "gateway/net/net.h"

/*
 * One TCP connection. It has a bounded queue of shared regions for output, a buffer for input
 * that all connections share, and one deadline. The layer that owns the connection gives its
 * bytes a meaning. An accepted connection belongs to http.c first, and to wsock.c after an
 * upgrade. A connection to another node belongs to http_out.c. tunnel.c may join two
 * connections.
 */
struct conn_ops {
    /* Bytes came. They are valid until the callback returns. */
    void (*on_bytes)(struct conn *c, const char *bytes, size_t len);
    /* The peer ended its side, or the connection broke (status: UV_EOF or another error). The
     * layer calls conn_close. Not called after conn_close. */
    void (*on_end)(struct conn *c, int status);
    /* The deadline set by conn_deadline has come. */
    void (*on_deadline)(struct conn *c);
    /* The queue is empty again. Called only when conn_want_drained asked for it. */
    void (*on_drained)(struct conn *c);
    /* The last call: the connection is gone, and the layer forgets it. */
    void (*on_closed)(struct conn *c);
};

struct conn {
    uv_tcp_t tcp; /* first: the handle is the connection */
    struct net *net;
    const struct conn_ops *ops;
    void *peer;        /* of the layer that owns it */
    struct list link;  /* in net->conns */
    struct list dirty; /* in net->dirty */
    struct wheel_timer timer;
    struct out_queue queue; /* bytes that the kernel has not taken yet */
    uint32_t in_write;      /* bytes of the queue that a running uv_write has */
    uint32_t write_left;    /* bytes of those that the kernel had not taken at the last look */
    struct conn_address address; /* of the client, as a proxy in front may have told it */
    struct conn_slowed *slowed;  /* it is not read for a time (conn_slow); NULL: it is */
    unsigned char door : 4;      /* enum door_kind: as which it is counted */
    bool writing : 1;            /* a uv_write is under way */
    bool closed : 1;             /* conn_close was called */
    bool end_after : 1;
    bool ended : 1; /* our side is shut down */
    bool want_drained : 1;
    bool paused : 1;
    bool framed : 1;  /* all that is sent from now on is WebSocket frames */
    bool counted : 1; /* the owner counts it for its address */
    bool connecting : 1;
    bool internal : 1; /* it came by the node's internal port */
    bool asking : 1;   /* bytes that it received are being handled */
};

/* The address of the socket's other end, whatever `address` says. False: the socket is gone. */
bool conn_peer(const struct conn *c, struct conn_address *out);

/* Accepts from a listening stream. The connection is counted and is read at once, and belongs
 * to `ops`. Returns NULL on failure; the connection is then closed already. */
struct conn *conn_accept(struct net *n, uv_stream_t *listener, const struct conn_ops *ops);

/*
 * Connects to an address. The connection is counted at once, as DOOR_PEER. What is sent waits
 * until it is established, and `connecting` is false from then on. A failure calls on_end in a
 * later turn. The caller limits the time that it may take (conn_deadline). Returns NULL without
 * memory, without a descriptor, or without a route to the address.
 */
struct conn *conn_connect(struct net *n, const struct conn_address *to,
                          const struct conn_ops *ops, void *peer);

/* Hands the connection to another layer. */
static inline void conn_take(struct conn *c, const struct conn_ops *ops, void *peer) {
    c->ops = ops;
    c->peer = peer;
}

/* From now on the connection speaks another protocol, and is counted under that door. */
void conn_enter(struct conn *c, enum door_kind door);

/*
 * Queues a region, which is written at the end of the turn. Returns false without memory, or
 * when the connection is closed or ended.
 */
bool conn_send(struct conn *c, struct region r);
/* The same with bytes, which are copied one part after the other. There may be no bytes at all.
 */
bool conn_send_parts(struct conn *c, const struct slice parts[], size_t count);
/* True if the peer is too slow for `len` more bytes, by queue_is_full (queue.h) with max_queue.
 * That rule always lets through what one turn has queued, and the messages that a client
 * missed. */
bool conn_is_full(struct conn *c, size_t len);
/* Forgets all that waits, except frames (or HTTP answers) of which a part was written. */
void conn_drop_queue(struct conn *c);
/* Calls on_drained once when the queue is empty. It comes in a later turn, even if the queue is
 * empty now. */
void conn_want_drained(struct conn *c);

/* The bytes that the peer has not received yet. They wait here or in the kernel. */
size_t conn_unsent(const struct conn *c);

/* Shuts our side down when all that is queued was written. The peer's bytes are still
 * delivered. */
void conn_end(struct conn *c);
/* Closes at once. on_closed comes in a later turn, and nothing else is called. reset: sends an
 * RST. */
void conn_close(struct conn *c, bool reset);

/* Writes at once as much of the queue as the kernel takes, for a caller that is about to close
 * the connection. Returns true if something was queued. */
bool conn_push(struct conn *c);

/* Stops and starts reading from the socket. */
void conn_pause(struct conn *c, bool pause);

/* The peer asks for too much: its socket is not read before `until` (ms of net_now), whatever
 * conn_pause says. 0: it may be read again. Returns true if it was read until now. Without
 * memory it is read on. */
bool conn_slow(struct conn *c, uint64_t until);
/* True while bytes of the peer may be held back, by either. */
static inline bool conn_holds_back(const struct conn *c) {
    return c->paused || c->slowed != NULL;
}
/* Called by turn.c at each tick: reads those again whose time has come. */
void conn_tick(struct net *n);

/* Called by turn.c when the queue is to be written. When nothing is left in it, on_drained is
 * called if it was asked for. The connection must not be closed, and no write may be under way.
 */
void conn_flush(struct conn *c);

/* Sets, moves or (0) clears the one deadline, in ms of net_now. */
void conn_deadline(struct conn *c, uint64_t at);

#endif
