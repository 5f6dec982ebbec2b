#ifndef SLUICE_CLIENT_EARLY_H
#define SLUICE_CLIENT_EARLY_H

#include "gateway/client/client.h"

/*
 * Events that come before the login wait for it a little, at doors that say so, since clients
 * send first what they were given while they were away.
 */

/* True: the event waits; in order, 2 s after the first at most, 256 KiB all in all. What comes
 * when that is full is not taken, nor is anything after it. */
bool early_takes(struct client *c, const struct event_row *row, struct json_value data,
                 const struct ack *ack);
/* The client is logged in: they are the next events. */
void early_release(struct client *c);
/* They fail, in order. */
void early_fail(struct client *c, enum err err, enum outcome outcome);
/* The client's timer, before its login. False: none waits. */
bool early_timer(struct client *c);
void early_free(struct client *c);

#endif
