#include <ctype.h>
#include <strings.h>

#include "common/percent.h"
#include "gateway/net/http_internal.h"

#define HEADERS_MAX 100

static struct http *http_of(llhttp_t *parser) {
    return parser->data;
}

static int on_message_begin(llhttp_t *parser) {
    struct http *h = http_of(parser);
    http_began(h);
    h->has_head = h->passed_on = false;
    buf_clear(&h->target);
    fields_clear(&h->fields);
    h->in_body = false;
    h->body_max = 0;
    h->body_seen = h->body_got = 0;
    h->ends = 0;
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

void http_header_join(const struct http_request *request, const char *name, struct buf *out) {
    fields_join(&request->http->fields, name, out);
}

unsigned http_header_count(const struct http_request *request, const char *name) {
    return fields_count(&request->http->fields, name);
}

/* A method that may be good here, but never has a body. */
static bool takes_none(const llhttp_t *parser) {
    return parser->method == HTTP_GET || parser->method == HTTP_HEAD ||
           parser->method == HTTP_OPTIONS;
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
    bool chunked = (h->parser.flags & F_CHUNKED) != 0;
    request.length = chunked ? HTTP_CHUNKED : h->parser.content_length;
    request.method = slice_of(llhttp_method_name((llhttp_method_t)h->parser.method));
    struct slice target = behind_host(buf_bytes(&h->target));
    const char *mark = memchr(target.ptr, '?', target.len);
    request.path = (struct slice){target.ptr, mark ? (size_t)(mark - target.ptr) : target.len};
    if (mark != NULL)
        request.query = (struct slice){mark + 1, target.len - request.path.len - 1};
    while (request.path.len > 1 && request.path.ptr[0] == '/' && request.path.ptr[1] == '/')
        request.path = (struct slice){request.path.ptr + 1, request.path.len - 1};
    if (request.path.len == 0)
        request.path = SLICE("/");
    /* HTTP/1.0 has no upgrades (RFC 9110, 7.8). */
    request.upgrade = h->parser.http_minor == 1 &&
                      fields_have(&h->fields, "connection", "upgrade") &&
                      fields_have(&h->fields, "upgrade", "websocket");
    return request;
}

/* A body is announced: asks the router whether, and how much of it, is wanted. */
static int begin_body(struct http *h, const llhttp_t *parser) {
    const struct http_router *router = h->router;
    struct http_request request = http_request_of(h);
    if (parser->method == HTTP_POST && router->body != NULL)
        h->body_max = router->body(router->owner, &request);
    if (h->answered || h->conn->closed)
        return HPE_USER;
    if (h->body_max == 0)
        http_refuse(h, takes_none(parser) ? 413 : 405, "no body is taken here\n");
    else if ((parser->flags & F_CHUNKED) == 0 && parser->content_length > h->body_max)
        http_refuse(h, 413, "the request's body is too long\n");
    else if (parser->http_minor == 1 && fields_have(&h->fields, "expect", "100-continue") &&
             !conn_send_parts(h->conn, &SLICE("HTTP/1.1 100 Continue\r\n\r\n"), 1))
        conn_close(h->conn, true);
    else {
        uint64_t now = net_now(h->conn->net);
        h->body_until = now + router->body_ms;
        conn_deadline(h->conn, now + (router->timeout_ms < router->body_ms ? router->timeout_ms
                                                                           : router->body_ms));
        return 0;
    }
    return HPE_USER;
}

/* HTTP/1.0 may leave it out. */
static bool has_host(const struct http *h) {
    unsigned count = fields_count(&h->fields, "host");
    if (count == 0)
        return h->parser.http_minor == 0;
    return count == 1 && fields_host_valid(fields_get(&h->fields, "host"));
}

/* Other readers of the same head must find the same end of the request (RFC 9112, 6): one
 * length, or chunks and no other coding. Returns the status of a refusal; 0: it is good. */
static int wrong_framing(const struct http *h) {
    const char *length = fields_get(&h->fields, "content-length");
    const char *coding = fields_get(&h->fields, "transfer-encoding");
    bool one_length = fields_count(&h->fields, "content-length") == 1;
    if (length != NULL &&
        (!one_length || *length == '\0' || length[strspn(length, "0123456789")] != '\0'))
        return 400;
    if (coding == NULL)
        return 0;
    if (length != NULL || h->parser.http_minor == 0 || (h->parser.flags & F_CHUNKED) == 0)
        return 400;
    bool plain = fields_count(&h->fields, "transfer-encoding") == 1 &&
                 strcasecmp(coding, "chunked") == 0;
    return plain ? 0 : 501;
}

/* Of RFC 3986, 2.3. */
static bool is_unreserved(char c) {
    return isalnum((unsigned char)c) || (c != '\0' && strchr("-._~", c) != NULL);
}

/* Decodes, in place, what need not be percent-encoded: it means the same (RFC 3986, 6.2.2.2).
 * From an escape that is broken on all stays, lest a new one come of it. */
static bool plain_target(struct buf *target) {
    size_t to = 0;
    bool broken = false;
    for (size_t at = 0; at < target->len; at++) {
        char c = target->data[at];
        struct slice escape = {target->data + at, at + 2 < target->len ? 3 : 1};
        char plain = '\0';
        broken = broken || (c == '%' && percent_decode(escape, &plain, 1) != 1);
        if (c == '%' && !broken && is_unreserved(plain)) {
            c = plain;
            at += 2;
        }
        target->data[to++] = c;
    }
    target->len = to;
    return to > 0;
}

/* No body follows; what comes after an upgrade is not HTTP. */
enum { HEADERS_ALONE = 2 };

static int on_headers_complete(llhttp_t *parser) {
    struct http *h = http_of(parser);
    fields_end(&h->fields);
    h->in_body = true;
    list_remove(&h->link);
    bool whole = !h->fields.text.failed && !h->target.failed;
    h->has_head = whole && plain_target(&h->target); /* errors below have the path's lines */
    int status = 0;
    if (!whole)
        http_refuse(h, 503, "out of memory\n");
    else if (!h->has_head)
        http_refuse(h, 400, "the target is no path\n");
    else if (parser->http_major != 1 || parser->http_minor > 1)
        http_refuse(h, 505, "HTTP/1.1 is spoken here\n");
    else if (!has_host(h))
        http_refuse(h, 400, "a request has one Host\n");
    else if ((status = wrong_framing(h)) != 0)
        http_refuse(h, status, "the request's length is not clear\n");
    else if (parser->content_length > 0 || (parser->flags & F_CHUNKED) != 0)
        return begin_body(h, parser);
    else
        return HEADERS_ALONE;
    return HPE_USER;
}

/*
 * What stands between the pieces of a chunked body up to `at`: each ends with CR LF, and so do
 * the lines between, of which none continues the one before. The parser takes any two bytes
 * behind a piece, a lone LF, and trailers that are folded.
 */
static bool chunks_are_plain(struct http *h, size_t at) {
    struct head_lines *l = &h->lines;
    for (; h->framing_at < at; h->framing_at++) {
        char c = h->feed[h->framing_at];
        bool folds = l->len == 0 && (c == ' ' || c == '\t');
        bool good = c == '\n' ? l->cr : !l->cr && !folds && (h->ends == 0 || c == '\r');
        if (!good)
            return false;
        l->cr = c == '\r';
        l->len = c == '\n' ? 0 : l->len + (c != '\r');
        h->ends -= h->ends > 0;
    }
    return true;
}

static int on_body(llhttp_t *parser, const char *at, size_t len) {
    struct http *h = http_of(parser);
    size_t begins = (size_t)(at - h->feed);
    bool chunked = (parser->flags & F_CHUNKED) != 0;
    if (h->body_at == SIZE_MAX)
        h->body_at = begins;
    h->body_got += len;
    if (chunked && !chunks_are_plain(h, begins))
        http_refuse(h, 400, "the chunks are not clear\n");
    h->framing_at = begins + len;
    h->ends = 2;
    if (h->answered)
        return HPE_USER;
    if (h->body_got > h->body_max)
        http_refuse(h, 413, "the request's body is too long\n");
    else if (h->later != NULL && h->later->piece != NULL)
        h->later->piece(h->later, (struct slice){at, len});
    else
        buf_append(&h->body, at, len);
    if (h->body.failed)
        http_refuse(h, 503, "out of memory\n");
    return h->answered || h->conn->closed ? HPE_USER : 0;
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

/*
 * Lines of a head end in CR LF, and none continues the one before: other readers may take a
 * lone LF, or a fold, for something else. Looks at a piece of a head, up to its end.
 */
static bool lines_are_plain(struct http *h, const char *bytes, size_t len) {
    struct head_lines *l = &h->lines;
    for (size_t i = 0; i < len; i++) {
        char c = bytes[i];
        if (l->len == 0 && !l->more && (c == '\r' || c == '\n'))
            continue; /* before a request */
        if (c == '\n' && !l->cr)
            return false;
        if (c == '\n' && l->len == 0 && l->more) { /* the head's end */
            *l = (struct head_lines){.end = i + 1};
            return true;
        }
        if (c == '\n') {
            l->more = l->more || l->len > 0;
            l->len = 0;
        } else if (c != '\r' || l->cr) {
            if (l->cr || (l->len == 0 && l->more && (c == ' ' || c == '\t')))
                return false;
            l->len++;
        }
        l->cr = c == '\r';
    }
    return true;
}

/* Counts what belongs to the request's head. Returns false when it is too long. */
static bool head_fits(struct http *h, size_t used) {
    h->head_bytes += h->body_at < used ? h->body_at : used;
    return h->head_bytes <= HTTP_HEAD_MAX;
}

size_t http_parse(struct http *h, const char *bytes, size_t len, bool *whole) {
    bool was_in_body = h->in_body;
    if (!was_in_body && !lines_are_plain(h, bytes, len)) {
        h->has_head = false;
        http_refuse(h, 400, "not an HTTP request\n");
        return SIZE_MAX;
    }
    h->feed = bytes;
    h->body_at = SIZE_MAX;
    h->framing_at = was_in_body ? 0 : h->lines.end;
    enum llhttp_errno error = llhttp_execute(&h->parser, bytes, len);
    if (h->closing || h->conn->closed)
        return SIZE_MAX;
    size_t used = len;
    bool chunked = h->in_body && (h->parser.flags & F_CHUNKED) != 0;
    *whole = error == HPE_PAUSED || error == HPE_PAUSED_UPGRADE;
    if (*whole)
        used = (size_t)(llhttp_get_error_pos(&h->parser) - bytes);
    else if (error != HPE_OK) {
        refuse_parse(h, error);
        return SIZE_MAX;
    }
    if (chunked && !chunks_are_plain(h, used))
        http_refuse(h, 400, "the chunks are not clear\n");
    else if (was_in_body || head_fits(h, used))
        return used;
    else
        http_refuse(h, 431, "the request's head is too long\n");
    return SIZE_MAX;
}
