#ifndef SLUICE_EVENTS_RPC_H
#define SLUICE_EVENTS_RPC_H

#include "gateway/client/event_map.h"
#include "gateway/hooks/hooks.h"

/*
 * Asks the back end of a line what becomes of an own event, and does what it answers: leave,
 * join, emit, ack, state, disconnect, in this order. The first that fails is the event's error.
 * data: as on_mapped has it. id: "<user>:<clientMessageId>", so that a repeat is told to the
 * back end as one; or empty.
 */
void rpc_begin(struct request *r, const struct map_line *line, struct json_value data,
               struct slice id);

/* The id of an own event for a back end. A repeat has the same one: it is a hash of the user,
 * the event and what it calls itself (id); or without that, a new one. False: no memory. */
bool rpc_id(char out[HOOK_ID_SIZE], struct slice event, struct slice id);

#endif
