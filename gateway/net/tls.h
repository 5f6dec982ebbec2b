#ifndef SLUICE_NET_TLS_H
#define SLUICE_NET_TLS_H

#include "gateway/net/conn_address.h"
#include "gateway/net/net.h"
#include "gateway/tls.h"

/*
 * TLS under a connection of a client. What the connection's owner sends stays shared regions of
 * plain bytes until the flush, which encrypts a record at a time. It knows no socket: conn.c
 * reads and writes.
 *
 * Handshakes cost much (a signature is some 50 µs to 1 ms), so a turn of the loop has a budget
 * for them. When it is spent, connections whose handshake goes on are not read until a later
 * turn: their bytes wait in the kernel.
 */
struct conn_tls {
    struct tls tls; /* begins with the first byte, so that a silent peer costs little */
    SSL_CTX *context;
    struct conn *conn;
    struct list link;   /* in net->shaking, while it waits for a turn with some budget */
    struct buf writing; /* records of which the kernel has not taken all yet */
    size_t written;     /* of these bytes it has taken so many */
    size_t sealed;      /* the first bytes of the queue, which these records have */
    int end;            /* the status with which the peer's side has ended; 0: it has not */
    bool end_told : 1;  /* to the connection's owner */
    bool shaken : 1;    /* the handshake is over, well or not, and was counted */
    bool heard : 1;     /* the peer has sent something */
};

/* Returns NULL without memory. */
struct conn_tls *conn_tls_make(SSL_CTX *context, struct conn *c);
void conn_tls_free(struct conn_tls *t);

/* About how much memory OpenSSL has for the connection, without what is being sent. */
size_t conn_tls_held(const struct conn_tls *t);

/* True while the handshake goes on and this turn has no time left for it. */
bool conn_tls_must_wait(const struct net *n, const struct conn_tls *t);

/* What the peer sent, at most TLS_READ_MOST bytes. *plain is what it said, valid until the next
 * call for any connection. A failure or the end of its side sets `end`. Something may be there
 * to be written afterwards (conn_tls_seal). from: for the log. */
void conn_tls_read(struct net *n, struct conn_tls *t, struct slice bytes,
                   const struct conn_address *from, struct slice *plain);
/* The socket has nothing more to read: UV_EOF or an error. Sets `end`, if it was not set. */
void conn_tls_ended(struct net *n, struct conn_tls *t, int status,
                    const struct conn_address *from);
/* The connection is being closed here. A handshake under way is counted as given up. */
void conn_tls_closing(struct net *n, struct conn_tls *t, const struct conn_address *from);

/*
 * Puts the next record into tls.out, which may have others already: it has the first bytes of
 * the queue, or close_notify after the last one (`ends`). The bytes stay in the queue. Returns
 * how many they are; SIZE_MAX: it failed. Before the handshake is done there are none.
 */
size_t conn_tls_seal(struct conn_tls *t, const struct out_queue *q, bool ends);

#endif
