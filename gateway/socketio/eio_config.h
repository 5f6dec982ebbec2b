#ifndef SLUICE_SOCKETIO_EIO_CONFIG_H
#define SLUICE_SOCKETIO_EIO_CONFIG_H

#include "gateway/net/http.h"
#include "gateway/net/origin.h"

/* The configuration of an Engine.IO server ("eio" in names): limits and times, and the way to
 * sessions of other nodes. */

/* The size of an id: a token (token.h) and a NUL. */
#define EIO_ID_SIZE 21

/* A session's id ("sid") is such a token, followed by the name of the session's node, which is
 * 8 characters of the same kind. */
#define EIO_NODE_SIZE 9
#define EIO_SID_SIZE  (EIO_ID_SIZE + EIO_NODE_SIZE - 1)

/*
 * The way to sessions of other nodes. It is asked about a request that is valid except that its
 * sid names another node, `node`. Such a request is a GET (a poll, or with `upgrade`) or a
 * POST.
 */
struct eio_elsewhere {
    /* Answers the request, now or later. Returns false when no such node is known; the server
     * then answers that the sid is unknown. */
    bool (*route)(void *owner, const struct http_request *request, struct slice node);
    /* The request's body is to come; the callback may watch it with http_watch. False: as
     * above. */
    bool (*body)(void *owner, const struct http_request *request, struct slice node);
    /* True for a request that another node has handed over, which must not be passed on again.
     */
    bool (*is_handed_over)(void *owner, const struct http_request *request);
    void *owner;
};

struct eio_config {
    const char *node; /* the name at the end of each sid; NULL: there is none */
    const struct eio_elsewhere *elsewhere; /* NULL: there are no other nodes */
    uint64_t ping_interval_ms;
    uint64_t ping_timeout_ms;
    uint64_t upgrade_timeout_ms; /* from the connection of a probe (a WebSocket that is to carry
                                    the session) to its "5" */
    uint64_t close_timeout_ms;
    size_t max_payload;    /* the most bytes of a message or a POST */
    unsigned max_sessions; /* with more: 503; 0: no limit */
    /* The most sessions of one address that have no WebSocket, since the limit of connections
     * does not cover them. With more: 429; 0: no limit. */
    unsigned max_polled;
    /* The pages that may use the server. The caller owns it, and keeps it as long as the
     * server. */
    struct origins *origins;
};

#endif
