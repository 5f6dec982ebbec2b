#ifndef SLUICE_COMMON_WS_EXTENSION_H
#define SLUICE_COMMON_WS_EXTENSION_H

#include "common/slice.h"

/*
 * The negotiation of permessage-deflate (RFC 7692, 7.1; RFC 6455, 9.1). A server's answer
 * always says that neither side takes a context over, which any client that knows the extension
 * agrees to. The bits of a window are the promise of server_max_window_bits: that no message
 * that is sent refers back over more than 2^bits bytes of itself.
 */
#define WS_WINDOW_LEAST 8
#define WS_WINDOW_ANY   16 /* the client asked for no such promise */

/*
 * Chooses the first offer that can be served of the values of Sec-WebSocket-Extensions (several
 * headers with commas between them). Returns 8 to 15, WS_WINDOW_ANY, or 0: there is no such
 * offer. Other extensions, and offers with a parameter that is unknown, comes twice, or has a
 * value that RFC 7692 does not allow, are passed over. A list that is no list has no offer.
 */
unsigned ws_extension_choose(struct slice offers);

/* Writes the value of the answer's Sec-WebSocket-Extensions for what was chosen, with a NUL. */
#define WS_EXTENSION_SIZE 112
void ws_extension_answer(char out[WS_EXTENSION_SIZE], unsigned window);

#endif
