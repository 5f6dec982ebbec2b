#ifndef SLUICE_EVENTS_ASK_PUBLISH_H
#define SLUICE_EVENTS_ASK_PUBLISH_H

#include "gateway/client/request.h"

/* publish-hook: what a client says goes out only when the back end lets it. */
struct said {
    struct slice channel; /* room:…, topic:…, user:RECEIVER, socket:… or all */
    struct slice data;    /* JSON: the bare content; or empty: */
    struct slice args;    /* a JSON array */
    struct slice bin;     /* or empty */
    struct slice id;      /* clientMessageId as it was written; or empty */
};

/*
 * To be called by an event's handler when all is read, and before it has done anything. Returns
 * true if the event waits, or has failed: the handler returns. When the back end has let it
 * pass, the handler is called again with the same data, and this returns false, with `data` and
 * `args` as the back end wants them (as long as the handler runs).
 *
 * Several messages of a client may be asked about at once; they go on in their order, and so do
 * those about which nobody asks.
 */
bool ask_publish(struct request *r, struct json_value event_data, struct said *said);

#endif
