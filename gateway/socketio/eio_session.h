#ifndef SLUICE_SOCKETIO_EIO_SESSION_H
#define SLUICE_SOCKETIO_EIO_SESSION_H

#include "common/map.h"
#include "gateway/net/addresses.h"
#include "gateway/net/http_later.h"
#include "gateway/net/wsock.h"
#include "gateway/socketio/eio_config.h"

/*
 * A session of Engine.IO v4 ("eio" in names), whatever carries it: HTTP long-polling, a
 * WebSocket, or first the one and, after an upgrade, the other. The owner decides what the
 * messages mean.
 *
 *     GET ?EIO=4&transport=polling     POLLING ── 2probe, 5 ──> WEBSOCKET <── GET ...=websocket
 *                                         └──────> CLOSED <──────┘
 *
 * A session has one deadline: a pong must come until alive_until; the ping leaves
 * ping_timeout_ms (and at most a tick of the clock) before that. A request looks at the
 * deadline itself, so a session is over at that moment, however late the timer is.
 *
 * An owner needs of this header: struct eio_ops, and the functions from eio_encode on. The
 * server's functions stand in eio_server.h.
 */
struct eio_session;

/* Why a session ended: symbol, text for a log. */
#define EIO_GONE_TABLE(X)                                                                      \
    X(EIO_GONE_CLIENT, "closed by the client")                                                 \
    X(EIO_GONE_SERVER, "closed by the server")                                                 \
    X(EIO_GONE_TIMEOUT, "ping timeout")                                                        \
    X(EIO_GONE_TRANSPORT, "connection lost")                                                   \
    X(EIO_GONE_OVERLAP, "two polls, or two posts, at once")                                    \
    X(EIO_GONE_INVALID, "invalid packet")                                                      \
    X(EIO_GONE_SLOW, "slow")                                                                   \
    X(EIO_GONE_MEMORY, "out of memory")
#define EIO_GONE_ENUM(symbol, text) symbol,
enum eio_gone { EIO_GONE_TABLE(EIO_GONE_ENUM) EIO_GONE_COUNT };
#undef EIO_GONE_ENUM

/* A session goes from one to a later one, never back. */
enum eio_state { EIO_POLLING, EIO_WEBSOCKET, EIO_CLOSED };

/* The owner's. None of these may free the session. */
struct eio_ops {
    /* A session begins: returns it, zeroed, embedded in what the owner keeps of it; NULL: no
     * memory. Nothing can be sent yet. */
    struct eio_session *(*on_open)(void *owner, const struct http_request *request);
    /* A message: text is valid UTF-8. The bytes hold until it returns. */
    void (*on_message)(struct eio_session *s, bool binary, struct slice bytes);
    /* Bytes that a message may have that comes now, or all of a POST; NULL: max_payload. */
    size_t (*most)(const struct eio_session *s, bool post);
    /* All that was sent has left (after eio_want_drained). */
    void (*on_drained)(struct eio_session *s);
    /* The time set by eio_set_alarm has come. */
    void (*on_alarm)(struct eio_session *s);
    /* Once: it is over. Nothing more is received, and sends do nothing. */
    void (*on_gone)(struct eio_session *s, enum eio_gone why);
    /* The last call, in a later turn: free it. Without on_gone if its beginning failed. */
    void (*on_free)(struct eio_session *s);
};

/* How packets go to and fro: eio_polling.h, eio_socket.h. NULL, where it may be: nothing is to
 * be done. */
struct eio_carrier {
    enum eio_state state; /* of the sessions that it carries */
    /* A session begins. False: no memory. Or NULL. */
    bool (*begin)(struct eio_session *s);
    /* As eio_send. NULL: the session's socket is sent to directly. */
    bool (*send)(struct eio_session *s, struct region message, bool ephemeral);
    size_t (*queued)(const struct eio_session *s);
    void (*want_drained)(struct eio_session *s);
    void (*pause)(struct eio_session *s, bool pause);
    /* True while a pong could not come, since something else does, slowly perhaps. Or NULL. */
    bool (*receives)(const struct eio_session *s);
    /* When on_due is to be called, which may end the session; UINT64_MAX: not at all. Or NULL.
     */
    uint64_t (*due)(const struct eio_session *s);
    void (*on_due)(struct eio_session *s);
    /* The loop is about to sleep (after eio_mark). Or NULL. */
    void (*flush)(struct eio_session *s);
    /* The session has ended: lets go of connections. A WebSocket is closed with the code and
     * the reason. */
    void (*end)(struct eio_session *s, enum eio_gone why, uint16_t code, const char *reason);
    /* Frees what it keeps, in a later turn or when the session's beginning failed. Or NULL. */
    void (*free)(struct eio_session *s);
};

/* A server, as its sessions see it. */
struct eio_server {
    struct net *net;
    struct eio_config config;
    const struct eio_ops *ops;
    void *owner;
    struct wsock_shared sockets;
    struct map sessions; /* by sid */
    struct addresses polled;
    struct wheel wheel;
    struct list dirty; /* sessions that have something to do before the loop sleeps */
    struct list gone;  /* sessions to be freed */
    unsigned count;    /* sessions, until they are freed */
    unsigned by_state[EIO_CLOSED]; /* of these, those that live */
};

struct eio_session {
    struct eio_server *server;
    struct map_node node;
    struct list link; /* in the server's dirty or gone */
    struct wheel_timer timer;
    const struct eio_carrier *carrier;
    struct eio_polling *polling; /* eio_polling.c's; freed by an upgrade */
    struct wsock *socket;        /* the WebSocket that carries it, or NULL */
    uint64_t alive_until;
    uint64_t alarm; /* the owner's; 0: none */
    struct conn_address address;
    char sid[EIO_SID_SIZE];
    unsigned char state;
    bool ping_out : 1;
    bool paused : 1;
    bool want_drained : 1;
};

/* A message as a region (no reference of its own), to be sent to any number of sessions: a
 * whole WebSocket frame; a poll is answered with the bytes after its header. text:
 * valid UTF-8; the packet's type is put in front. slab is NULL without memory. */
struct region eio_encode(struct net *n, bool binary, const struct slice parts[], size_t count);

/* Sends an encoded message: over a WebSocket or with the next answer to a poll. Over net's
 * max_queue the session ends (EIO_GONE_SLOW); an `ephemeral` one is dropped from a quarter of
 * it on. Returns false if it was not sent. May call on_gone before it returns. */
bool eio_send(struct eio_session *s, struct region message, bool ephemeral);

/* Bytes that wait. */
size_t eio_queued(const struct eio_session *s);
/* on_drained once when nothing waits: in a later turn, also if nothing does now. */
void eio_want_drained(struct eio_session *s);
/* Holds messages from the client back, and lets them come again. Over a WebSocket those that
 * have been read already still come. A session does not end for want of a pong that is held
 * back. */
void eio_pause(struct eio_session *s, bool pause);
/* on_alarm at that time (ms of net_now); 0: not at all. */
void eio_set_alarm(struct eio_session *s, uint64_t at);
/* Ends it. A WebSocket is closed with the code and the reason, a poll that waits is answered
 * with what is left and a close packet. on_gone is called before it returns. */
void eio_close(struct eio_session *s, uint16_t code, const char *reason);

/* --- for carriers and the server ------------------------------------------------------------
 */

/* Begins a session that ops->on_open has made (NULL is good), and writes its open packet
 * (text). False: no memory; it has been freed. */
bool eio_begin(struct eio_server *e, struct eio_session *s, const struct conn *c,
               const struct eio_carrier *carrier, struct buf *open);
/* A polled session is carried by a WebSocket from now on. */
void eio_upgrade(struct eio_session *s, const struct eio_carrier *carrier,
                 struct wsock *socket);
/* Ends a session; does nothing the second time. It is freed in a later turn. */
void eio_end(struct eio_session *s, enum eio_gone why);
/* Bytes that the client may send now: a packet, or a POST. */
size_t eio_most(const struct eio_session *s, bool post);
/* A packet that came on the session's carrier. May end the session; one that a client has no
 * reason to send is ignored, as the reference server does, but for a ping. */
void eio_take(struct eio_session *s, struct slice text);
/* The carrier's flush comes to it before the loop sleeps. */
void eio_mark(struct eio_session *s);
/* True when no pong came in time: it is only to be ended. */
bool eio_is_over(const struct eio_session *s);
/* Sets the timer, when what it depends on has changed. */
void eio_arm(struct eio_session *s);
/* The timer has come. */
void eio_on_timer(struct eio_session *s);

#endif
