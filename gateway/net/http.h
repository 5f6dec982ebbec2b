#ifndef SLUICE_NET_HTTP_H
#define SLUICE_NET_HTTP_H

#include "common/buf.h"
#include "gateway/net/conn.h"
#include "gateway/net/http_request.h"

/*
 * The HTTP/1.1 side of the port (RFC 9112): requests, with a body where the router wants one,
 * answers of known length, keep-alive; and the way into an upgrade. HTTP/1.0 is answered and
 * closed. The parser lives only as long as a connection speaks HTTP. What a request means is
 * decided by the router.
 *
 * What two readers could take for different messages is refused (http_parse.h), and so is a
 * body with another method than POST; then the connection ends. It ends after an upgrade that
 * is refused, too: what follows may be of the new protocol.
 */
struct http_router {
    /* Answers with http_answer, puts the answer off with http_defer, or takes the connection
     * over with conn_take after http_upgrade. The request holds until it returns. */
    void (*route)(void *owner, const struct http_request *request);
    /* The head of a POST that announces a body has come: returns the most bytes that the body
     * may have, or 0: this path takes none (405). A longer body is answered 413. May also
     * answer for good with http_answer, or http_watch the request. NULL: no path takes a body.
     */
    size_t (*body)(void *owner, const struct http_request *request);
    /* Appends header lines that each answer to the request has, errors too. NULL: none. */
    void (*lines)(void *owner, const struct http_request *request, struct buf *out);
    void *owner;
    uint64_t timeout_ms; /* for a request's head; a body of which less than HTTP_FLOOR came in
                          * it is given up, as is an answer of which nothing went: 408 */
    uint64_t body_ms;    /* for a whole body */
    uint64_t idle_ms;    /* between two requests */
    bool draining;       /* each answer ends its connection */
};
#define HTTP_FLOOR 100 /* bytes a second of a body */

/*
 * An answer that comes later, and what a peer says when it has passed an answer on: the
 * functions for both are in http_later.h. http.c calls these back when the connection has
 * something to tell.
 */
struct http_later {
    struct http *http; /* NULL: nobody waits for it (any more) */
    void (*late)(struct http_later *later);
    void (*gone)(struct http_later *later); /* or NULL */
    bool keep_errors;                       /* as http_answer_and_keep */
    bool passed_on; /* what is answered is another's, which has the router's lines already */
    /* Takes each piece of a watched body, which is not kept then; or NULL. May answer with
     * http_answer_later. The bytes hold until it returns. */
    void (*piece)(struct http_later *later, struct slice bytes);
};

struct http_receipt {
    struct http *http; /* NULL: none is awaited (any more) */
    void (*come)(struct http_receipt *receipt);
    void (*gone)(struct http_receipt *receipt);
};

/* Accepts a connection and reads requests from it. NULL: it was refused (no memory). */
struct conn *http_accept(struct net *n, uv_stream_t *listener,
                         const struct http_router *router);

/* Closes the connection that has waited longest for a request, or for its end after the last
 * answer, to make room. False: there is none. */
bool http_close_idle(struct net *n);
/* The process is about to end: closes the connection if it waits between two requests. False:
 * it has something to do, or has not asked for anything yet. Not for a connection that has
 * become something else. */
bool http_end_idle(struct conn *c);

/* Answers. type and extra (whole lines with CR LF) may be NULL. 4xx and 5xx close the
 * connection afterwards, as does a request that asks for it. HEAD gets no body, nor do 204 and
 * 304.
 */
void http_answer(const struct http_request *request, int status, const char *type,
                 struct slice body, const char *extra);
/* As http_answer, but an error leaves the connection open: the request was read to its end, and
 * is wrong for what runs on the connection only. Not in the router's body(). */
void http_answer_and_keep(const struct http_request *request, int status, const char *type,
                          struct slice body, const char *extra);

/* Writes `head` (a whole response head) and frees the parser: the caller's layer is on from
 * here (conn_take). Returns false when the head could not be queued; the connection is closed
 * then. */
bool http_upgrade(const struct http_request *request, struct slice head);

/* --- for http_later.c alone --- */

/* Whether the connection stays open after an answer to the request that is no error. */
bool http_keeps(const struct http_request *request);
/* Answers; after an answer that does not keep it the connection ends. Before it returns, `gone`
 * is called of what waited for the connection. */
void http_put_answer(struct http *h, int status, const char *type, struct slice body,
                     bool head_only, bool keep, const char *extra);
/* The connection speaks HTTP no more. */
void http_free(struct http *h);

#endif
