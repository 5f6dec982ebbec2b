#include "gateway/pages/pages.h"

#define PLAIN "text/plain; charset=utf-8"

#define FILE_LINES                                                                             \
    "Content-Security-Policy: default-src 'self'; connect-src 'self'; base-uri 'none'; "       \
    "form-action 'none'; frame-ancestors 'none'\r\n"                                           \
    "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"                      \
    "Cache-Control: no-cache\r\n"

bool pages_have(struct slice path) {
    return asset_find(path) != NULL;
}

bool pages_are_shared(struct slice path) {
    const struct asset *a = asset_find(path);
    return bundle_has_path(path) || (a != NULL && a->shared);
}

static void serve(const struct http_request *request, const struct asset *a) {
    struct buf extra;
    bool known = asset_is_known(a, http_header(request, "if-none-match"));
    buf_init(&extra);
    buf_str(&extra, FILE_LINES);
    if (a->etag[0] != '\0')
        buf_printf(&extra, "ETag: %s\r\n", a->etag);
    buf_char(&extra, '\0');
    if (extra.failed)
        http_answer(request, 503, PLAIN, SLICE("out of memory\n"), NULL);
    else if (known)
        http_answer(request, 304, NULL, SLICE(""), extra.data);
    else
        http_answer(request, 200, a->type, a->bytes, extra.data);
    buf_deinit(&extra);
}

void pages_answer(const struct http_request *request, bool by_token) {
    bool asks = by_token && slice_is(request->path, "/asks.js");
    serve(request, asset_find(asks ? SLICE("/asks-token.js") : request->path));
}

void pages_answer_bundle(const struct bundle *b, const struct http_request *request) {
    const struct asset *a = bundle_find(b, request->path);
    if (a != NULL)
        serve(request, a);
    else if (b->count > 0)
        http_answer(request, 404, PLAIN,
                    SLICE("the directory of the option socketio-client has no such file\n"),
                    NULL);
    else
        http_answer(request, 404, PLAIN,
                    SLICE("this node does not serve the client of Socket.IO: the option "
                          "socketio-client names the directory that has it\n"),
                    NULL);
}
