#ifndef SLUICE_CHANNEL_FILTER_H
#define SLUICE_CHANNEL_FILTER_H

#include "gateway/channel/message.h"
#include "gateway/channel/subscriber.h"

/* Does this subscriber get the message, as far as its head says (PROTOCOL.md)? An own event
 * reaches the sockets of its namespace, but for the one that sent it to the `others`, and for
 * those in its `except`. Every other message passes. */
bool filter_passes(const struct message *m, const struct subscriber *s);
/* Is that the id of this socket, or of one that it has recovered? */
bool filter_is_socket(const struct subscriber *s, struct slice id);
/* Is the subscriber one of those in a JSON array of "user:…" and "socket:…"? */
bool filter_excepts(const struct subscriber *s, struct slice except);

#endif
