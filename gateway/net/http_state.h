#ifndef SLUICE_NET_HTTP_STATE_H
#define SLUICE_NET_HTTP_STATE_H

#include "common/list.h"
#include "gateway/net/http_parse.h"

struct conn;
struct http_later;
struct http_receipt;
struct http_router;

/* The state of a connection that speaks HTTP. It belongs to http.c, and http_later.c uses it
 * for answers that come later. */
struct http {
    struct http_parser parser;
    const struct http_router *router;
    struct conn *conn;
    struct buf body;
    struct buf rest;
    size_t body_seen;    /* bytes of the body that had come when its deadline was set */
    uint64_t body_until; /* when the body must be whole */
    struct list link;    /* in the net's http_idle, while nothing would be lost by closing */
    uint64_t idle_until; /* when a connection without a request is closed */
    size_t unsent; /* bytes of the last answer at the last look; SIZE_MAX: it was not looked at
                      yet */
    struct http_later
        *watched; /* watches the request that is being routed, until it is claimed */
    struct http_later *later;     /* an answer is deferred, or a body is watched */
    struct http_receipt *receipt; /* of the last answer */
    unsigned counted;             /* bytes in net's requests_held */
    bool begun : 1;               /* a request is under way */
    bool answered : 1;
    bool closing : 1;    /* the last answer was given: whatever still comes is thrown away */
    bool later_head : 1; /* the deferred answer is to HEAD */
    bool later_keep : 1; /* the deferred answer leaves the connection open */
    bool passed_on : 1;  /* the answer has the router's lines */
    bool held : 1;       /* incoming bytes are kept in `rest` until that answer has left */
};

#endif
