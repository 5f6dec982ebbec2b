#ifndef SLUICE_DOORS_DOOR_H
#define SLUICE_DOORS_DOOR_H

#include "gateway/client/client.h"

/* What the doors of struct client share. */

/* Appends what a client is told of a failure: {"code","message","field"?,"outcome"?,"event"?,
 * "clientMessageId"?}.
 * event: NULL to leave it and the id out. */
void door_put_failure(struct buf *out, const struct failure *f, const char *event);

/* Its message; good until the next call. */
const char *door_failure_text(const struct failure *f);

/* Counts a delivery. encoded: there was memory to encode it; sent: it was queued. */
void door_count(const struct client *c, const struct message *m, bool encoded, bool sent);

#endif
