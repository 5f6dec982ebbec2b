#ifndef SLUICE_LOGIN_TOLD_H
#define SLUICE_LOGIN_TOLD_H

#include "gateway/client/client.h"

/*
 * Memberships that a back end made or ended (api/membership.h). They are entries of the user's
 * inbox, so each connection hears of them, also one that was away: `joined` with the room and a
 * position in its log, or `userLeft` with the user's own id.
 */

/* The message is about to be delivered to the client. If it is such an entry, the client enters
 * the room, from that position on, or leaves it. False: the client has no right to the room,
 * and does not get the message. */
bool told_takes(struct client *c, const struct message *m);

#endif
