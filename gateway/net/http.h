#ifndef SLUICE_NET_HTTP_H
#define SLUICE_NET_HTTP_H

#include "common/buf.h"
#include "gateway/net/conn.h"
#include "gateway/net/http_request.h"

/*
 * The server side of HTTP/1.1 (RFC 9112). It reads requests, with a body where the router wants
 * one, writes answers of known length, keeps connections alive, and upgrades them. An HTTP/1.0
 * request is answered, and then the connection is closed. The parser is freed when a connection
 * no longer speaks HTTP. The router decides what a request means.
 *
 * A request that two readers could understand differently is refused (http_parse.h), and so is
 * a body with another method than POST. The connection ends after such a refusal. It also ends
 * after a refused upgrade, because the bytes that follow may be of the new protocol.
 */
struct http_router {
    /* Answers with http_answer, defers the answer with http_defer, or takes the connection over
     * with conn_take after http_upgrade. The request is valid until the callback returns. */
    void (*route)(void *owner, const struct http_request *request);
    /* The head of a POST that announces a body has come. Returns the most bytes that the body
     * may have, or 0 if this path takes no body (405). A longer body is answered 413. The
     * callback may also give the final answer with http_answer, or watch the request with
     * http_watch. NULL: no path takes a body. */
    size_t (*body)(void *owner, const struct http_request *request);
    /* Appends the header lines that every answer to the request has, also an error. NULL: there
     * are no such lines. */
    void (*lines)(void *owner, const struct http_request *request, struct buf *out);
    void *owner;
    uint64_t timeout_ms; /* for a request's head (else 408). Also how often a body is looked at,
                            which is given up when less than HTTP_FLOOR came (408), and an
                            answer, when none of it left */
    uint64_t body_ms;    /* for a whole body */
    uint64_t idle_ms;    /* between two requests */
    bool draining;       /* each answer ends its connection */
};
#define HTTP_FLOOR 100 /* the least bytes a second of a body */

/*
 * An answer that comes later, and a receipt, by which a peer says that it has passed an answer
 * on. The functions for both are in http_later.h. http.c calls these callbacks.
 */
struct http_later {
    struct http *http; /* NULL: nobody waits for the answer (any more) */
    void (*late)(struct http_later *later);
    void (*gone)(struct http_later *later); /* or NULL */
    bool keep_errors;                       /* as http_answer_and_keep */
    bool upgrades;                          /* http_hold */
    bool passed_on; /* the answer comes from another node and has the router's lines already */
    /* Takes each piece of a watched body, which is then not kept; or NULL. May answer with
     * http_answer_later. The bytes are valid until the callback returns. */
    void (*piece)(struct http_later *later, struct slice bytes);
};

struct http_receipt {
    struct http *http; /* NULL: no receipt is awaited (any more) */
    void (*come)(struct http_receipt *receipt);
    void (*gone)(struct http_receipt *receipt);
};

/* Takes a connection, as conn_accept does, and reads requests from it. */
struct conn *http_accept(struct net *n, int fd, const struct sockaddr *from,
                         const struct http_router *router);

/* Makes room: closes the connection that has waited longest for a request, or for its end after
 * the last answer. False: there is no such connection. */
bool http_close_idle(struct net *n);
/* Called before the process ends: closes the connection if it waits between two requests.
 * Returns false when a request is under way, or when none has come yet. The connection must
 * still speak HTTP. */
bool http_end_idle(struct conn *c);

/* Answers. type and extra (whole lines with CR LF) may be NULL. After a 4xx or 5xx the
 * connection is closed, and also when the request asks for that. An answer to HEAD has no body,
 * nor have 204 and 304. */
void http_answer(const struct http_request *request, int status, const char *type,
                 struct slice body, const char *extra);
/* As http_answer, but an error leaves the connection open: the request was read to its end, and
 * only its content is wrong. Not to be called in the router's body(). */
void http_answer_and_keep(const struct http_request *request, int status, const char *type,
                          struct slice body, const char *extra);

/* Writes `head` (a whole response head) and frees the parser. The caller then takes the
 * connection over (conn_take). Returns false when the head could not be queued; the connection
 * is then closed. */
bool http_upgrade(const struct http_request *request, struct slice head);

/* --- for http_later.c alone --- */

/* True if the connection stays open after the request is answered without an error. */
bool http_keeps(const struct http_request *request);
/* Answers. If `keep` is false the connection ends after the answer, and before this returns
 * `gone` is called for whatever waited for the connection. */
void http_put_answer(struct http *h, int status, const char *type, struct slice body,
                     bool head_only, bool keep, const char *extra);
/* The connection no longer speaks HTTP. */
void http_free(struct http *h);

#endif
