#ifndef SLUICE_NET_CONN_H
#define SLUICE_NET_CONN_H

#include "gateway/net/conn_out.h"

/* The life of a connection (conn_state.h), and what it reads. conn_out.h has what it sends. */

/* The address of the socket's other end, whatever `address` says. False: the socket is gone. */
bool conn_peer(const struct conn *c, struct conn_address *out);

/* Takes over a socket that was accepted from `from`, and does not block. The connection is
 * counted and is read at once, and belongs to `ops`. Returns NULL on failure; the socket is
 * then closed already. */
struct conn *conn_accept(struct net *n, int fd, const struct sockaddr *from,
                         const struct conn_ops *ops);

/* The connection speaks TLS. To be called for an accepted connection at once. Returns false
 * without memory; the connection is then of no use. */
bool conn_secure(struct conn *c, SSL_CTX *context);

/*
 * Connects to an address. The connection is counted at once, as DOOR_PEER. What is sent waits
 * until it is established, and `connecting` is false from then on. A failure calls on_end in a
 * later turn. The caller limits the time that it may take (conn_deadline). Returns NULL without
 * memory, without a descriptor, or without a route to the address.
 */
struct conn *conn_connect(struct net *n, const struct conn_address *to,
                          const struct conn_ops *ops, void *peer);

/* Hands the connection to another layer. */
static inline void conn_take(struct conn *c, const struct conn_ops *ops, void *peer) {
    c->ops = ops;
    c->peer = peer;
}

/* From now on the connection speaks another protocol, and is counted under that door. */
void conn_enter(struct conn *c, enum door_kind door);

/* Closes at once. on_closed comes in a later turn, and nothing else is called. reset: sends an
 * RST. */
void conn_close(struct conn *c, bool reset);

/* Stops and starts reading from the socket. */
void conn_pause(struct conn *c, bool pause);

/* The peer asks for too much: its socket is not read before `until` (ms of net_now), whatever
 * conn_pause says. 0: it may be read again. Returns true if it was read until now. Without
 * memory the connection is closed. */
bool conn_slow(struct conn *c, uint64_t until);
/* Passed to the poller: sockets of connections are ready. */
void conn_ready(void *conn, unsigned ready);
/* Called by turn.c after the sockets that were ready: on_closed of those that were closed. */
void conn_bury(struct net *n);
/* Called by turn.c at each tick: reads those again whose time has come. */
void conn_tick(struct net *n);

/* Called by turn.c at the end of a turn: what waited for a turn with time for handshakes is
 * read in the next one. */
void conn_shake_on(struct net *n);
/* The node is short of memory: ends the connection, as its layer does. */
void conn_shed(struct conn *c);

/* Sets, moves or (0) clears the one deadline, in ms of net_now. */
void conn_deadline(struct conn *c, uint64_t at);

#endif
