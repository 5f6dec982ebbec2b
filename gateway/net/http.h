#ifndef SLUICE_NET_HTTP_H
#define SLUICE_NET_HTTP_H

#include "common/buf.h"
#include "gateway/net/conn.h"

/*
 * The HTTP/1.1 side of the port (RFC 9112): requests without a body, answers of known length,
 * keep-alive; and the way into an upgrade. The parser (llhttp) lives only as long as a
 * connection speaks HTTP. What a request means is decided by the router.
 */
struct http_request {
    struct conn *conn;
    struct slice method;
    struct slice path;  /* as sent, without the query */
    struct slice query; /* without the question mark */
    bool upgrade;       /* asks for WebSocket: Connection and Upgrade say so */
    struct http *http;
};

struct http_router {
    /* Answers with http_answer or takes the connection over with conn_take after http_upgrade.
     * Holds until it returns. */
    void (*route)(void *owner, const struct http_request *request);
    void *owner;
    uint64_t timeout_ms; /* for a whole request, and idle between two */
};

/* Accepts a connection and reads requests from it. False: it was refused (no memory). */
struct conn *http_accept(struct net *n, uv_stream_t *listener,
                         const struct http_router *router);

/* A header's value (the first of that name, any case); NULL if there is none. */
const char *http_header(const struct http_request *request, const char *name);

/* Answers. type and extra (whole lines with CR LF) may be NULL. 4xx and 5xx close the
 * connection afterwards, as does a request that asks for it. HEAD gets no body. */
void http_answer(const struct http_request *request, int status, const char *type,
                 struct slice body, const char *extra);

/* Writes `head` (a whole response head) and frees the parser: the caller's layer is on from
 * here (conn_take). Returns false when the head could not be queued; the connection is closed
 * then. */
bool http_upgrade(const struct http_request *request, struct slice head);

#endif
