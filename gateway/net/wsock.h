#ifndef SLUICE_NET_WSOCK_H
#define SLUICE_NET_WSOCK_H

#include "common/ws.h"
#include "gateway/net/frame.h"
#include "gateway/net/http.h"

/*
 * A WebSocket on a connection: messages in and out, pings, and the close from both sides. A
 * door (a protocol's front end, gateway/doors) embeds it in its state of a connection.
 */
struct wsock;

struct wsock_ops {
    enum door_kind door; /* as which the sockets are counted */
    /* A whole message. The bytes are valid until the callback returns. */
    void (*on_message)(struct wsock *w, enum ws_opcode opcode, struct slice payload);
    /* The most bytes that a message may have now, up to shared->pool.max_message. NULL: always
     * that many. */
    size_t (*most)(const struct wsock *w);
    /* A message had more bytes than that; the socket is closing. Or NULL. */
    void (*on_too_big)(struct wsock *w);
    /* The memory of what the peer has sent and nobody has handled yet. Or NULL: none. */
    size_t (*held)(const struct wsock *w);
    /* The peer has made work besides its messages, of so many units (common/rate.h): a ping, a
     * pong, or much to inflate. Or NULL. */
    void (*charge)(struct wsock *w, uint64_t units);
    /* The kernel has taken all that was queued (after wsock_want_drained). */
    void (*on_drained)(struct wsock *w);
    /* Called once, when the socket is closing or broken. Nothing more is received, and sends do
     * nothing. */
    void (*on_gone)(struct wsock *w);
    /* The last call: free it. */
    void (*on_free)(struct wsock *w);
};

/* The things that the sockets of a loop share. */
struct wsock_shared {
    struct net *net;
    struct ws_pool pool;
    uint64_t
        ping_interval_ms; /* 0: no pings; the owner checks by itself which sockets are alive */
    uint64_t ping_timeout_ms;
    uint64_t close_timeout_ms;
    unsigned count; /* sockets, until the connection is gone, and handshakes that are held
                       (wsock_hold.h) */
};

enum wsock_state {
    WSOCK_OPEN,
    WSOCK_CLOSE_SENT, /* waits for the peer's close */
    WSOCK_ENDED       /* our side is shut; waits for the end of the stream */
};

struct wsock {
    struct conn *conn;
    struct wsock_shared *shared;
    const struct wsock_ops *ops;
    struct ws_input input;
    uint32_t heard;      /* net_now when a whole message, or a pong, came last; it turns over */
    unsigned char state; /* enum wsock_state */
    bool ping_out;
    bool away;            /* the peer's close had the code 1001: its page has gone */
    unsigned char window; /* WS_WINDOW_..., 8 to 15: it was agreed to compress; 0: it was not */
};

/*
 * Answers the request: with 101, and returns true, or with an HTTP error, and returns false (w
 * was then not used). The owner has zeroed w. Nothing is called back before it returns.
 */
bool wsock_open(struct wsock *w, struct wsock_shared *shared,
                const struct http_request *request, const struct wsock_ops *ops);
/* The connection has been agreed to (ws_handshake.h), and is a WebSocket from now on. The owner
 * has zeroed w. window: of the handshake. Nothing is called back before it returns. */
void wsock_begin(struct wsock *w, struct wsock_shared *shared, struct conn *c,
                 const struct wsock_ops *ops, unsigned char window);

/* Writes a frame of several parts, which the caller ends with frame_done. Its plain slab is
 * NULL without memory. */
struct frame wsock_encode(struct net *n, enum ws_opcode opcode, const struct slice parts[],
                          size_t count);
/* Queues an encoded frame, compressed where that was agreed to and is shorter. Over the queue's
 * limit the socket is closed with 1013, "slow". A frame that may be lost (`ephemeral`) is
 * dropped when a quarter of the limit waits. Returns false if the frame was not queued. */
bool wsock_send(struct wsock *w, struct frame *f, bool ephemeral);
/* Queues a text for this socket alone. */
bool wsock_send_text(struct wsock *w, const struct slice parts[], size_t count);

/* Sends a close frame and waits for the peer's. on_gone is called before it returns. Does
 * nothing when called again. reason: at most 123 bytes. */
void wsock_close(struct wsock *w, uint16_t code, const char *reason);

static inline void wsock_want_drained(struct wsock *w) {
    conn_want_drained(w->conn);
}

#endif
