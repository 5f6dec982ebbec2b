#ifndef SLUICE_SOCKETIO_RELAY_HEAD_H
#define SLUICE_SOCKETIO_RELAY_HEAD_H

#include "gateway/net/http.h"

/*
 * The head of a request that one node hands over to another. It is written again with the
 * target, the header fields that the other node reads, and the key. The other fields were for
 * this node, or for the proxy.
 */

/* The line with this name has the key, and ends the head. */
#define RELAY_HEADER "Sluice-Handover"

/* Appends a request's head up to the key. */
void relay_head_put(struct buf *out, const struct http_request *request, struct slice target);
/* The same for a POST without a body, which says that the client has given its request up. */
void relay_head_put_give_up(struct buf *out, struct slice target);

/* True for a request that has the line, whatever the key is. */
bool relay_head_is_marked(const struct http_request *request);
/* True if it also has this key. */
bool relay_head_has_key(const struct http_request *request, const char *key);

#endif
