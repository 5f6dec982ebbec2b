#ifndef SLUICE_NET_HTTP_INTERNAL_H
#define SLUICE_NET_HTTP_INTERNAL_H

#include <llhttp.h>

#include "common/fields.h"
#include "gateway/net/http.h"

/* What http_parse.c, which reads requests, http.c, which has the connection and answers them,
 * and http_later.c, for answers that come later, have of each other. */

#define HTTP_HEAD_MAX 16384

/* Where the lines of a head are. */
struct head_lines {
    size_t len; /* of the line under way, without CR */
    bool more;  /* a line came before, so an empty one ends the head */
    bool cr;    /* the last byte was one */
    size_t end; /* of the head, in the bytes that were looked at last */
};

struct http {
    llhttp_t parser;
    const struct http_router *router;
    struct conn *conn;
    struct buf target;
    struct fields fields;
    struct buf body;
    size_t body_max;     /* of the request under way; 0: it has none */
    size_t body_got;     /* bytes of it that came */
    size_t body_seen;    /* so many had come when its deadline was set */
    uint64_t body_until; /* it is whole, or given up */
    size_t head_bytes;   /* of the request under way, up to its body */
    const char *feed;    /* bytes that are being parsed */
    size_t body_at;      /* where a body begins in them; SIZE_MAX: none has */
    size_t framing_at;   /* so far they are a body's data, or were looked at */
    unsigned ends;       /* bytes that a chunk's data has yet to be followed by: CR LF */
    bool in_body;
    bool has_head; /* of a request that is, or was last, under way: target and fields hold */
    bool begun;    /* a request is under way */
    bool answered;
    struct head_lines lines;
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

void http_parse_init(struct http *h);
/* Parses up to the end of a request, which sets *whole. May ask the router about a body, and
 * refuse. Returns how much was used, or SIZE_MAX when the connection has nothing more to read.
 */
size_t http_parse(struct http *h, const char *bytes, size_t len, bool *whole);
/* What the router gets of the request that was parsed; holds until the next. */
struct http_request http_request_of(struct http *h);

/* A request's first byte came: it has its time. */
void http_began(struct http *h);
void http_free(struct http *h);
/* Whether the connection stays open after an answer to the request that is no error. */
bool http_keeps(const struct http_request *request);
void http_put_answer(struct http *h, int status, const char *type, struct slice body,
                     bool head_only, bool keep, const char *extra);
/* Nobody waits for the connection any more: what was put off or watched is told. */
void http_let_go(struct http *h);
struct http_receipt *http_take_receipt(struct http *h);
void http_lose_receipt(struct http *h);
/* Answers with that status, if nothing was answered yet, and closes behind it. */
void http_refuse(struct http *h, int status, const char *why);

#endif
