#ifndef SLUICE_NET_CONN_H
#define SLUICE_NET_CONN_H

#include <uv.h>

#include "common/slice.h"
#include "gateway/net/conn_address.h"
#include "gateway/net/net.h"

/*
 * One TCP connection: a bounded queue of shared regions on the way out, a shared buffer on the
 * way in, one deadline. What the bytes mean is the business of the layer that took it over. A
 * connection that came belongs to http.c first and to wsock.c after an upgrade; one to another
 * node belongs to http_out.c; tunnel.c may join two.
 */
struct conn_ops {
    /* Bytes came; they hold until it returns. */
    void (*on_bytes)(struct conn *c, const char *bytes, size_t len);
    /* The peer ended its side, or the connection broke (status: UV_EOF or another error). The
     * layer calls conn_close. Not called after conn_close. */
    void (*on_end)(struct conn *c, int status);
    /* The deadline set by conn_deadline has come. */
    void (*on_deadline)(struct conn *c);
    /* The queue is empty again, asked for by conn_want_drained. */
    void (*on_drained)(struct conn *c);
    /* The connection is gone: let go of it. The last call. */
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
    struct out_queue queue;      /* what the kernel has not taken yet */
    uint32_t in_write;           /* of that: bytes of a uv_write under way */
    uint32_t write_left;         /* of those: not taken when that was last looked at */
    struct conn_address address; /* of the client: a proxy in front may have told another */
    unsigned char door : 4;      /* enum door_kind: what it is counted as */
    bool writing : 1;            /* a uv_write is under way */
    bool closed : 1;             /* conn_close was called */
    bool end_after : 1;
    bool ended : 1; /* our side is shut down */
    bool want_drained : 1;
    bool paused : 1;
    bool framed : 1;  /* what is sent from now on are WebSocket frames */
    bool counted : 1; /* the owner counts it for its address */
    bool connecting : 1;
    bool asking : 1; /* bytes of it are being handled */
};

/* Where the socket comes from, whatever `address` says. False: it is gone. */
bool conn_peer(const struct conn *c, struct conn_address *out);

/* Accepts from a listening stream. The connection counts and reads at once; `ops` own it.
 * Returns NULL when it could not be had: it is closed and gone already. */
struct conn *conn_accept(struct net *n, uv_stream_t *listener, const struct conn_ops *ops);

/*
 * Connects to an address. The connection counts at once, as DOOR_PEER; what is sent waits until
 * it stands, which is when `connecting` is over. A failure calls on_end, in a later turn. The
 * caller limits the time that it may take (conn_deadline). NULL: no memory, no
 * descriptor, or no way there.
 */
struct conn *conn_connect(struct net *n, const struct conn_address *to,
                          const struct conn_ops *ops, void *peer);

/* Hands the connection to another layer. */
static inline void conn_take(struct conn *c, const struct conn_ops *ops, void *peer) {
    c->ops = ops;
    c->peer = peer;
}

/* The connection speaks another protocol from now on, and is counted as such. */
void conn_enter(struct conn *c, enum door_kind door);

/*
 * Queues a region; it leaves at the end of the turn. Returns false without memory, or with
 * the connection closed or ended.
 */
bool conn_send(struct conn *c, struct region r);
/* The same with bytes, which are copied, one part after the other. There may be none at all. */
bool conn_send_parts(struct conn *c, const struct slice parts[], size_t count);
/* True if the peer is too slow for `len` more bytes: queue_is_full (queue.h) with max_queue. So
 * what a client missed always comes through, and what one turn has queued. */
bool conn_is_full(struct conn *c, size_t len);
/* Forgets what waits, except frames (or HTTP answers) that have begun to leave. */
void conn_drop_queue(struct conn *c);
/* on_drained once when the queue is empty: in a later turn, also if it is empty now. */
void conn_want_drained(struct conn *c);

/* Bytes that the peer has not got yet: they wait here, or in the kernel. */
size_t conn_unsent(const struct conn *c);

/* Shuts our side down after what is queued; the peer's bytes are still delivered. */
void conn_end(struct conn *c);
/* Closes at once; on_closed in a later turn. Nothing else is called after it. reset: RST. */
void conn_close(struct conn *c, bool reset);

/* Writes what waits at once, as far as the kernel takes it: for a caller that is about to close
 * the connection. True if there was something. */
bool conn_push(struct conn *c);

/* Stops and starts reading from the socket. */
void conn_pause(struct conn *c, bool pause);

/* For turn.c, which says when: writes what waits; when nothing does, on_drained is called if it
 * was asked for. The connection is not closed, and no write is under way. */
void conn_flush(struct conn *c);

/* Sets, moves or (0) clears the one deadline, in ms of net_now. */
void conn_deadline(struct conn *c, uint64_t at);

#endif
