#ifndef SLUICE_NET_EIO_SERVER_H
#define SLUICE_NET_EIO_SERVER_H

#include "common/eio.h"
#include "common/map.h"
#include "gateway/net/addresses.h"
#include "gateway/net/http_later.h"
#include "gateway/net/wsock.h"

/*
 * Engine.IO v4 sessions at one path of the port: over HTTP long-polling, over a WebSocket, or
 * begun by the one and upgraded to the other. What the messages mean is the owner's business.
 *
 *     GET ?EIO=4&transport=polling     POLLING ── 2probe, 5 ──> WEBSOCKET <── GET ...=websocket
 *                                         └──────> CLOSED <──────┘
 *
 * One deadline a session: a pong must come until alive_until; the ping leaves ping_timeout_ms
 * (and at most a tick of the clock) before that. A request looks at the deadline itself, so a
 * session is over at that moment, however late the timer is.
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

enum eio_state { EIO_POLLING, EIO_WEBSOCKET, EIO_CLOSED };

/* None of these may free the session. */
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

/* A token (token.h) and a NUL. */
#define EIO_ID_SIZE 21

/* What of a sid names the node that has the session: 8 of the same characters, at its end. */
#define EIO_NODE_SIZE 9
#define EIO_SID_SIZE  (EIO_ID_SIZE + EIO_NODE_SIZE - 1)

/*
 * The way to sessions that other nodes have: asked when a request is in order but for its sid,
 * which names the node `node`. Such a request is GET (a poll, or with `upgrade`) or POST.
 */
struct eio_elsewhere {
    /* Answers it, now or later. False: no such node is known; the sid is answered as unknown.
     */
    bool (*route)(void *owner, const struct http_request *request, struct slice node);
    /* Its body is to come: may http_watch it. False: as above. */
    bool (*body)(void *owner, const struct http_request *request, struct slice node);
    /* True for a request that another node has handed over: not to be passed on again. */
    bool (*is_handed_over)(void *owner, const struct http_request *request);
    void *owner;
};

struct eio_config {
    const char *node;                      /* ends each sid; NULL: nothing does */
    const struct eio_elsewhere *elsewhere; /* NULL: there are no other nodes */
    uint64_t ping_interval_ms;
    uint64_t ping_timeout_ms;
    uint64_t upgrade_timeout_ms; /* from a probe's connection to its "5" */
    uint64_t close_timeout_ms;
    size_t max_payload;    /* of a message or a POST, inclusive */
    unsigned max_sessions; /* above: 503; 0: no limit */
    /* Sessions of one address that have no WebSocket, whose connections say nothing of how many
     * there are; above: 429; 0: no limit. */
    unsigned max_polled;
    /* Origins of pages elsewhere that may use it, separated by commas; "*": any; "": none is
     * named in an answer. With a list, a page of another origin (that is not this host's own)
     * is refused (403), by WebSocket, too. The caller's; holds as long as the server. */
    const char *origins;
};

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

/* What a session has while it is polled: freed by an upgrade. */
struct eio_polling;

struct eio_session {
    struct eio_server *server;
    struct map_node node;
    struct list link; /* in the server's dirty or gone */
    struct wheel_timer timer;
    struct eio_polling *polling;
    struct eio_socket *socket; /* the WebSocket that carries it */
    struct eio_socket *probe;  /* the one that is to carry it */
    uint64_t alive_until;
    uint64_t alarm; /* the owner's; 0: none */
    struct conn_address address;
    char sid[EIO_SID_SIZE];
    unsigned char state;
    bool ping_out : 1;
    bool paused : 1;
    bool want_drained : 1;
};

/* The config is copied. */
void eio_server_init(struct eio_server *e, struct net *net, const struct eio_config *config,
                     const struct eio_ops *ops, void *owner);
/* No connection may be left. Calls on_gone and on_free for the sessions that are. */
void eio_server_deinit(struct eio_server *e);

/* For the owner of the port: requests for the path (any method), the head of one with a body
 * (struct http_router), net's before_flush and net's on_tick. */
void eio_server_route(struct eio_server *e, const struct http_request *request);
size_t eio_server_body(struct eio_server *e, const struct http_request *request);
void eio_server_flush(struct eio_server *e);
void eio_server_tick(struct eio_server *e, uint64_t now);

/* Header lines that every answer to such a request has (struct http_router): which pages may
 * read it. */
void eio_server_lines(const struct eio_server *e, const struct http_request *request,
                      struct buf *out);

/* For who answers requests of other nodes' sessions: that the session is unknown, or that
 * nothing has come for a poll. */
void eio_answer_unknown(struct http_later *later);
void eio_answer_nothing(struct http_later *later);

/* Ends one session, if one is left: to drain them one by one. False: none is left. */
bool eio_server_close_one(struct eio_server *e, uint16_t code, const char *reason);

/* A message as a region (no reference of its own), to be sent to any number of sessions: a
 * whole WebSocket frame, which polled sessions look behind the header of. text: valid UTF-8;
 * the packet's type is put in front. slab is NULL without memory. */
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

#endif
