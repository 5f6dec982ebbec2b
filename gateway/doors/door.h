#ifndef SLUICE_DOORS_DOOR_H
#define SLUICE_DOORS_DOOR_H

#include "gateway/client/client.h"

/* The functions that the doors of struct client share. A door is the protocol by which clients
 * come in. */

/* Appends the object that tells a client of a failure:
 * {"code","message","field"?,"outcome"?,"event"?, "clientMessageId"?}. event: NULL leaves it
 * and the id out. */
void door_put_failure(struct buf *out, const struct failure *f, const char *event);

/* The failure's message, valid until the next call. */
const char *door_failure_text(const struct failure *f);

/* Is the message kept from the client? Where `builtin` is `none`, what Sluice sends of itself
 * is, but for `error` and `message`. */
bool door_withholds(struct client *c, const struct message *m);

/* From here on close codes say why a user may not go on. */
#define CLOSE_FOR_GOOD 4000
/* How a connection ends that is closed here with that code. */
enum client_end door_end(uint16_t code);

/* Counts a delivery. encoded: there was memory to encode the message; sent: it was queued. */
void door_count(const struct client *c, const struct message *m, bool encoded, bool sent);

#endif
