#ifndef SLUICE_NET_HTTP_INTERNAL_H
#define SLUICE_NET_HTTP_INTERNAL_H

#include <llhttp.h>

#include "common/fields.h"
#include "gateway/net/http.h"

/* What http_parse.c, which reads requests, and http.c, which has the connection and answers
 * them, have of each other. */

#define HTTP_HEAD_MAX 16384

struct http {
    llhttp_t parser;
    const struct http_router *router;
    struct conn *conn;
    struct buf target;
    struct fields fields;
    struct buf body;
    size_t body_max;   /* of the request under way; 0: it has none */
    size_t body_seen;  /* so much had come when its deadline was set */
    size_t head_bytes; /* of the request under way, up to its body */
    const char *feed;  /* bytes that are being parsed */
    size_t body_at;    /* where a body begins in them; SIZE_MAX: none has */
    bool in_body;
    bool answered;
    size_t unsent;            /* of the last answer, when it was looked at; SIZE_MAX: not yet */
    bool closing;             /* answered for the last time: drain what still comes */
    struct http_later *later; /* an answer is put off, or a body's end is watched for */
    bool later_head;          /* that one is to HEAD */
    bool later_keep;          /* and leaves the connection open */
    struct http_receipt *receipt; /* of the last answer */
    bool held;                    /* what comes is kept in `rest` until that answer has left */
    struct buf rest;
};

void http_parse_init(struct http *h);
/* Parses up to the end of a request, which sets *whole. May ask the router about a body, and
 * refuse. Returns how much was used, or SIZE_MAX when the connection has nothing more to read.
 */
size_t http_parse(struct http *h, const char *bytes, size_t len, bool *whole);
/* What the router gets of the request that was parsed; holds until the next. */
struct http_request http_request_of(struct http *h);

/* Answers with that status, if nothing was answered yet, and closes behind it. */
void http_refuse(struct http *h, int status, const char *why);

#endif
