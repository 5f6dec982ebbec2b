#ifndef SLUICE_CLIENT_OWN_H
#define SLUICE_CLIENT_OWN_H

#include "gateway/client/event_map.h"
#include "gateway/options.h"

/* An application's own event, as a door has got it. */
struct own_event {
    struct slice name;
    struct slice args;    /* its arguments, raw, without brackets: "1,\"a\"" */
    struct slice bin;     /* their attachments: a JSON array of base64; or empty */
    struct json_value id; /* its clientMessageId; JSON_NONE: that of its first argument, or what
                           * the line picks */
};

/* Is the name one that only Sluice itself may give to an event in that namespace? */
bool event_reserved(const struct options *o, struct slice event, struct slice nsp);
/* Checks what of a map the lines alone do not tell: names that are reserved, URLs. Returns
 * NULL, or what is wrong (valid until four more texts are made by log_text). */
const char *event_map_check(const struct event_map *m, const struct options *o);

/* The line of the map by which an event of this client goes. NULL: the event is one of
 * EVENT_TABLE, or there is no line for it. */
const struct map_line *client_line(const struct client *c, struct slice event);

/* As client_event, for an event that goes by a line. */
void client_own_event(struct client *c, const struct map_line *line, const struct own_event *e,
                      const struct ack *ack);

#endif
