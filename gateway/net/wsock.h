#ifndef SLUICE_NET_WSOCK_H
#define SLUICE_NET_WSOCK_H

#include "common/ws.h"
#include "gateway/net/http.h"

/*
 * A WebSocket on a connection: the handshake (RFC 6455, 4.2), messages in and out, pings, and
 * the close from both sides. A door embeds it in what it keeps per connection.
 */
struct wsock;

struct wsock_ops {
    enum door_kind door; /* what the sockets are counted as */
    /* A whole message; the bytes hold until it returns. */
    void (*on_message)(struct wsock *w, enum ws_opcode opcode, struct slice payload);
    /* Bytes that a message may have that comes now, at most shared->pool.max_message; NULL:
     * that many. */
    size_t (*most)(const struct wsock *w);
    /* All that was queued is with the kernel (after wsock_want_drained). */
    void (*on_drained)(struct wsock *w);
    /* Once: it is closing or broken. Nothing more is received, and sends do nothing. */
    void (*on_gone)(struct wsock *w);
    /* The last call: free it. */
    void (*on_free)(struct wsock *w);
};

/* What the sockets of a loop share. */
struct wsock_shared {
    struct net *net;
    struct ws_pool pool;
    uint64_t ping_interval_ms; /* 0: no pings; the owner finds out by itself which are alive */
    uint64_t ping_timeout_ms;
    uint64_t close_timeout_ms;
    unsigned count; /* from the upgrade until the connection is gone */
};

enum wsock_state {
    WSOCK_OPEN,
    WSOCK_CLOSE_SENT, /* awaits the peer's close */
    WSOCK_ENDED       /* our side is shut: awaits the end of the stream */
};

struct wsock {
    struct conn *conn;
    struct wsock_shared *shared;
    const struct wsock_ops *ops;
    struct ws_input input;
    uint64_t heard; /* when a whole message, or a pong, came last */
    enum wsock_state state;
    bool ping_out;
};

/*
 * Answers the request: 101 and true, or an HTTP error and false (then w was not used). w is
 * zeroed by its owner. Nothing is called back before it returns.
 */
bool wsock_open(struct wsock *w, struct wsock_shared *shared,
                const struct http_request *request, const struct wsock_ops *ops);

/* A frame of several parts as a region (no reference of its own); slab is NULL without memory.
 */
struct region wsock_encode(struct net *n, enum ws_opcode opcode, const struct slice parts[],
                           size_t count);
/* Queues an encoded frame. Over the queue's limit the socket is closed with 1013, "slow"; a
 * frame that may be lost (`ephemeral`) is dropped from a quarter of it on. Returns false if it
 * was not queued. */
bool wsock_send(struct wsock *w, struct region frame, bool ephemeral);

/* Sends a close frame and waits for the peer's. on_gone is called before it returns. Does
 * nothing after the first time. reason: at most 123 bytes. */
void wsock_close(struct wsock *w, uint16_t code, const char *reason);

static inline void wsock_want_drained(struct wsock *w) {
    conn_want_drained(w->conn);
}

#endif
