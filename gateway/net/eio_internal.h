#ifndef SLUICE_NET_EIO_INTERNAL_H
#define SLUICE_NET_EIO_INTERNAL_H

#include "gateway/net/eio_server.h"

/* What eio_server.c (sessions), eio_socket.c (WebSockets) and eio_polling.c (requests, polls)
 * share. */

struct eio_polling {
    struct eio_session *session;
    struct http_later get;       /* a poll that waits for something to send */
    struct http_later second;    /* another poll: is the node gone that the first came by? */
    uint64_t second_until;       /* after this it is not, and there are two at once */
    struct http_later post;      /* its body comes, or its packets are being handled */
    struct http_receipt receipt; /* of messages that went through another node */
    struct out_queue out;        /* WebSocket frames that wait for a poll */
    struct buf in;               /* what is left of a post that takes more than a turn */
    size_t most;                 /* packets that a poll may be answered with */
    uint64_t post_since;         /* when the post under way began */
    uint64_t polled_until;       /* the client polls again before, or it is gone */
    struct eio_payload reading;
    bool handling;      /* `reading` has not been answered yet */
    bool get_from_node; /* the poll that waits came by another node */
    bool second_from_node;
    bool unsure; /* whether those were passed on: nothing more is said, or the client would have
                  * a gap that it does not know of */
};

/* A WebSocket of a session, or one that was refused and is closing. */
struct eio_socket {
    struct wsock ws;
    struct eio_session *session; /* NULL: of none any more */
    uint64_t until;              /* a probe: when it has to be through */
    bool probed;                 /* its "2probe" came */
};

/* Begins a session that ops->on_open has made (NULL is good), and its open packet (text).
 * False: no memory; it has been freed. */
bool eio_begin(struct eio_server *e, struct eio_session *s, const struct conn *c,
               enum eio_state state, struct buf *open);
/* Of a session that has begun. */
void eio_state_set(struct eio_session *s, enum eio_state to);
/* Ends a session; does nothing the second time. It is freed in a later turn. */
void eio_end(struct eio_session *s, enum eio_gone why);
/* Bytes that the client may send now: a packet, or a POST. */
size_t eio_most(const struct eio_session *s, bool post);
/* A packet that came on the session's transport. May end the session; one that a client has no
 * reason to send is ignored, as the reference server does, but for a ping. */
void eio_take(struct eio_session *s, struct slice text);
/* eio_server_flush comes to it before the loop sleeps. */
void eio_mark(struct eio_session *s);
/* True when no pong came in time: it is only to be ended. */
bool eio_is_over(const struct eio_session *s);
/* Sets the timer, when what it depends on has changed. */
void eio_arm(struct eio_session *s);

/* A WebSocket at the handshake, with or without a session; answers the request. */
void eio_begin_socket(struct eio_server *e, const struct http_request *request);
void eio_begin_probe(struct eio_session *s, const struct http_request *request);
/* Closes a socket and forgets it; *of may be NULL. */
void eio_socket_let_go(struct eio_socket **of, uint16_t code, const char *reason);
void eio_probe_drop(struct eio_session *s);

/* A page of another origin that may not use the server. */
bool eio_is_forbidden(const struct eio_server *e, const struct http_request *request);
/* Answers OPTIONS. */
void eio_preflight(const struct eio_server *e, const struct http_request *request);
#define EIO_TEXT_TYPE "text/plain; charset=UTF-8"
#define EIO_JSON_TYPE "application/json"

/* Of a polled session. */
bool eio_polling_begin(struct eio_session *s);
void eio_polling_free(struct eio_session *s);
void eio_polling_flush(struct eio_session *s);
/* It ends: answers those who wait. */
void eio_polling_end(struct eio_session *s, enum eio_gone why);
/* A post's body is coming, slowly perhaps, and a pong cannot come beside it. */
bool eio_polling_receives(const struct eio_session *s);
/* When a second poll, or that there is none, ends the session (*why); UINT64_MAX: neither. */
uint64_t eio_polling_due(const struct eio_session *s, enum eio_gone *why);
/* The client's next poll is due, after an answer of so many bytes. */
void eio_await_poll(struct eio_session *s, size_t answered);
/* A message as WebSockets are sent it waits for a poll. May end the session; as eio_send. */
bool eio_polling_send(struct eio_session *s, struct region message, bool ephemeral);
/* The probe is through: a poll that waits is answered. */
void eio_polling_release(struct eio_session *s);

#endif
