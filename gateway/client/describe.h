#ifndef SLUICE_CLIENT_DESCRIBE_H
#define SLUICE_CLIENT_DESCRIBE_H

#include "gateway/client/client.h"

/* Appends what a back end is told of a connection, as members of an object, with a comma before
 * each: user, identity, username, role, socket, node, door, namespace, rooms, state. */
#define DESCRIBED_ROOMS 100
void client_describe(struct buf *out, const struct client *c);
/* The same with other rooms, which client_put_rooms has written. */
void client_describe_in(struct buf *out, const struct client *c, struct slice rooms);
/* Appends ,"rooms":[...]. */
void client_put_rooms(struct buf *out, const struct client *c);

/* Whose turn a call to a back end takes: the user's, or the address's of a guest (of IPv6 the
 * first 64 bits). */
struct slice client_turn(const struct client *c, char out[64]);

/* The same of an address, as conn_address_text writes it, which is cut for that. */
struct slice address_turn(char address[64]);

#endif
