#ifndef SLUICE_GATEWAY_TLS_CONTEXT_H
#define SLUICE_GATEWAY_TLS_CONTEXT_H

#include <openssl/ssl.h>
#include <stdint.h>

/*
 * What the connections of one side share: the certificate, the key and the authorities that it
 * trusts, read from PEM files. TLS 1.2 and 1.3 are spoken, without renegotiation and
 * compression. A context belongs to the caller (SSL_CTX_free); each struct tls has a reference.
 */
struct tls_files {
    const char *cert; /* a chain, the own certificate first; "": none */
    const char *key;  /* of the first certificate; "": none, if there is no cert */
    const char *ca;   /* authorities that are trusted; "": see below */
};

/* Which file is at fault, and what is wrong with it: valid until the fourth call of log_text
 * from now. */
enum tls_file { TLS_FILE_CERT, TLS_FILE_KEY, TLS_FILE_CA };
struct tls_fault {
    enum tls_file file;
    const char *why;
};

/* For a listener, which has a certificate. ca: with it each client needs a certificate of one
 * of these authorities. Returns NULL after a mistake, and fills in *fault. */
SSL_CTX *tls_context_server(const struct tls_files *files, struct tls_fault *fault);
/* For a client, which checks the server's certificate. ca: in place of the authorities that the
 * system trusts. cert, key: its own, for a server that wants one. Returns as above. */
SSL_CTX *tls_context_client(const struct tls_files *files, struct tls_fault *fault);

/* When the first of the context's own certificates expires, in seconds since 1970. 0: it has
 * none. */
int64_t tls_context_expires(SSL_CTX *context);

/* New keys for the tickets with which clients resume sessions. Earlier tickets are worth
 * nothing afterwards, and their clients make a whole handshake. */
void tls_context_renew(SSL_CTX *context);

#endif
