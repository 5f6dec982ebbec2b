#ifndef SLUICE_SOCKETIO_EIO_CONFIG_H
#define SLUICE_SOCKETIO_EIO_CONFIG_H

#include "gateway/net/http.h"

/* The configuration of an Engine.IO server ("eio" in names): limits and times, and the way to
 * sessions that other nodes have. */

/* The size of an id: a token (token.h) and a NUL. */
#define EIO_ID_SIZE 21

/* A session's id ("sid") is such a token and, at its end, the name of the node that has the
 * session: 8 characters of the same kind. */
#define EIO_NODE_SIZE 9
#define EIO_SID_SIZE  (EIO_ID_SIZE + EIO_NODE_SIZE - 1)

/*
 * The way to sessions that other nodes have. It is asked when a request is in order but for its
 * sid, which names the node `node`. Such a request is GET (a poll, or with `upgrade`) or POST.
 */
struct eio_elsewhere {
    /* Answers the request, now or later. False: no such node is known; the sid is answered as
     * unknown. */
    bool (*route)(void *owner, const struct http_request *request, struct slice node);
    /* The request's body is to come: may http_watch it. False: as above. */
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
    /* Sessions of one address that have no WebSocket: the number of their connections does not
     * limit them. Above: 429; 0: no limit. */
    unsigned max_polled;
    /* Origins whose pages may use the server (eio_origin.h). The caller's; holds as long as the
     * server. */
    const char *origins;
};

#endif
