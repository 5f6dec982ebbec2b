#ifndef SLUICE_SOCKETIO_SIO_SOCKET_H
#define SLUICE_SOCKETIO_SIO_SOCKET_H

#include "common/sio.h"
#include "gateway/socketio/eio_session.h"

/*
 * A socket of Socket.IO v5 ("sio" in names): a client in a namespace ("nsp"), which is a named
 * part of the application ("/" is the one that is always there). An Engine.IO session carries a
 * socket for each namespace that its client joined. The application decides what the events
 * mean (struct sio_app).
 *
 * From this header an application needs struct sio_app, and the functions from sio_accept on.
 * The server's functions are in sio_server.h.
 */
struct sio_server;
struct sio_session;

/* A socket only moves on to a later state. */
enum sio_state {
    SIO_PENDING, /* zero; the application has not accepted or refused it yet */
    SIO_JOINED,
    SIO_GONE
};

/* Why a socket ended. */
enum sio_gone {
    SIO_GONE_SESSION, /* its session ended: the client may come back for the messages that it
                         missed */
    SIO_GONE_TIMEOUT, /* the same, for want of a pong */
    SIO_GONE_AWAY,    /* the same: its page has gone */
    SIO_GONE_CLIENT,  /* it left the namespace */
    SIO_GONE_SERVER,  /* sio_disconnect */
    SIO_GONE_REFUSED  /* sio_refuse; the application is not told */
};

/* A client in a namespace. The application embeds it. */
struct sio_socket {
    struct sio_server *server;
    struct sio_session *session; /* NULL: gone */
    struct list link;            /* in server->dead */
    unsigned nsp;                /* the namespace, as an index in server->names */
    unsigned char state;
    bool paused : 1;
    bool want_drained : 1;
    bool again : 1; /* its session had another one in this namespace before */
    char sid[EIO_ID_SIZE];
};

/* An event or an ack (the answer to an event) from the client. All slices are raw parts of the
 * packet, and are valid until the call returns. */
struct sio_message {
    struct json_value name; /* the name of an event: a string or number */
    struct slice args;      /* the values after it, without brackets: "1,\"a\""; may be empty */
    bool has_id;            /* for an event: an ack is asked for */
    uint64_t id;
    const struct slice *attachments; /* the bytes; args have the placeholders */
    uint32_t attachment_count;
};

/* None of these may free a socket; all may send, accept, refuse, disconnect and close. */
struct sio_app {
    /* A session begins. The application may keep what it wants of the request: sets *kept,
     * which on_session_end frees. False: no memory. NULL: it keeps nothing. */
    bool (*on_session)(void *owner, const struct http_request *request, void **kept);
    void (*on_session_end)(void *kept);
    /* Returns a zeroed socket, embedded in a struct of the application; NULL: no memory. */
    struct sio_socket *(*create)(void *owner);
    /* A client asks to join; auth: a raw JSON object ("{}" if none was sent). The application
     * answers by sio_accept or sio_refuse, now or later; nothing else comes or is sent before.
     */
    void (*on_connect)(struct sio_socket *s, struct slice auth);
    void (*on_event)(struct sio_socket *s, const struct sio_message *m);
    /* The answer to an event that was sent with an id. There may be no such event, because ids
     * are not kept here. */
    void (*on_ack)(struct sio_socket *s, const struct sio_message *m);
    /* True if the client may send messages of any length, for example because it has logged in.
     * NULL: all clients may. */
    bool (*is_known)(const struct sio_socket *s);
    /* The memory of what the client has sent and nobody has handled yet. Or NULL: none. */
    size_t (*held)(const struct sio_socket *s);
    /* All that was sent was written (after sio_want_drained). */
    void (*on_drained)(struct sio_socket *s);
    /* Called once, unless the socket was refused: it is gone, and sends do nothing. */
    void (*on_disconnect)(struct sio_socket *s, enum sio_gone why);
    /* The last call, in a later turn: frees the socket. */
    void (*on_free)(struct sio_socket *s);
};

struct sio_config {
    struct eio_config eio;
    const char *mark;            /* the end of each socket's id */
    const char *namespaces;      /* besides "/": "/shop,/admin" */
    uint64_t connect_timeout_ms; /* from the session's beginning until it joins its first
                                    namespace */
    uint64_t login_deadline_ms;  /* for so long a session may be in no namespace, since its
                                    beginning or since it left the last one; 0: no limit. May
                                    change at any time. */
    uint32_t max_attachments;    /* of a packet; at most SIO_ATTACHMENTS_MAX */
    size_t max_attached;         /* the most bytes of all attachments of a packet */
};

/* A server, as its sockets see it. */
struct sio_server {
    struct eio_server eio;
    struct sio_config config;
    const struct sio_app *app;
    void *owner;
    struct slice *names; /* of the namespaces; [0] is "/" */
    unsigned name_count;
    unsigned joined;  /* sockets in SIO_JOINED */
    struct list dead; /* sockets to be freed */
};

/* The state of one namespace in a session. */
struct sio_slot {
    struct sio_socket *socket; /* NULL: not joined */
    bool left; /* the server disconnected it: packets that still come for it are no fault */
    bool used;
};

struct sio_session {
    struct eio_session eio;
    void *kept;                /* of the application (on_session) */
    struct sio_gather *gather; /* a packet whose attachments have not all come, or NULL */
    bool official;             /* its client is the official one (sio_agent.h) */
    uint16_t ends_with;        /* the code with which it ends if no socket is left; 0: none */
    const char *reason;        /* of that */
    struct sio_slot slots[];   /* by namespace */
};

static inline struct sio_server *sio_server_of(const struct sio_session *t) {
    return t->eio.server->owner;
}

/* Accepts the client. pid: the text that the client gives when it comes back (connection state
 * recovery), or NULL. s->sid may have been set before to the name of the client's earlier
 * socket. */
void sio_accept(struct sio_socket *s, const char *pid);
/* Refuses the client. data: a raw JSON value for the client's program, or empty. */
void sio_refuse(struct sio_socket *s, const char *message, struct slice data);

/*
 * Encodes a packet without attachments as a region (without a reference of its own), which can
 * be sent to any number of sockets of that namespace. `head` has the type (SIO_EVENT or
 * SIO_ACK), nsp and id; the parts are the payload, a JSON array. Its slab is NULL without
 * memory.
 */
struct frame sio_encode(struct net *n, const struct sio_packet *head,
                        const struct slice parts[], size_t count);
/* As eio_send. */
bool sio_send(struct sio_socket *s, struct frame *packet, bool ephemeral);

/*
 * Encodes and sends one packet to one socket. Only type, has_id and id of `head` are used. With
 * attachments (`attached` of them) the type becomes the binary one, and the payload must have
 * their placeholders.
 */
bool sio_emit(struct sio_socket *s, const struct sio_packet *head, const struct slice parts[],
              size_t count, const struct slice attachments[], uint32_t attached);

/* Sends a disconnect packet and ends the socket; the session goes on. on_disconnect is called
 * before it returns. */
void sio_disconnect(struct sio_socket *s);
/* The same, and if it was the last socket of the session, that ends as well (eio_close), after
 * the client has got what it was sent, or in a few seconds. The reason must outlive it. */
void sio_expel(struct sio_socket *s, uint16_t code, const char *reason);
/* Closes the whole session (eio_close). */
void sio_close(struct sio_socket *s, uint16_t code, const char *reason);

static inline struct slice sio_namespace(const struct sio_socket *s) {
    return s->server->names[s->nsp];
}
/* The address of the client; NULL: the socket is gone. */
const struct conn_address *sio_address(const struct sio_socket *s);
/* True if its client is the official one (sio_agent.h). */
bool sio_is_official(const struct sio_socket *s);
/* As the functions of the same names in eio_session.h. A session is held back while one of its
 * sockets is. */
size_t sio_queued(const struct sio_socket *s);
void sio_want_drained(struct sio_socket *s);
void sio_pause(struct sio_socket *s, bool pause);

/* --- for the server -------------------------------------------------------------------------
 */

/* A client asks to join: makes its socket and asks the application. May end the session. */
void sio_socket_begin(struct sio_session *t, unsigned nsp, struct slice auth);
/* If no socket is left in a session of which one was expelled, closes it. */
void sio_session_end(struct sio_session *t);
/* Takes a socket out of its session, and tells the application why, unless it was refused. */
void sio_socket_end(struct sio_socket *s, enum sio_gone why);
/* Tells the client that it may not join the namespace of that name, as sio_refuse does. */
void sio_socket_refuse(struct sio_session *t, struct slice nsp, const char *message,
                       struct slice data);

#endif
