#ifndef SLUICE_NET_HTTP_REQUEST_H
#define SLUICE_NET_HTTP_REQUEST_H

#include <stdint.h>

#include "common/buf.h"

struct conn;
struct fields;
struct http;
struct http_parser;

/* A request as the router sees it. It is valid until the router returns. */
struct http_request {
    struct conn *conn;
    struct slice method;
    /* Without scheme and host, with one slash at its beginning. Here and in the query, what
     * need not be percent-encoded (RFC 3986, 2.3) is decoded; the rest is as it was sent. */
    struct slice path;
    struct slice query; /* without the question mark */
    struct slice body;  /* all of it, unless a watcher takes it by pieces */
    uint64_t length;    /* the body's announced length; HTTP_CHUNKED: unknown */
    bool upgrade;       /* asks for WebSocket in Connection and Upgrade, in HTTP/1.1 */
    const struct fields *fields;
    struct http *http;
};
#define HTTP_CHUNKED UINT64_MAX

/* Fills a request from the parser: all fields but conn, body and http. */
struct http_request http_request_of(const struct http_parser *p);

/* The value of the first header of that name, in any case of letters; NULL if there is none. */
const char *http_header(const struct http_request *request, const char *name);
/* Appends the values of all headers of that name in order, with ", " between them, and a NUL.
 */
void http_header_join(const struct http_request *request, const char *name, struct buf *out);
unsigned http_header_count(const struct http_request *request, const char *name);

#endif
