#ifndef SLUICE_NET_CONN_STATE_H
#define SLUICE_NET_CONN_STATE_H

#include <uv.h>

#include "gateway/net/conn_address.h"
#include "gateway/net/net.h"
#include "gateway/net/tls.h"

/*
 * One TCP connection. It has a bounded queue of shared regions for output, a buffer for input
 * that all connections share, and one deadline. The layer that owns the connection gives its
 * bytes a meaning. An accepted connection belongs to http.c first, and to wsock.c after an
 * upgrade. A connection to another node belongs to http_out.c. tunnel.c may join two
 * connections.
 *
 * Under TLS (conn_secure) all that is said here of bytes is of plain bytes: those of the queue,
 * of on_bytes and of the metrics. The end of the peer's side is its close_notify, and ours is
 * one, followed by that of the stream. A stream that ends without it is broken
 * (UV_ECONNABORTED), and so is one with a failed handshake (UV_EPROTO).
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
    /* The memory of what the peer has begun to send, or has sent and nobody has handled yet. Or
     * NULL: none. */
    size_t (*held)(const struct conn *c);
    /* The node is short of memory: gives up what is held and what waits, and ends the
     * connection. Or NULL: on_end is called. */
    void (*shed)(struct conn *c);
    /* The last call: the connection is gone, and the layer forgets it. */
    void (*on_closed)(struct conn *c);
};

struct conn {
    struct net *net;
    const struct conn_ops *ops;
    void *peer;        /* of the layer that owns it */
    struct list link;  /* in net->conns */
    struct list dirty; /* in net->dirty or net->wide; once it is closed, in net->closing */
    struct wheel_timer timer;
    struct out_queue *queue;     /* bytes that the kernel has not taken yet; never NULL */
    struct conn_tls *tls;        /* NULL: plain */
    struct conn_address address; /* of the client, as a proxy in front may have told it */
    int fd;                      /* -1: closed */
    struct conn_slowed *slowed;  /* it is not read for a time (conn_slow); NULL: it is */
    unsigned char door : 4;      /* enum door_kind: as which it is counted */
    unsigned char watched : 2;   /* POLLER_… */
    bool writing : 1;            /* the kernel takes no more; WRITE is watched */
    bool closed : 1;             /* conn_close was called */
    bool end_after : 1;
    bool ended : 1; /* our side is shut down */
    bool want_drained : 1;
    bool paused : 1;
    bool reading : 1; /* READ is watched */
    bool wide : 1;    /* in net->wide */
    bool lost : 1;    /* it was refused, or cannot be watched: told at the end of the turn */
    bool framed : 1;  /* all that is sent from now on is WebSocket frames */
    bool counted : 1; /* the owner counts it for its address */
    bool connecting : 1;
    bool internal : 1; /* it came by the node's internal port, or: */
    bool own : 1;      /* by the port that this worker of a node has for itself */
    bool asking : 1;   /* bytes that it received are being handled */
    bool inflates : 1; /* the peer may send compressed messages */
};

/* True while bytes of the peer may be held back (conn_pause, conn_slow). */
static inline bool conn_holds_back(const struct conn *c) {
    return c->paused || c->slowed != NULL;
}

#endif
