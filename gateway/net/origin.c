#include "gateway/net/origin.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "common/log.h"
#include "gateway/net/conn_address.h"

/* --- where a page, or a request, belongs ----------------------------------------------------
 */

#define HOST_SIZE 256

struct place {
    char scheme[32];
    char host[HOST_SIZE]; /* in one spelling */
    unsigned port;
};

static bool read_port(const char *text, unsigned *port) {
    size_t digits = strspn(text, "0123456789");
    if (digits > 5 || text[digits] != '\0')
        return false;
    if (digits > 0)
        *port = (unsigned)strtoul(text, NULL, 10);
    return *port <= 65535;
}

/* "[::1]", as any IPv6 address is written. */
static bool read_ip6(char *host, const char *end) {
    char ip[HOST_SIZE];
    char text[CONN_ADDRESS_SIZE];
    struct conn_address a;
    snprintf(ip, sizeof ip, "%.*s", (int)(end - host - 1), host + 1);
    if (!conn_address_parse(&a, ip) || strchr(ip, ':') == NULL)
        return false;
    a.port = 0;
    conn_address_text(&a, text);
    snprintf(host, HOST_SIZE, "%s", text);
    return true;
}

/* "Example.org.", as "example.org". */
static bool read_name(char *host) {
    size_t len = strlen(host);
    if (len > 1 && host[len - 1] == '.')
        host[--len] = '\0';
    for (char *at = host; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~' || strchr("/?#@\\*,", *at) != NULL)
            return false;
        *at = (char)tolower((unsigned char)*at);
    }
    return len > 0;
}

/* Reads HOST or HOST:PORT. The port must be set to the one that counts if none is given. */
static bool read_host(const char *text, struct place *out) {
    char *host = out->host;
    if (snprintf(host, HOST_SIZE, "%s", text) >= HOST_SIZE)
        return false;
    char *end = host[0] == '[' ? strchr(host, ']') : NULL;
    char *colon = strchr(end != NULL ? end : host, ':');
    if (end != NULL && end[1] != '\0' && end + 1 != colon)
        return false;
    if (colon != NULL) {
        *colon = '\0';
        if (!read_port(colon + 1, &out->port))
            return false;
    }
    return end != NULL ? read_ip6(host, end) : read_name(host);
}

static unsigned scheme_port(const char *scheme) {
    return strcmp(scheme, "http") == 0 ? 80 : strcmp(scheme, "https") == 0 ? 443 : 0;
}

static bool read_origin(struct slice text, struct place *out) {
    char copy[HOST_SIZE + sizeof out->scheme];
    if (text.len >= sizeof copy)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    char *host = strstr(copy, "://");
    if (host == NULL || host == copy || host - copy >= (ptrdiff_t)sizeof out->scheme)
        return false;
    *host = '\0';
    for (size_t i = 0; i <= (size_t)(host - copy); i++)
        out->scheme[i] = (char)tolower((unsigned char)copy[i]);
    out->port = scheme_port(out->scheme);
    return read_host(host + 3, out);
}

static bool same_host(const struct place *a, const struct place *b) {
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* --- the list -------------------------------------------------------------------------------
 */

/* Takes the next origin off the front of a list that is not empty. */
static struct slice next_origin(const char **list) {
    *list += strspn(*list, ", ");
    struct slice one = {*list, strcspn(*list, ", ")};
    *list += one.len;
    *list += strspn(*list, ", ");
    return one;
}

/* An origin without a host: RFC 6454, 6.1, has "null" for pages that are files, which apps use,
 * but also for every sandboxed frame. */
static bool is_hostless(struct slice origin) {
    return slice_is(origin, "null") || slice_is(origin, "file://");
}

const char *origins_check(const char *list) {
    struct place place;
    if (strcmp(list, "*") == 0)
        return NULL;
    while (*list != '\0') {
        struct slice one = next_origin(&list);
        if (!is_hostless(one) && !read_origin(one, &place))
            return log_text("\"%.*s\": an origin is like https://example.org:8443, without a "
                            "path, or null for pages of files; or * alone for any",
                            (int)one.len, one.ptr);
    }
    return NULL;
}

static bool list_has(const char *list, struct slice origin) {
    struct place page, listed;
    bool has_host = read_origin(origin, &page);
    while (*list != '\0') {
        struct slice one = next_origin(&list);
        if (is_hostless(one)
                ? slice_eq(one, origin)
                : has_host && read_origin(one, &listed) &&
                      strcmp(page.scheme, listed.scheme) == 0 && same_host(&page, &listed))
            return true;
    }
    return false;
}

/* --- requests -------------------------------------------------------------------------------
 */

static bool is_own_page(const char *origin, const struct http_request *request) {
    const char *host = http_header(request, "host");
    struct place page, own;
    if (host == NULL || http_header_count(request, "origin") != 1 ||
        !read_origin(slice_of(origin), &page) || scheme_port(page.scheme) == 0)
        return false;
    own.port = scheme_port(page.scheme);
    return read_host(host, &own) && same_host(&page, &own);
}

static bool is_any(const struct origins *o) {
    return strcmp(o->list, "*") == 0;
}

bool origins_list(const struct origins *o, const struct http_request *request) {
    const char *origin = http_header(request, "origin");
    return is_any(o) || (origin != NULL && http_header_count(request, "origin") == 1 &&
                         list_has(o->list, slice_of(origin)));
}

bool origins_refuse(struct origins *o, const struct http_request *request) {
    const char *origin = http_header(request, "origin");
    const char *host = http_header(request, "host");
    if (origin == NULL || origins_list(o, request) || is_own_page(origin, request))
        return false;
    LOG(o->told ? LOG_DEBUG : LOG_WARN, "origin_refused", "origin", origin, "host", host, "do",
        "name it in --allowed-origins, if its pages may use this node", NULL);
    o->told = true;
    return true;
}

void origins_put_lines(const struct origins *o, const struct http_request *request,
                       struct buf *out) {
    bool any = is_any(o);
    if (any)
        buf_str(out, "Access-Control-Allow-Origin: *\r\n");
    else if (origins_list(o, request))
        buf_printf(out,
                   "Access-Control-Allow-Origin: %s\r\n"
                   "Access-Control-Allow-Credentials: true\r\n",
                   http_header(request, "origin"));
    if (!any && o->list[0] != '\0')
        buf_str(out, "Vary: Origin\r\n");
}
