#include "gateway/net/http_parse.h"

#include <ctype.h>
#include <strings.h>

#include "common/percent.h"

#define HEADERS_MAX 100

static struct http_parser *parser_of(llhttp_t *llhttp) {
    return llhttp->data;
}

static int stop(struct http_parser *p) {
    p->stopped = true;
    return HPE_USER;
}

static int refuse(struct http_parser *p, int status, const char *why) {
    p->refusal = (struct http_refusal){status, why};
    return stop(p);
}

/* --- what llhttp calls ----------------------------------------------------------------------
 */

static int on_message_begin(llhttp_t *llhttp) {
    struct http_parser *p = parser_of(llhttp);
    p->ops->on_begin(p);
    p->has_head = false;
    buf_clear(&p->target);
    fields_clear(&p->fields);
    p->in_body = false;
    p->body_max = 0;
    p->body_got = 0;
    p->ends = 0;
    return 0;
}

static int on_url(llhttp_t *llhttp, const char *at, size_t len) {
    buf_append(&parser_of(llhttp)->target, at, len);
    return 0;
}

static int on_header_field(llhttp_t *llhttp, const char *at, size_t len) {
    struct http_parser *p = parser_of(llhttp);
    if (!p->in_body) /* a trailer after a chunked body, which nothing reads */
        fields_name(&p->fields, (struct slice){at, len});
    return 0;
}

static int on_header_field_complete(llhttp_t *llhttp) {
    struct http_parser *p = parser_of(llhttp);
    if (p->in_body)
        p->fields.count++;
    else if (!fields_name_end(&p->fields))
        return refuse(p, 400, "a header field has no such name\n");
    return p->fields.count > HEADERS_MAX ? refuse(p, 431, "too many header fields\n") : 0;
}

static int on_header_value(llhttp_t *llhttp, const char *at, size_t len) {
    struct http_parser *p = parser_of(llhttp);
    if (!p->in_body)
        fields_value(&p->fields, (struct slice){at, len});
    return 0;
}

/* HTTP/1.0 may leave the Host out. */
static bool has_host(const struct http_parser *p) {
    unsigned count = fields_count(&p->fields, "host");
    if (count == 0)
        return p->llhttp.http_minor == 0;
    return count == 1 && fields_host_valid(fields_get(&p->fields, "host"));
}

/* Other readers of the same head must find the same end of the request (RFC 9112, 6): one
 * length, or chunks and no other coding. Returns the status of a refusal, or 0. */
static int wrong_framing(const struct http_parser *p) {
    const char *length = fields_get(&p->fields, "content-length");
    const char *coding = fields_get(&p->fields, "transfer-encoding");
    bool one_length = fields_count(&p->fields, "content-length") == 1;
    if (length != NULL &&
        (!one_length || *length == '\0' || length[strspn(length, "0123456789")] != '\0'))
        return 400;
    if (coding == NULL)
        return 0;
    if (length != NULL || p->llhttp.http_minor == 0 || !http_parser_is_chunked(p))
        return 400;
    bool plain = fields_count(&p->fields, "transfer-encoding") == 1 &&
                 strcasecmp(coding, "chunked") == 0;
    return plain ? 0 : 501;
}

/* RFC 3986, 2.3. */
static bool is_unreserved(char c) {
    return isalnum((unsigned char)c) || (c != '\0' && strchr("-._~", c) != NULL);
}

/* Decodes, in place, what need not be percent-encoded. The target means the same after that
 * (RFC 3986, 6.2.2.2). All that follows a broken escape stays as it is, since decoding could
 * make a new escape of it. */
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

/* Tells llhttp that no body follows, and that the bytes after an upgrade are not HTTP. */
enum { HEADERS_ALONE = 2 };

static int on_headers_complete(llhttp_t *llhttp) {
    struct http_parser *p = parser_of(llhttp);
    fields_end(&p->fields);
    p->in_body = true;
    bool whole = !p->fields.text.failed && !p->target.failed;
    p->has_head = whole && plain_target(&p->target);
    int status = 0;
    if (!whole)
        return refuse(p, 503, "out of memory\n");
    if (!p->has_head)
        return refuse(p, 400, "the target is no path\n");
    if (llhttp->http_major != 1 || llhttp->http_minor > 1)
        return refuse(p, 505, "HTTP/1.1 is spoken here\n");
    if (!has_host(p))
        return refuse(p, 400, "a request has one Host\n");
    if ((status = wrong_framing(p)) != 0)
        return refuse(p, status, "the request's length is not clear\n");
    if (llhttp->content_length == 0 && !http_parser_is_chunked(p))
        return HEADERS_ALONE;
    return p->ops->on_body_announced(p) ? 0 : stop(p);
}

/*
 * Checks the bytes between the pieces of a chunked body, up to `at`. Each piece must end with
 * CR LF, and so must the lines between them, of which none may continue the line before. llhttp
 * would accept any two bytes after a piece, a lone LF, and folded trailers.
 */
static bool chunks_are_plain(struct http_parser *p, size_t at) {
    struct head_lines *l = &p->lines;
    for (; p->framing_at < at; p->framing_at++) {
        char c = p->feed[p->framing_at];
        bool folds = l->len == 0 && (c == ' ' || c == '\t');
        bool good = c == '\n' ? l->cr : !l->cr && !folds && (p->ends == 0 || c == '\r');
        if (!good)
            return false;
        l->cr = c == '\r';
        l->len = c == '\n' ? 0 : l->len + (c != '\r');
        p->ends -= p->ends > 0;
    }
    return true;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t len) {
    struct http_parser *p = parser_of(llhttp);
    size_t begins = (size_t)(at - p->feed);
    if (p->body_at == SIZE_MAX)
        p->body_at = begins;
    p->body_got += len;
    if (http_parser_is_chunked(p) && !chunks_are_plain(p, begins))
        return refuse(p, 400, "the chunks are not clear\n");
    p->framing_at = begins + len;
    p->ends = 2;
    if (p->body_got > p->body_max)
        return refuse(p, 413, "the request's body is too long\n");
    return p->ops->on_body(p, (struct slice){at, len}) ? 0 : stop(p);
}

/* Stops llhttp after each request, so that an upgrade or a close is seen before the next. */
static int on_message_complete(llhttp_t *llhttp) {
    (void)llhttp;
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

/* --- bytes ----------------------------------------------------------------------------------
 */

void http_parser_init(struct http_parser *p, const struct http_parser_ops *ops) {
    *p = (struct http_parser){.ops = ops};
    llhttp_init(&p->llhttp, HTTP_REQUEST, &settings);
    p->llhttp.data = p;
    buf_init(&p->target);
}

void http_parser_deinit(struct http_parser *p) {
    buf_deinit(&p->target);
    fields_deinit(&p->fields);
}

void http_parser_next(struct http_parser *p) {
    llhttp_reset(&p->llhttp);
    p->in_body = false;
    p->head_bytes = 0;
}

/* llhttp has found an error, unless a callback has stopped it. */
static void refuse_parse(struct http_parser *p, llhttp_errno_t error) {
    if (error == HPE_INVALID_VERSION)
        refuse(p, 505, "HTTP/1.1 is spoken here\n");
    else if (!p->stopped)
        refuse(p, 400, "not an HTTP request\n");
}

/*
 * Looks at a piece of a head, up to its end. Each line must end in CR LF, and none may continue
 * the line before: other readers may understand a lone LF, or a fold, differently.
 */
static bool lines_are_plain(struct http_parser *p, const char *bytes, size_t len) {
    struct head_lines *l = &p->lines;
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
static bool head_fits(struct http_parser *p, size_t used) {
    p->head_bytes += p->body_at < used ? p->body_at : used;
    return p->head_bytes <= HTTP_HEAD_MAX;
}

size_t http_parse(struct http_parser *p, const char *bytes, size_t len, bool *whole) {
    bool was_in_body = p->in_body;
    p->refusal = (struct http_refusal){.status = 0};
    p->stopped = false;
    if (!was_in_body && !lines_are_plain(p, bytes, len)) {
        p->has_head = false;
        refuse(p, 400, "not an HTTP request\n");
        return SIZE_MAX;
    }
    p->feed = bytes;
    p->body_at = SIZE_MAX;
    p->framing_at = was_in_body ? 0 : p->lines.end;
    enum llhttp_errno error = llhttp_execute(&p->llhttp, bytes, len);
    size_t used = len;
    bool chunked = p->in_body && http_parser_is_chunked(p);
    *whole = error == HPE_PAUSED || error == HPE_PAUSED_UPGRADE;
    if (*whole)
        used = (size_t)(llhttp_get_error_pos(&p->llhttp) - bytes);
    else if (error != HPE_OK) {
        refuse_parse(p, error);
        return SIZE_MAX;
    }
    if (chunked && !chunks_are_plain(p, used))
        refuse(p, 400, "the chunks are not clear\n");
    else if (was_in_body || head_fits(p, used))
        return used;
    else
        refuse(p, 431, "the request's head is too long\n");
    return SIZE_MAX;
}
