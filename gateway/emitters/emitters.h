#ifndef SLUICE_EMITTERS_EMITTERS_H
#define SLUICE_EMITTERS_EMITTERS_H

#include "gateway/client/client.h"

/*
 * Emitters of Socket.IO (the option socketio-emitters): what they publish in Redis reaches the
 * sockets of this node, and what they order is done to them. Each node listens for itself, by
 * patterns, so servers of Socket.IO do not count nodes among those that are to answer them.
 *
 * A room's name there is here: `user:ID`, the inbox of that user; the id of a socket, that
 * socket; and else the room of that name, in which what no name may have is percent-encoded.
 */
struct emitters {
    struct clients *clients;
    struct buf tail; /* of the message under way: what stands after its time */
    struct event_row enter, leave;
};

/* The clients are borrowed. Returns 0 or UV_ENOMEM. */
int emitters_init(struct emitters *e, struct clients *clients);
void emitters_deinit(struct emitters *e);

#endif
