#ifndef SLUICE_CLIENT_EARLY_H
#define SLUICE_CLIENT_EARLY_H

#include "gateway/client/client.h"

/*
 * At a door with `waits_for_login`, events that come before the login wait for it a short time.
 */

/* True: the event waits. Events wait in order, until 2 s after the first, with 256 KiB in all.
 * When that is full, no event is taken any more, so that none overtakes another. */
bool early_takes(struct client *c, const struct event_row *row, struct json_value data,
                 const struct ack *ack);
/* The client is logged in. The events that waited are its next ones. */
void early_release(struct client *c);
/* Fails the events that wait, in order. */
void early_fail(struct client *c, enum err err, enum outcome outcome);
/* The client's timer has fired, before its login. False: it was for the login's deadline. */
bool early_timer(struct client *c);
void early_free(struct client *c);

#endif
