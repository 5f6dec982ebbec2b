#include "gateway/net/http_head.h"

#include <time.h>

static const char *reason(int status) {
    switch (status) {
    case 200:
        return "OK";
    case 204:
        return "No Content";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 413:
        return "Content Too Large";
    case 426:
        return "Upgrade Required";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Internal Server Error";
    }
}

/* The Date line (RFC 9110, 6.6.1). It is formatted at most once a second. */
static const char *date_line(void) {
    static char line[40];
    static time_t made;
    time_t now = time(NULL);
    struct tm utc;
    if (now != made && gmtime_r(&now, &utc) != NULL) {
        made = now;
        strftime(line, sizeof line, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
    }
    return line;
}

bool http_status_has_body(int status) {
    return status != 204 && status != 304;
}

void http_head_put(struct buf *out, int status, const char *type, size_t body_len, bool keep) {
    buf_printf(out, "HTTP/1.1 %d %s\r\n%s", status, reason(status), date_line());
    if (type != NULL)
        buf_printf(out, "Content-Type: %s\r\n", type);
    if (http_status_has_body(status))
        buf_printf(out, "Content-Length: %zu\r\n", body_len);
    if (!keep)
        buf_str(out, "Connection: close\r\n");
}
