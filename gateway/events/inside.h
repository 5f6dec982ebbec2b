#ifndef SLUICE_EVENTS_INSIDE_H
#define SLUICE_EVENTS_INSIDE_H

#include "gateway/client/request.h"

/* What is called with the answer to an append to a room, for which the script has asked whether
 * the client's user is a member. channel: the room's. */
redis_done inside_done(const struct request *r, struct slice channel);

/* Writes the data of a `join` or `leave` of that room to `text`, and reads it into *data.
 * False: no memory. */
bool inside_data(struct buf *text, struct slice room, struct json_value *data);

#endif
