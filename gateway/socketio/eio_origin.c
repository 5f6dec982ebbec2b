#include "gateway/socketio/eio_origin.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "common/log.h"
#include "gateway/socketio/eio_answer.h"

/* --- the list -------------------------------------------------------------------------------
 */

/* Takes the next origin off the front of a list that is not empty. */
static struct slice next_origin(const char **list) {
    struct slice one = {*list, strcspn(*list, ", ")};
    *list += one.len;
    *list += strspn(*list, ", ");
    return one;
}

static const char *check_one(struct slice origin) {
    char text[256];
    /* RFC 6454, 6.1: the origin of pages that are files, which apps use, but also of every
     * sandboxed frame. */
    if (slice_is(origin, "null") || slice_is(origin, "file://"))
        return NULL;
    snprintf(text, sizeof text, "%.*s", (int)origin.len, origin.ptr);
    const char *host = strstr(text, "://");
    size_t scheme = host != NULL ? (size_t)(host - text) : 0;
    bool good = origin.len < sizeof text && scheme > 0 && host[3] != '\0';
    for (const char *at = text; good && *at != '\0'; at++)
        good = *at > ' ' && *at <= '~' && *at != '*' && isupper((unsigned char)*at) == 0;
    if (good && strpbrk(host + 3, "/?#@") == NULL)
        return NULL;
    return log_text("\"%s\": an origin is like https://example.org:8443, in lower case and "
                    "without a path, or null for pages of files; or * alone for any",
                    text);
}

const char *eio_origin_check(const char *origins) {
    const char *wrong = NULL;
    if (strcmp(origins, "*") == 0)
        return NULL;
    while (*origins != '\0' && wrong == NULL)
        wrong = check_one(next_origin(&origins));
    return wrong;
}

/* The element of the list that equals the request's Origin; empty: none does. */
static struct slice find_origin(const char *origins, const struct http_request *request) {
    const char *origin = http_header(request, "origin");
    if (strcmp(origins, "*") == 0)
        return slice_of(origins);
    while (origin != NULL && *origins != '\0') {
        struct slice one = next_origin(&origins);
        if (slice_is(one, origin))
            return one;
    }
    return (struct slice){NULL, 0};
}

/* --- requests -------------------------------------------------------------------------------
 */

/* A page of this host needs no permission. */
static bool is_own_page(const struct http_request *request, const char *origin) {
    const char *host = http_header(request, "host");
    const char *at = strstr(origin, "://");
    return host != NULL && at != NULL && strcasecmp(at + 3, host) == 0;
}

bool eio_origin_is_forbidden(const char *origins, const struct http_request *request) {
    const char *origin = http_header(request, "origin");
    return origin != NULL && origins[0] != '\0' && find_origin(origins, request).len == 0 &&
           !is_own_page(request, origin);
}

void eio_origin_lines(const char *origins, const struct http_request *request,
                      struct buf *out) {
    struct slice origin = find_origin(origins, request);
    bool any = slice_is(origin, "*");
    buf_str(out, "Cache-Control: no-store\r\n");
    if (origin.len > 0)
        buf_printf(out, "Access-Control-Allow-Origin: %.*s\r\n", (int)origin.len, origin.ptr);
    if (origin.len > 0 && !any)
        buf_str(out, "Access-Control-Allow-Credentials: true\r\n");
    if (origins[0] != '\0' && !any)
        buf_str(out, "Vary: Origin\r\n");
}

/* Browsers ask this before a request that is not simple. */
void eio_origin_preflight(const char *origins, const struct http_request *request) {
    const char *wanted = http_header(request, "access-control-request-headers");
    struct buf extra;
    struct slice none = {NULL, 0};
    buf_init(&extra);
    buf_str(&extra, "Allow: GET, POST, OPTIONS\r\n");
    if (find_origin(origins, request).len > 0) {
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
