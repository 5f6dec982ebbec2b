#ifndef SLUICE_NODE_SECURE_H
#define SLUICE_NODE_SECURE_H

#include "gateway/options.h"
#include "gateway/tls_context.h"

/*
 * The certificates of a node: what the options tls-… give to its listener, and redis-… to its
 * links. They are read at the start and at each reload. Connections that stand keep those that
 * they began with.
 */
struct secure {
    SSL_CTX *server;  /* NULL: the port is plain */
    SSL_CTX *client;  /* NULL: Redis is not spoken to by TLS */
    int64_t expires;  /* of the server's certificates, seconds since 1970; 0: none */
    uint64_t renewed; /* loop time at which the keys of tickets were made */
};

/* Reads the files. Returns what is wrong, with the option and its value, or NULL. The text is
 * valid until the fourth call of log_text from now. */
const char *secure_check(const struct options *o, const char **flag, const char **value);
/* The same for Redis alone: *out is what links speak TLS with, which the caller frees, or NULL
 * for plain ones. */
const char *secure_redis(const struct options *o, SSL_CTX **out, const char **flag,
                         const char **value);
/* Reads them again, and uses them from now on. What cannot be read is logged, and stays as it
 * was. now: loop time. */
void secure_apply(struct secure *s, const struct options *o, uint64_t now);
/* Logs which certificate the port shows, and until when. */
void secure_tell(const struct secure *s, const struct options *o);
/* Called from time to time: renews the keys of tickets twice a day. */
void secure_tick(struct secure *s, uint64_t now);
void secure_deinit(struct secure *s);

#endif
