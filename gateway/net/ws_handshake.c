#include "gateway/net/ws_handshake.h"

#include <stdio.h>
#include <strings.h>

#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define BEARER  "bearer."

static bool refuse(const struct http_request *request, int status, const char *why,
                   const char *extra) {
    http_answer(request, status, "text/plain", slice_of(why), extra);
    return false;
}

/* --- subprotocols ---------------------------------------------------------------------------
 */

struct slice ws_protocol_next(const char **at) {
    *at += strspn(*at, " \t,");
    struct slice item = {*at, strcspn(*at, ",")};
    *at += item.len;
    while (item.len > 0 && strchr(" \t", item.ptr[item.len - 1]) != NULL)
        item.len--;
    return item;
}

bool ws_protocol_is_bearer(struct slice protocol) {
    size_t len = sizeof BEARER - 1;
    return protocol.len >= len && strncasecmp(protocol.ptr, BEARER, len) == 0;
}

/* RFC 9110, 5.6.2. */
static bool is_token(struct slice s) {
    static const char allowed[] = "!#$%&'*+-.^_`|~0123456789"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    return strspn(s.ptr, allowed) >= s.len;
}

/* Agrees to the first subprotocol that the request names, since a browser gives up when none is
 * accepted. A token, which a client sends among the subprotocols, is not one of them. */
static void choose_protocol(struct ws_handshake *h, const struct http_request *request) {
    struct buf all;
    buf_init(&all);
    http_header_join(request, "sec-websocket-protocol", &all);
    h->protocol[0] = '\0';
    const char *at = all.failed || all.len == 0 ? "" : all.data;
    for (struct slice p; (p = ws_protocol_next(&at)).len > 0 && h->protocol[0] == '\0';) {
        if (p.len <= WS_PROTOCOL_MAX && is_token(p) && !ws_protocol_is_bearer(p))
            snprintf(h->protocol, sizeof h->protocol, "%.*s", (int)p.len, p.ptr);
    }
    buf_deinit(&all);
}

/* --- extensions -----------------------------------------------------------------------------
 */

static void choose_extension(struct ws_handshake *h, const struct http_request *request) {
    struct buf all;
    h->window = 0;
    if (!request->conn->net->deflates)
        return;
    buf_init(&all);
    http_header_join(request, "sec-websocket-extensions", &all);
    if (!all.failed && all.len > 0)
        h->window = (unsigned char)ws_extension_choose(slice_of(all.data));
    buf_deinit(&all);
}

/* --- the request, the answer ----------------------------------------------------------------
 */

bool ws_handshake_read(struct ws_handshake *h, const struct http_request *request) {
    const char *version = http_header(request, "sec-websocket-version");
    const char *key = http_header(request, "sec-websocket-key");
    if (!slice_is(request->method, "GET"))
        return refuse(request, 405, "a WebSocket begins with GET\n", "Allow: GET\r\n");
    if (!request->upgrade)
        return refuse(request, 426, "this path speaks WebSocket\n", UPGRADE);
    if (http_header_count(request, "sec-websocket-version") != 1 || strcmp(version, "13") != 0)
        return refuse(request, 426, "version 13 is spoken here\n",
                      UPGRADE "Sec-WebSocket-Version: 13\r\n");
    if (http_header_count(request, "sec-websocket-key") != 1 || !ws_key_valid(slice_of(key)))
        return refuse(request, 400, "Sec-WebSocket-Key must be 16 bytes in base64\n", NULL);
    ws_accept(h->accept, slice_of(key));
    choose_protocol(h, request);
    choose_extension(h, request);
    return true;
}

struct slice ws_handshake_head(const struct ws_handshake *h, char out[WS_HEAD_SIZE]) {
    bool agrees = h->protocol[0] != '\0';
    char extension[WS_EXTENSION_SIZE] = "";
    if (h->window != 0)
        ws_extension_answer(extension, h->window);
    int len = snprintf(out, WS_HEAD_SIZE,
                       "HTTP/1.1 101 Switching Protocols\r\n" UPGRADE
                       "Sec-WebSocket-Accept: %s\r\n%s%s%s%s%s%s\r\n",
                       h->accept, agrees ? "Sec-WebSocket-Protocol: " : "", h->protocol,
                       agrees ? "\r\n" : "", h->window != 0 ? "Sec-WebSocket-Extensions: " : "",
                       extension, h->window != 0 ? "\r\n" : "");
    return (struct slice){out, (size_t)len};
}
