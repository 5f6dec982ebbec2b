#ifndef SLUICE_GATEWAY_TLS_H
#define SLUICE_GATEWAY_TLS_H

#include <openssl/ssl.h>

#include "common/buf.h"
#include "common/metrics.h"

/*
 * One end of a TLS connection, without a socket. Bytes of the peer go in and plain bytes come
 * out (tls_read); plain bytes go in and records for the peer come out (tls_write, `out`).
 * OpenSSL reads and writes through a BIO that has no memory of its own. Nothing here waits.
 */
struct tls {
    SSL *ssl;        /* NULL: not begun, or no memory */
    struct slice in; /* what OpenSSL has not taken yet of the bytes given to tls_read */
    struct buf out;  /* records for the peer; the owner takes them out */
    bool ended;      /* the peer has sent close_notify: nothing more comes from it */
    bool failed;
    enum tls_handshake trouble; /* of what kind the failure is, if it failed */
};

/* Begins. The context is referenced until tls_deinit. The struct must stay where it is. Returns
 * false without memory; tls_deinit is due all the same. */
bool tls_init(struct tls *t, SSL_CTX *context, bool server);
void tls_deinit(struct tls *t);

/* For a client: the name or the IP address for which the server's certificate must be. A name
 * is told to the server, too (SNI). Returns false without memory. */
bool tls_expect(struct tls *t, const char *host);

/* True once the handshake is done. */
static inline bool tls_is_open(const struct tls *t) {
    return t->ssl != NULL && SSL_is_init_finished(t->ssl);
}

/*
 * Takes bytes of the peer, at most TLS_READ_MOST, and goes on with the handshake, or decrypts
 * all of them. A client begins with no bytes. *plain: what the peer said, maybe nothing. It is
 * valid until the next call for any connection. Afterwards `ended` or `failed` may be set, and
 * further bytes are ignored then. There may be records in `out`, also after a failure: an alert
 * that tells it to the peer.
 */
#define TLS_READ_MOST 65536
void tls_read(struct tls *t, struct slice in, struct slice *plain);
/* What failed in the last tls_read that failed: a text that is valid until the fourth call of
 * log_text from now. */
const char *tls_why(const struct tls *t);

/* Encrypts into `out`, with a record for every TLS_RECORD bytes. The handshake must be done.
 * Returns false if it failed, for want of memory or because tls_end was called. */
#define TLS_RECORD 16384
bool tls_write(struct tls *t, struct slice plain);

/* Puts close_notify into `out`: nothing more will be said. The peer may go on. Does nothing
 * when called again, or before the handshake is done. */
void tls_end(struct tls *t);

#endif
