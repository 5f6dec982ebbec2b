#include <strings.h>

#include "gateway/net/eio_internal.h"

/* Which pages of other origins may use the server, and what its answers say of it. */

/* The element of the server's list that the request's Origin is; empty: none. */
static struct slice find_origin(const struct eio_server *e,
                                const struct http_request *request) {
    const char *origin = http_header(request, "origin");
    const char *list = e->config.origins;
    if (strcmp(list, "*") == 0)
        return slice_of(list);
    while (origin != NULL && *list != '\0') {
        struct slice one = {list, strcspn(list, ", ")};
        if (slice_is(one, origin))
            return one;
        list += one.len;
        list += strspn(list, ", ");
    }
    return (struct slice){NULL, 0};
}

/* A page of this very host needs no permission. */
static bool is_own_page(const struct http_request *request, const char *origin) {
    const char *host = http_header(request, "host");
    const char *at = strstr(origin, "://");
    return host != NULL && at != NULL && strcasecmp(at + 3, host) == 0;
}

bool eio_is_forbidden(const struct eio_server *e, const struct http_request *request) {
    const char *origin = http_header(request, "origin");
    return origin != NULL && e->config.origins[0] != '\0' && find_origin(e, request).len == 0 &&
           !is_own_page(request, origin);
}

void eio_server_lines(const struct eio_server *e, const struct http_request *request,
                      struct buf *out) {
    struct slice origin = find_origin(e, request);
    bool any = slice_is(origin, "*");
    buf_str(out, "Cache-Control: no-store\r\n");
    if (origin.len > 0)
        buf_printf(out, "Access-Control-Allow-Origin: %.*s\r\n", (int)origin.len, origin.ptr);
    if (origin.len > 0 && !any)
        buf_str(out, "Access-Control-Allow-Credentials: true\r\n");
    if (e->config.origins[0] != '\0' && !any)
        buf_str(out, "Vary: Origin\r\n");
}

/* Asked by browsers before a request that is not simple. */
void eio_preflight(const struct eio_server *e, const struct http_request *request) {
    const char *wanted = http_header(request, "access-control-request-headers");
    struct buf extra;
    struct slice none = {NULL, 0};
    buf_init(&extra);
    buf_str(&extra, "Allow: GET, POST, OPTIONS\r\n");
    if (find_origin(e, request).len > 0) {
        buf_str(&extra, "Access-Control-Allow-Methods: GET, POST\r\n"
                        "Access-Control-Max-Age: 86400\r\n");
        if (wanted != NULL)
            buf_printf(&extra, "Access-Control-Allow-Headers: %s\r\n", wanted);
    }
    buf_char(&extra, '\0');
    if (extra.failed)
        http_answer(request, 503, EIO_TEXT_TYPE, SLICE("out of memory\n"), NULL);
    else
        http_answer(request, 204, NULL, none, extra.data);
    buf_deinit(&extra);
}
