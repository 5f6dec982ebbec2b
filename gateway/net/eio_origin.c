#include <stdio.h>
#include <strings.h>

#include "gateway/net/eio_internal.h"

/* Which pages of other origins may use the server, and what its answers say of it. */

/* The element of the server's list that the request's Origin is; empty: none. */
struct slice eio_origin(const struct eio_server *e, const struct http_request *request) {
    const char *origin = http_header(request, "origin");
    const char *list = e->config.origins;
    if (strcmp(list, "*") == 0)
        return slice_of(list);
    while (origin != NULL && *list != '\0') {
        struct slice one = {list, strcspn(list, ", ")};
        if (one.len <= EIO_ORIGIN_MAX && slice_is(one, origin))
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
    return origin != NULL && e->config.origins[0] != '\0' && eio_origin(e, request).len == 0 &&
           !is_own_page(request, origin);
}

const char *eio_put_extra(struct eio_extra *x, struct slice origin) {
    bool any = slice_is(origin, "*");
    if (origin.len == 0)
        snprintf(x->text, sizeof x->text, "Cache-Control: no-store\r\n");
    else
        snprintf(x->text, sizeof x->text,
                 "Cache-Control: no-store\r\nAccess-Control-Allow-Origin: %.*s\r\n%s",
                 (int)origin.len, origin.ptr,
                 any ? "" : "Access-Control-Allow-Credentials: true\r\nVary: Origin\r\n");
    return x->text;
}

/* Asked by browsers before a request that is not simple. */
void eio_preflight(const struct eio_server *e, const struct http_request *request) {
    struct slice origin = eio_origin(e, request);
    const char *wanted = http_header(request, "access-control-request-headers");
    struct eio_extra x;
    struct buf extra;
    struct slice none = {NULL, 0};
    buf_init(&extra);
    buf_str(&extra, eio_put_extra(&x, origin));
    if (origin.len > 0) {
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
