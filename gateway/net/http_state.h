#ifndef SLUICE_NET_HTTP_STATE_H
#define SLUICE_NET_HTTP_STATE_H

#include "common/list.h"
#include "gateway/net/http_parse.h"

struct conn;
struct http_later;
struct http_receipt;
struct http_router;

/* A connection that speaks HTTP, as http.c, which has it, and http_later.c, for answers that
 * come later, know it. */
struct http {
    struct http_parser parser;
    const struct http_router *router;
    struct conn *conn;
    struct buf body;
    size_t body_seen;    /* bytes of it that had come when its deadline was set */
    uint64_t body_until; /* it is whole, or given up */
    bool begun;          /* a request is under way */
    bool answered;
    struct list link;           /* in the net's http_idle, while nothing would be lost */
    uint64_t idle_until;        /* without a request */
    struct http_later *watched; /* of the request that is being routed, until it is claimed */
    size_t unsent;            /* of the last answer, when it was looked at; SIZE_MAX: not yet */
    bool closing;             /* answered for the last time: drain what still comes */
    struct http_later *later; /* an answer is put off, or a body's end is watched for */
    bool later_head;          /* that one is to HEAD */
    bool later_keep;          /* and leaves the connection open */
    bool passed_on;           /* the answer has the router's lines */
    struct http_receipt *receipt; /* of the last answer */
    bool held;                    /* what comes is kept in `rest` until that answer has left */
    struct buf rest;
    size_t counted; /* in net's requests_held */
};

#endif
