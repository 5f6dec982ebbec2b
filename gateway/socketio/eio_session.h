#ifndef SLUICE_SOCKETIO_EIO_SESSION_H
#define SLUICE_SOCKETIO_EIO_SESSION_H

#include "common/bucket.h"
#include "common/map.h"
#include "gateway/net/addresses.h"
#include "gateway/net/http_later.h"
#include "gateway/net/wsock.h"
#include "gateway/socketio/eio_config.h"

/*
 * A session of Engine.IO v4 ("eio" in names). It is carried by HTTP long-polling, by a
 * WebSocket, or first by polling and, after an upgrade, by a WebSocket. The owner decides what
 * the messages mean.
 *
 *     GET ?EIO=4&transport=polling     POLLING ── 2probe, 5 ──> WEBSOCKET <── GET ...=websocket
 *                                         └──────> CLOSED <──────┘
 *
 * A session has one deadline: a pong must come until alive_until. The ping is sent
 * ping_timeout_ms (and up to a tick or two of the clock) before that. Requests compare the time
 * with the deadline themselves, so a session is over at that moment even if the timer is late.
 *
 * From this header an owner needs struct eio_ops, and the functions from eio_encode on. The
 * server's functions are in eio_server.h.
 */
struct eio_session;

/* Why a session ended: symbol, text for a log. */
#define EIO_GONE_TABLE(X)                                                                      \
    X(EIO_GONE_CLIENT, "closed by the client")                                                 \
    X(EIO_GONE_SERVER, "closed by the server")                                                 \
    X(EIO_GONE_TIMEOUT, "ping timeout")                                                        \
    X(EIO_GONE_TRANSPORT, "connection lost")                                                   \
    X(EIO_GONE_AWAY, "its page has gone")                                                      \
    X(EIO_GONE_OVERLAP, "two polls, or two posts, at once")                                    \
    X(EIO_GONE_INVALID, "invalid packet")                                                      \
    X(EIO_GONE_SLOW, "slow")                                                                   \
    X(EIO_GONE_MEMORY, "out of memory")
#define EIO_GONE_ENUM(symbol, text) symbol,
enum eio_gone { EIO_GONE_TABLE(EIO_GONE_ENUM) EIO_GONE_COUNT };
#undef EIO_GONE_ENUM

/* A session only moves on to a later state. */
enum eio_state { EIO_POLLING, EIO_WEBSOCKET, EIO_CLOSED };

/* The callbacks of the owner. None of them may free the session. */
struct eio_ops {
    /* A session begins. Returns it, zeroed, embedded in a struct of the owner, or NULL without
     * memory. Nothing can be sent yet. */
    struct eio_session *(*on_open)(void *owner, const struct http_request *request);
    /* A message. Text is valid UTF-8. The bytes are valid until the callback returns. */
    void (*on_message)(struct eio_session *s, bool binary, struct slice bytes);
    /* The most bytes that a message may have now, or a whole POST. NULL: max_payload. */
    size_t (*most)(const struct eio_session *s, bool post);
    /* A message had more bytes than that; the session is about to end. Or NULL. */
    void (*on_too_big)(struct eio_session *s);
    /* The memory of what the client has sent and nobody has handled yet. Or NULL: none. */
    size_t (*held)(const struct eio_session *s);
    /* All that was sent was written (after eio_want_drained). */
    void (*on_drained)(struct eio_session *s);
    /* The time set by eio_set_alarm has come. */
    void (*on_alarm)(struct eio_session *s);
    /* Called once, when the session is over. Nothing more is received, and sends do nothing. */
    void (*on_gone)(struct eio_session *s, enum eio_gone why);
    /* The last call, in a later turn: frees the session. If it failed to begin, on_gone was not
     * called before. */
    void (*on_free)(struct eio_session *s);
};

/* A carrier sends and receives the packets of a session: eio_polling.h, eio_socket.h. Where a
 * function may be NULL, nothing is done. */
struct eio_carrier {
    enum eio_state state; /* the state of the sessions that it carries */
    /* A session begins. False: no memory. Or NULL. */
    bool (*begin)(struct eio_session *s);
    /* As eio_send, of the plain form. NULL: the session's socket is sent to directly. */
    bool (*send)(struct eio_session *s, struct region message, bool ephemeral);
    size_t (*queued)(const struct eio_session *s);
    void (*want_drained)(struct eio_session *s);
    void (*pause)(struct eio_session *s, bool pause);
    /* The memory of what it has received and not handed on yet. Or NULL: none. */
    size_t (*held)(const struct eio_session *s);
    /* True while something else is being received, which may be slow, so that no pong can come.
     * Or NULL. */
    bool (*receives)(const struct eio_session *s);
    /* The time at which on_due is to be called, which may end the session. UINT64_MAX: never.
     * Or NULL. */
    uint64_t (*due)(const struct eio_session *s);
    void (*on_due)(struct eio_session *s);
    /* The loop is about to sleep (after eio_mark). Or NULL. */
    void (*flush)(struct eio_session *s);
    /* The session has ended: releases its connections. A WebSocket is closed with the code and
     * the reason. */
    void (*end)(struct eio_session *s, enum eio_gone why, uint16_t code, const char *reason);
    /* Frees the carrier's state, in a later turn or when the session failed to begin. Or NULL.
     */
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
    size_t held;       /* memory of POSTs that are being handled, and (by the owner) of
                          attachments */
    unsigned count;    /* sessions, until they are freed */
    unsigned by_state[EIO_CLOSED]; /* of these, the sessions that are not over, by state */
};

struct eio_session {
    struct eio_server *server;
    struct map_node node;
    struct list link; /* in the server's dirty or gone */
    struct wheel_timer timer;
    const struct eio_carrier *carrier;
    struct eio_polling *polling; /* belongs to eio_polling.c; freed by an upgrade */
    struct wsock *socket;        /* the WebSocket that carries it, or NULL */
    uint64_t alive_until;
    uint64_t alarm;      /* the owner's alarm; 0: none */
    struct bucket rate;  /* what its client has spent (common/rate.h) */
    uint64_t slow_until; /* until when it was held back last, since it asked for too much */
    struct conn_address address;
    char sid[EIO_SID_SIZE];
    unsigned char state;
    bool ping_out : 1;
    bool paused : 1;
    bool slowed : 1; /* until slow_until */
    bool want_drained : 1;
};

/* Encodes a message as a frame, which can be sent to any number of sessions, and which the
 * caller ends with frame_done. A poll is answered with the bytes after the frame's header. Text
 * must be valid UTF-8; the packet's type is put before it. Binary is never compressed. Its
 * plain slab is NULL without memory. */
struct frame eio_encode(struct net *n, bool binary, const struct slice parts[], size_t count);

/* Sends an encoded message over the WebSocket, or with the next answer to a poll. When more
 * than net's max_queue would wait, the session ends (EIO_GONE_SLOW). An `ephemeral` message is
 * dropped when a quarter of that waits. Returns false if the message was not sent. May call
 * on_gone before it returns. */
bool eio_send(struct eio_session *s, struct frame *message, bool ephemeral);
/* The same, once: ends the frame. */
bool eio_send_once(struct eio_session *s, struct frame message, bool ephemeral);

/* The bytes that wait to be sent. */
size_t eio_queued(const struct eio_session *s);
/* Calls on_drained once when nothing waits. It comes in a later turn, even if nothing waits
 * now. */
void eio_want_drained(struct eio_session *s);
/* Holds back messages from the client, or lets them come again. Over a WebSocket, messages that
 * were already read still come. A session does not end because a pong is held back. */
void eio_pause(struct eio_session *s, bool pause);
/* The client asks for too much: nothing more of it is taken before `until` (ms of net_now).
 * Returns true if it was not held back until now. */
bool eio_slow(struct eio_session *s, uint64_t until);
/* Charges so many units of what the client may spend. */
void eio_charge(struct eio_session *s, uint64_t units);
/* Calls on_alarm at that time (ms of net_now). 0: clears the alarm. */
void eio_set_alarm(struct eio_session *s, uint64_t at);
/* Ends the session. A WebSocket is closed with the code and the reason. A waiting poll is
 * answered with the packets that are left, or with a close packet. on_gone is called before it
 * returns. */
void eio_close(struct eio_session *s, uint16_t code, const char *reason);

/* The memory of what the client has sent and nobody has handled yet; that of its connections is
 * theirs. */
size_t eio_held(const struct eio_session *s);

/* --- for carriers and the server ------------------------------------------------------------
 */

/* Begins a session that ops->on_open made (or NULL), and writes its open packet (text). Returns
 * false without memory; the session was then freed. */
bool eio_begin(struct eio_server *e, struct eio_session *s, const struct conn *c,
               const struct eio_carrier *carrier, struct buf *open);
/* From now on a polled session is carried by a WebSocket. */
void eio_upgrade(struct eio_session *s, const struct eio_carrier *carrier,
                 struct wsock *socket);
/* Ends a session. Does nothing when called again. The session is freed in a later turn. */
void eio_end(struct eio_session *s, enum eio_gone why);
/* The most bytes that the client may send now, as a packet or as a POST. */
size_t eio_most(const struct eio_session *s, bool post);
/* Takes a packet that came on the session's carrier. May end the session. A packet that a
 * client has no reason to send is ignored, as by the reference server, except for a ping. */
void eio_take(struct eio_session *s, struct slice text);
/* The carrier's flush is called for the session before the loop sleeps. */
void eio_mark(struct eio_session *s);
/* True when no pong came in time: the session must be ended. */
bool eio_is_over(const struct eio_session *s);
/* Sets the timer again after one of its times has changed. */
void eio_arm(struct eio_session *s);
/* The timer has come. */
void eio_on_timer(struct eio_session *s);

#endif
