#ifndef SLUICE_CLIENT_DESCRIBE_H
#define SLUICE_CLIENT_DESCRIBE_H

#include "gateway/client/client.h"

/* Appends what a back end is told of a connection, as members of an object, with a comma before
 * each: user, identity, username, role, socket, node, door, namespace, rooms, state. */
#define DESCRIBED_ROOMS 100
void client_describe(struct buf *out, const struct client *c);

#endif
