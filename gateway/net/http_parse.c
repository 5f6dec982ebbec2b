#include <strings.h>

#include "gateway/net/http_internal.h"

#define HEADERS_MAX 100

static struct http *http_of(llhttp_t *parser) {
    return parser->data;
}

static int on_message_begin(llhttp_t *parser) {
    struct http *h = http_of(parser);
    buf_clear(&h->target);
    fields_clear(&h->fields);
    h->in_body = false;
    h->body_max = 0;
    h->body_seen = 0;
    h->answered = false;
    return 0;
}

static int on_url(llhttp_t *parser, const char *at, size_t len) {
    buf_append(&http_of(parser)->target, at, len);
    return 0;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t len) {
    struct http *h = http_of(parser);
    if (!h->in_body) /* behind a chunked body: nobody asks for it */
        fields_name(&h->fields, (struct slice){at, len});
    return 0;
}

static int on_header_field_complete(llhttp_t *parser) {
    struct http *h = http_of(parser);
    if (h->in_body)
        h->fields.count++;
    else if (!fields_name_end(&h->fields))
        http_refuse(h, 400, "a header field has no such name\n");
    if (h->fields.count > HEADERS_MAX)
        http_refuse(h, 431, "too many header fields\n");
    return h->answered ? HPE_USER : 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len) {
    struct http *h = http_of(parser);
    if (!h->in_body)
        fields_value(&h->fields, (struct slice){at, len});
    return 0;
}

const char *http_header(const struct http_request *request, const char *name) {
    return fields_get(&request->http->fields, name);
}

unsigned http_header_count(const struct http_request *request, const char *name) {
    return fields_count(&request->http->fields, name);
}

static bool reads(const llhttp_t *parser) {
    return parser->method == HTTP_GET || parser->method == HTTP_HEAD;
}

/* The form with scheme and host means the same as the path alone (RFC 9112, 3.2.2). */
static struct slice behind_host(struct slice target) {
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(schemes[i]);
        if (target.len < n || strncasecmp(target.ptr, schemes[i], n) != 0)
            continue;
        while (n < target.len && target.ptr[n] != '/' && target.ptr[n] != '?')
            n++;
        return (struct slice){target.ptr + n, target.len - n};
    }
    return target;
}

struct http_request http_request_of(struct http *h) {
    struct http_request request = {.conn = h->conn, .http = h, .body = buf_bytes(&h->body)};
    request.method = slice_of(llhttp_method_name((llhttp_method_t)h->parser.method));
    struct slice target = behind_host(buf_bytes(&h->target));
    const char *mark = memchr(target.ptr, '?', target.len);
    request.path = (struct slice){target.ptr, mark ? (size_t)(mark - target.ptr) : target.len};
    if (mark != NULL)
        request.query = (struct slice){mark + 1, target.len - request.path.len - 1};
    if (request.path.len == 0)
        request.path = SLICE("/");
    request.upgrade = fields_have(&h->fields, "connection", "upgrade") &&
                      fields_have(&h->fields, "upgrade", "websocket");
    return request;
}

/* A body is announced: asks the router whether, and how much of it, is wanted. */
static int begin_body(struct http *h, const llhttp_t *parser) {
    const struct http_router *router = h->router;
    struct http_request request = http_request_of(h);
    h->body_max = router->body != NULL ? router->body(router->owner, &request) : 0;
    if (h->answered || h->conn->closed)
        return HPE_USER;
    if (h->body_max == 0)
        http_refuse(h, reads(parser) ? 413 : 405, "this path takes no body\n");
    else if ((parser->flags & F_CHUNKED) == 0 && parser->content_length > h->body_max)
        http_refuse(h, 413, "the request's body is too long\n");
    else if (fields_have(&h->fields, "expect", "100-continue") &&
             !conn_send_parts(h->conn, &SLICE("HTTP/1.1 100 Continue\r\n\r\n"), 1))
        conn_close(h->conn, true);
    else {
        conn_deadline(h->conn, net_now(h->conn->net) + router->timeout_ms);
        return 0;
    }
    return HPE_USER;
}

/* No body follows; what comes after an upgrade is not HTTP. */
enum { HEADERS_ALONE = 2 };

static int on_headers_complete(llhttp_t *parser) {
    struct http *h = http_of(parser);
    fields_end(&h->fields);
    h->in_body = true;
    if (parser->http_major != 1 || parser->http_minor != 1)
        http_refuse(h, 505, "HTTP/1.1 is spoken here\n");
    else if (h->fields.text.failed || h->target.failed)
        http_refuse(h, 503, "out of memory\n");
    else if (fields_count(&h->fields, "host") != 1 ||
             !fields_host_valid(fields_get(&h->fields, "host")))
        http_refuse(h, 400, "a request has one Host\n");
    else if ((parser->flags & F_TRANSFER_ENCODING) != 0 && (parser->flags & F_CHUNKED) == 0)
        http_refuse(h, reads(parser) ? 413 : 405, "no path here takes such a body\n");
    else if (parser->content_length > 0 || (parser->flags & F_CHUNKED) != 0)
        return begin_body(h, parser);
    else
        return HEADERS_ALONE;
    return HPE_USER;
}

static int on_body(llhttp_t *parser, const char *at, size_t len) {
    struct http *h = http_of(parser);
    if (h->body_at == SIZE_MAX)
        h->body_at = (size_t)(at - h->feed);
    if (len > h->body_max - h->body.len)
        http_refuse(h, 413, "the request's body is too long\n");
    else {
        buf_append(&h->body, at, len);
        if (!h->body.failed)
            return 0;
        http_refuse(h, 503, "out of memory\n");
    }
    return HPE_USER;
}

/* Stops the parser behind each request, so that an upgrade or a close is seen before the next.
 */
static int on_message_complete(llhttp_t *parser) {
    (void)parser;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_message_begin = on_message_begin,
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void http_parse_init(struct http *h) {
    llhttp_init(&h->parser, HTTP_REQUEST, &settings);
    h->parser.data = h;
}

static void refuse_parse(struct http *h, llhttp_errno_t error) {
    if (error == HPE_INVALID_VERSION)
        http_refuse(h, 505, "HTTP/1.1 is spoken here\n");
    else
        http_refuse(h, 400, "not an HTTP request\n");
}

/* Counts what belongs to the request's head. Returns false when it is too long. */
static bool head_fits(struct http *h, size_t used) {
    h->head_bytes += h->body_at < used ? h->body_at : used;
    return h->head_bytes <= HTTP_HEAD_MAX;
}

size_t http_parse(struct http *h, const char *bytes, size_t len, bool *whole) {
    bool was_in_body = h->in_body;
    h->feed = bytes;
    h->body_at = SIZE_MAX;
    enum llhttp_errno error = llhttp_execute(&h->parser, bytes, len);
    if (h->closing || h->conn->closed)
        return SIZE_MAX;
    size_t used = len;
    *whole = error == HPE_PAUSED || error == HPE_PAUSED_UPGRADE;
    if (*whole)
        used = (size_t)(llhttp_get_error_pos(&h->parser) - bytes);
    else if (error != HPE_OK) {
        refuse_parse(h, error);
        return SIZE_MAX;
    }
    if (was_in_body || head_fits(h, used))
        return used;
    http_refuse(h, 431, "the request's head is too long\n");
    return SIZE_MAX;
}
