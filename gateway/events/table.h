#ifndef SLUICE_EVENTS_TABLE_H
#define SLUICE_EVENTS_TABLE_H

#include "gateway/client/request.h"

/* The row of each event, in the order of EVENT_TABLE. */
extern const struct event_row event_rows[EVENT_COUNT];

#endif
