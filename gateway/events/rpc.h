#ifndef SLUICE_EVENTS_RPC_H
#define SLUICE_EVENTS_RPC_H

#include "gateway/client/event_map.h"

/*
 * Asks the back end of a line what becomes of an own event, and does what it answers: leave,
 * join, emit, ack, state, disconnect, in this order. The first that fails is the event's error.
 * data: as on_mapped has it. id: "<user>:<clientMessageId>", so that a repeat is told to the
 * back end as one; or empty.
 */
void rpc_begin(struct request *r, const struct map_line *line, struct json_value data,
               struct slice id);

#endif
