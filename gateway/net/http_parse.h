#ifndef SLUICE_NET_HTTP_PARSE_H
#define SLUICE_NET_HTTP_PARSE_H

#include <llhttp.h>

#include "common/fields.h"

/*
 * Reads requests of HTTP/1.1 (RFC 9112) from bytes that come in pieces; llhttp does the
 * grammar. It knows no connection. The owner embeds the parser, decides about bodies in
 * callbacks, and answers refusals itself.
 *
 * It refuses a request that two readers could understand differently. Such are a length that is
 * not one plain number, a length together with chunks, a coding other than chunks, and lines
 * that do not end in CR LF or that continue the line before.
 */
#define HTTP_HEAD_MAX 16384

struct http_parser;

struct http_parser_ops {
    /* The first byte of a request has come. has_head is still that of the request before. */
    void (*on_begin)(struct http_parser *p);
    /* The head is whole, and announces a body. The callback sets body_max, or returns false
     * when the owner has answered or closed; then nothing more is read. */
    bool (*on_body_announced)(struct http_parser *p);
    /* A piece of the body, which has at most body_max bytes in all. The piece is valid until
     * the callback returns. False means the same as above. */
    bool (*on_body)(struct http_parser *p, struct slice piece);
};

/* How far the lines of a head were read. */
struct head_lines {
    size_t len; /* of the current line, without CR */
    bool more;  /* a line came before, so an empty one ends the head */
    bool cr;    /* the last byte was a CR */
    size_t end; /* where the head ends in the bytes that were looked at last */
};

struct http_refusal {
    int status; /* 0: there is none */
    const char *why;
};

struct http_parser {
    llhttp_t llhttp;
    const struct http_parser_ops *ops;
    struct buf target; /* as it came, except that what need not be percent-encoded is decoded */
    struct fields fields;
    size_t body_max;   /* of the request under way; 0: it has none */
    size_t body_got;   /* bytes of it that came */
    size_t head_bytes; /* of the request under way, up to its body */
    const char *feed;  /* bytes that are being parsed */
    size_t body_at;    /* where a body begins in them; SIZE_MAX: none has */
    size_t framing_at; /* up to here the bytes are a body's data, or were looked at */
    unsigned ends;     /* how many bytes of the CR LF after a chunk's data are still to come */
    bool in_body;      /* the head is whole */
    bool has_head; /* target and fields are valid, for the current request or the last one */
    bool stopped;  /* a callback returned false, or the request was refused */
    struct head_lines lines;
    struct http_refusal refusal;
};

void http_parser_init(struct http_parser *p, const struct http_parser_ops *ops);
void http_parser_deinit(struct http_parser *p);

/*
 * Parses up to the end of a request, and sets *whole there. Returns how many bytes were used,
 * or SIZE_MAX when nothing more is to be read. Then p->refusal says what to answer before the
 * connection is closed; its status is 0 if a callback returned false.
 */
size_t http_parse(struct http_parser *p, const char *bytes, size_t len, bool *whole);
/* Called when the request was handled and the next one may come. */
void http_parser_next(struct http_parser *p);

/* Bytes of memory that the request under way holds. */
static inline size_t http_parser_held(const struct http_parser *p) {
    return p->target.cap + p->fields.text.cap;
}

static inline bool http_parser_is_chunked(const struct http_parser *p) {
    return (p->llhttp.flags & F_CHUNKED) != 0;
}

#endif
