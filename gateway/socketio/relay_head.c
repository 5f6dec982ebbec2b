#include "gateway/socketio/relay_head.h"

#include <openssl/crypto.h>

static void put_header(struct buf *out, const struct http_request *request, const char *name) {
    const char *value = http_header(request, name);
    if (value != NULL)
        buf_printf(out, "%s: %s\r\n", name, value);
}

/* Extensions may be offered in several headers. */
static void put_extensions(struct buf *out, const struct http_request *request) {
    struct buf all;
    buf_init(&all);
    http_header_join(request, "Sec-WebSocket-Extensions", &all);
    if (all.failed)
        out->failed = true;
    else if (all.len > 0)
        buf_printf(out, "Sec-WebSocket-Extensions: %s\r\n", all.data);
    buf_deinit(&all);
}

static void put_length(struct buf *out, const struct http_request *request) {
    if (request->length == HTTP_CHUNKED)
        buf_str(out, "Transfer-Encoding: chunked\r\n");
    else
        buf_printf(out, "Content-Length: %llu\r\n", (unsigned long long)request->length);
}

void relay_head_put(struct buf *out, const struct http_request *request, struct slice target) {
    buf_slice(out, request->method);
    buf_char(out, ' ');
    buf_slice(out, target);
    buf_str(out, " HTTP/1.1\r\n");
    if (http_header(request, "Host") != NULL)
        put_header(out, request, "Host");
    else
        buf_str(out, "Host: sluice\r\n"); /* an HTTP/1.0 request may have none */
    put_header(out, request, "Origin");
    if (request->upgrade) {
        buf_str(out, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
        put_header(out, request, "Sec-WebSocket-Version");
        put_header(out, request, "Sec-WebSocket-Key");
        put_header(out, request, "Sec-WebSocket-Protocol");
        put_extensions(out, request);
    } else if (!slice_is(request->method, "GET")) {
        put_length(out, request);
    }
}

void relay_head_put_give_up(struct buf *out, struct slice target) {
    buf_str(out, "POST ");
    buf_slice(out, target);
    buf_str(out, " HTTP/1.1\r\nHost: sluice\r\nContent-Length: 0\r\n");
}

bool relay_head_is_marked(const struct http_request *request) {
    return http_header(request, RELAY_HEADER) != NULL;
}

bool relay_head_has_key(const struct http_request *request, const char *key) {
    const char *given = http_header(request, RELAY_HEADER);
    size_t len = strlen(key);
    return given != NULL && strlen(given) == len && CRYPTO_memcmp(given, key, len) == 0;
}
