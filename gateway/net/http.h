#ifndef SLUICE_NET_HTTP_H
#define SLUICE_NET_HTTP_H

#include "common/buf.h"
#include "gateway/net/conn.h"

/*
 * The HTTP/1.1 side of the port (RFC 9112): requests, with a body where the router wants one,
 * answers of known length, keep-alive; and the way into an upgrade. HTTP/1.0 is answered and
 * closed. The parser (llhttp) lives only as long as a connection speaks HTTP. What a request
 * means is decided by the router.
 *
 * Where two readers could find different ends of a message it is refused, and the connection
 * ends: a body with another method than POST, a length that is not one plain number, a length
 * beside chunks, a coding besides chunks, lines that end without CR or continue the one before.
 * It ends after an upgrade that is refused, too: what follows may be of the new protocol.
 */
struct http_later;

struct http_request {
    struct conn *conn;
    struct slice method;
    /* Without scheme and host, one slash at its beginning. What need not be percent-encoded
     * (RFC 3986, 2.3) is not, here and in the query; the rest is as it was sent. */
    struct slice path;
    struct slice query; /* without the question mark */
    struct slice body;  /* all of it, unless a watcher takes it by pieces */
    uint64_t length;    /* of the body that is announced; HTTP_CHUNKED: unknown */
    bool upgrade;       /* asks for WebSocket: Connection and Upgrade say so, in HTTP/1.1 */
    struct http *http;
};
#define HTTP_CHUNKED UINT64_MAX

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

/* Accepts a connection and reads requests from it. False: it was refused (no memory). */
struct conn *http_accept(struct net *n, uv_stream_t *listener,
                         const struct http_router *router);

/* Closes the connection that has waited longest for a request, or for its end after the last
 * answer, to make room. False: there is none. */
bool http_close_idle(struct net *n);
/* The process is about to end: closes the connection if it waits between two requests. False:
 * it has something to do, or has not asked for anything yet. Not for a connection that has
 * become something else. */
bool http_end_idle(struct conn *c);

/* A header's value (the first of that name, any case); NULL if there is none. */
const char *http_header(const struct http_request *request, const char *name);
/* Appends the values of all headers of that name, in order and with ", " between, and a NUL. */
void http_header_join(const struct http_request *request, const char *name, struct buf *out);
unsigned http_header_count(const struct http_request *request, const char *name);

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

/*
 * An answer that comes later: when Redis has said what it is about, say. The owner embeds this
 * in what it keeps of the request; the connection and the owner may each end first.
 *
 * http_defer, in route and in place of an answer: the connection stops reading, and requests
 * that have come already wait, so answers leave in the order of the requests. Then, once,
 * whichever comes first:
 *   - http_answer_later: answers. The next request is read when the answer has left.
 *   - the connection is gone (the peer, the node's end): `http` is NULL from then on and
 *     http_answer_later does nothing. The owner is not told: it has its own end to wait for.
 *   - timeout_ms (0: for ever) have passed: late() is called and must call http_answer_later
 * before it returns.
 * The owner calls http_answer_later before it frees the struct, whatever came before.
 * A peer that goes meanwhile is often noticed only by the answer: nothing is read from it. With
 * `gone`, the connection reads on (16 KiB at most, then it is closed) and an end of the peer's
 * side counts as its going: gone() is called once, with `http` NULL already, as soon as that is
 * seen, and whatever else ends the connection. Not for an answer of the owner's own.
 */
struct http_later {
    struct http *http; /* NULL: nobody waits for it (any more) */
    void (*late)(struct http_later *later);
    void (*gone)(struct http_later *later); /* or NULL */
    bool keep_errors;                       /* as http_answer_and_keep */
    bool passed_on; /* what is answered is another's, which has the router's lines already */
    /* Of a watched body, or NULL: takes each piece of it, which is not kept then. May answer
     * with http_answer_later. The bytes hold until it returns. */
    void (*piece)(struct http_later *later, struct slice bytes);
};
void http_defer(const struct http_request *request, struct http_later *later,
                uint64_t timeout_ms);
/* As http_answer. Returns false when it does not leave: nobody waits for it (any more). Calls
 * nothing back before it returns. */
bool http_answer_later(struct http_later *later, int status, const char *type,
                       struct slice body, const char *extra);

/* Another struct, which has its callbacks, stands for the answer from now on. */
void http_later_move(struct http_later *from, struct http_later *to);

/*
 * For an answer to a peer that passes it on to somebody else: has it? Such a peer sends
 * something more on the connection when it has, if only an empty line (which HTTP ignores), and
 * no request before. http_await_receipt, just before http_answer_later; then, once, with `http`
 * NULL already:
 *   - come(): something came.
 *   - gone(): the connection has ended before, whoever ended it.
 * Nothing is awaited, and nothing called, if nobody waits for the answer. The struct is
 * embedded in what the owner keeps; http_drop_receipt before that is freed.
 */
struct http_receipt {
    struct http *http; /* NULL: none is awaited (any more) */
    void (*come)(struct http_receipt *receipt);
    void (*gone)(struct http_receipt *receipt);
};
void http_await_receipt(const struct http_later *later, struct http_receipt *receipt);
void http_drop_receipt(struct http_receipt *receipt);

/* In the router's body(): `gone` is called, with `http` NULL, if the connection ends, or is
 * answered otherwise, before the request is routed and http_claim has returned it. It may be
 * answered before that with http_answer_later, which closes the connection. */
void http_watch(const struct http_request *request, struct http_later *later);
/* Holds the body back, or lets it come again. */
void http_pause_body(struct http_later *later, bool pause);
/* In route: what watches the request (`http` is NULL), which is its owner's again; NULL:
 * nothing does, or it was claimed already. */
struct http_later *http_claim(const struct http_request *request);
/* True before that. */
bool http_is_watched(const struct http_request *request);

/* Writes `head` (a whole response head) and frees the parser: the caller's layer is on from
 * here (conn_take). Returns false when the head could not be queued; the connection is closed
 * then. */
bool http_upgrade(const struct http_request *request, struct slice head);

/*
 * As http_upgrade, for a request that was put off with `gone`: returns the connection, which
 * the caller takes over (conn_take) before anything else; NULL: it is closed. What the peer has
 * sent behind the request is moved to *rest, which is the caller's to free. Calls nothing back.
 */
struct conn *http_upgrade_later(struct http_later *later, struct slice head, struct buf *rest);

#endif
