#ifndef SLUICE_NET_CONN_OUT_H
#define SLUICE_NET_CONN_OUT_H

#include "gateway/net/conn_state.h"

/* What a connection sends: its queue, and the flush at the end of the turn. */

/*
 * Queues a region, which is written at the end of the turn. Returns false without memory, or
 * when the connection is closed or ended.
 */
bool conn_send(struct conn *c, struct region r);
/* The same for a region that goes to many connections, which are written after all others. */
bool conn_send_wide(struct conn *c, struct region r);
/* The same with bytes, which are copied one part after the other. There may be no bytes at all.
 */
bool conn_send_parts(struct conn *c, const struct slice parts[], size_t count);
/* True if the peer is too slow for `len` more bytes, by queue_is_full (queue.h) with max_queue.
 * That rule always lets through what one turn has queued, and the messages that a client
 * missed. */
bool conn_is_full(struct conn *c, size_t len);
/* Forgets all that waits, except frames (or HTTP answers) of which a part was written. */
void conn_drop_queue(struct conn *c);
/* Calls on_drained once when the queue is empty. It comes in a later turn, even if the queue is
 * empty now. */
void conn_want_drained(struct conn *c);

/* The bytes that the peer has not received yet. They wait here or in the kernel. */
size_t conn_unsent(const struct conn *c);

/* Shuts our side down when all that is queued was written. The peer's bytes are still
 * delivered. */
void conn_end(struct conn *c);
/* Writes at once as much of the queue as the kernel takes, for a caller that is about to close
 * the connection. Returns true if something was queued. */
bool conn_push(struct conn *c);

/* Called by turn.c when the queue is to be written. When nothing is left in it, on_drained is
 * called if it was asked for. The connection must not be closed, and no write may be under way.
 */
void conn_flush(struct conn *c);

/* The peer's side has ended (TLS): tells the owner once all that came before was taken, which
 * is not so while the connection is paused. */
void conn_tell_end(struct conn *c);
/* The last bytes before the connection is closed: what TLS has to say, if the kernel takes it
 * at once. That is close_notify after all that was sent, or why the handshake failed. */
void conn_say_last(struct conn *c);
/* There is something to do for it at the end of the turn. */
void conn_dirty(struct conn *c);
/* Watches the socket for what `reading` and `writing` say. If the system has no memory for
 * that, the connection breaks at the end of the turn. */
void conn_watch(struct conn *c);
/* Nothing waits any more, or nobody wants it: gives the queue back. */
void conn_free_queue(struct conn *c);

#endif
