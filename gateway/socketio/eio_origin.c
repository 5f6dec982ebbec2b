#include "gateway/socketio/eio_origin.h"

#include "gateway/socketio/eio_answer.h"

void eio_origin_lines(const struct origins *o, const struct http_request *request,
                      struct buf *out) {
    buf_str(out, "Cache-Control: no-store\r\n");
    origins_put_lines(o, request, out);
}

/* Browsers ask this before a request that is not simple. */
void eio_origin_preflight(const struct origins *o, const struct http_request *request) {
    const char *wanted = http_header(request, "access-control-request-headers");
    struct buf extra;
    struct slice none = {NULL, 0};
    buf_init(&extra);
    buf_str(&extra, "Allow: GET, POST, OPTIONS\r\n");
    if (origins_list(o, request)) {
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
