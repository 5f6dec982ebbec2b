#ifndef SLUICE_NET_WS_HANDSHAKE_H
#define SLUICE_NET_WS_HANDSHAKE_H

#include "common/ws.h"
#include "common/ws_extension.h"
#include "gateway/net/http.h"

/* The handshake of a WebSocket (RFC 6455, 4.2): what a request must have, and the head of the
 * answer that agrees to it. */
#define WS_PROTOCOL_MAX 128
#define WS_HEAD_SIZE    (256 + WS_PROTOCOL_MAX + WS_EXTENSION_SIZE)

struct ws_handshake {
    char accept[WS_ACCEPT_SIZE];
    char protocol[WS_PROTOCOL_MAX + 1]; /* that is agreed to; empty: none */
    unsigned char window; /* permessage-deflate is agreed to (ws_extension.h), or 0 */
};

/* Returns true if the request may become a WebSocket, else answers it with the reason why not.
 */
bool ws_handshake_read(struct ws_handshake *h, const struct http_request *request);

/* Writes the whole head of the answer. */
struct slice ws_handshake_head(const struct ws_handshake *h, char out[WS_HEAD_SIZE]);

/* The next subprotocol of a list such as "sluice, chat", without blanks round it; its length is
 * 0 when there is none any more. *at moves on. */
struct slice ws_protocol_next(const char **at);
/* Some clients send a token among the subprotocols, as `bearer.TOKEN`. */
bool ws_protocol_is_bearer(struct slice protocol);

#endif
