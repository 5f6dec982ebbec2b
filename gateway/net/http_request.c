#include "gateway/net/http_request.h"

#include <string.h>
#include <strings.h>

#include "gateway/net/http_parse.h"

const char *http_header(const struct http_request *request, const char *name) {
    return fields_get(request->fields, name);
}

void http_header_join(const struct http_request *request, const char *name, struct buf *out) {
    fields_join(request->fields, name, out);
}

unsigned http_header_count(const struct http_request *request, const char *name) {
    return fields_count(request->fields, name);
}

/* The form with scheme and host means the same as the path alone (RFC 9112, 3.2.2). */
static struct slice without_host(struct slice target) {
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

struct http_request http_request_of(const struct http_parser *p) {
    struct http_request request = {.fields = &p->fields};
    request.length = http_parser_is_chunked(p) ? HTTP_CHUNKED : p->llhttp.content_length;
    request.method = slice_of(llhttp_method_name((llhttp_method_t)p->llhttp.method));
    struct slice target = without_host(buf_bytes(&p->target));
    const char *mark = memchr(target.ptr, '?', target.len);
    request.path = (struct slice){target.ptr, mark ? (size_t)(mark - target.ptr) : target.len};
    if (mark != NULL)
        request.query = (struct slice){mark + 1, target.len - request.path.len - 1};
    while (request.path.len > 1 && request.path.ptr[0] == '/' && request.path.ptr[1] == '/')
        request.path = (struct slice){request.path.ptr + 1, request.path.len - 1};
    if (request.path.len == 0)
        request.path = SLICE("/");
    /* HTTP/1.0 has no upgrades (RFC 9110, 7.8). */
    request.upgrade = p->llhttp.http_minor == 1 &&
                      fields_have(&p->fields, "connection", "upgrade") &&
                      fields_have(&p->fields, "upgrade", "websocket");
    return request;
}
