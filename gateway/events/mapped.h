#ifndef SLUICE_EVENTS_MAPPED_H
#define SLUICE_EVENTS_MAPPED_H

#include "gateway/client/event_map.h"

/* Handles an own event, by the line of the map that is its row (client/own.h makes its data).
 */
void on_mapped(struct request *r, struct json_value data);

#endif
