#include "gateway/events/table.h"

#define EVENT_ROW(symbol, name, handler, flags, rights, payload)                               \
    {name, handler, flags, rights, payload, 0, 0},
const struct event_row event_rows[EVENT_COUNT] = {EVENT_TABLE(EVENT_ROW)};
#undef EVENT_ROW

void on_heartbeat(struct request *r, struct json_value data) {
    (void)data; /* heartbeat_heard was called already */
    request_ok(r, SLICE("{}"));
}
