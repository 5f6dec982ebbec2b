#ifndef SLUICE_REDIS_ADDRESS_H
#define SLUICE_REDIS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define REDIS_HOST_SIZE 256

/* Where a Redis or a Sentinel is and how to log in there. */
struct redis_address {
    char host[REDIS_HOST_SIZE]; /* a name or an address; the path when `path` is set */
    bool path;
    bool tls;      /* rediss:// */
    bool sentinel; /* it leads to a Sentinel */
    bool cluster;  /* it leads to a node of a Cluster */
    bool any_role; /* a replica will do, too */
    int port;
    int database;
    char user[128];
    char password[512];
};

/* Where a server is: a name or an address, and a port. */
struct redis_place {
    char host[REDIS_HOST_SIZE];
    int port;
};
static inline bool redis_place_same(const struct redis_place *a, const struct redis_place *b) {
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}
/* The Sentinels that a URL names, and the master that they watch; or some nodes of a Cluster.
 */
#define SENTINELS_MOST 16
struct redis_seeds {
    char master[128]; /* "" if the URL names no Sentinels */
    size_t count;
    struct redis_place all[SENTINELS_MOST];
};

/* HOST:PORT, with brackets about an IPv6 address; valid until the fourth call of log_text from
 * now. */
const char *redis_host_text(const char *host, int port);
static inline const char *redis_place_text(const struct redis_place *p) {
    return redis_host_text(p->host, p->port);
}

/* What a URL is, by its scheme alone: TLS; with Sentinels; a Cluster. */
bool redis_address_secure(const char *url);
bool redis_address_sentinels(const char *url);
bool redis_address_cluster(const char *url);

/*
 * Reads redis://[USER:PASSWORD@]HOST[:PORT][/DB], the same with rediss:// for TLS,
 * unix://[USER:PASSWORD@]/PATH[?db=DB], or
 * redis+sentinel://[USER:PASSWORD@]HOST[:PORT],.../NAME with [/DB], or
 * redis+cluster://[USER:PASSWORD@]HOST[:PORT],... (rediss+... for TLS). The user and password
 * may be percent-encoded. With Sentinels or a Cluster the host of `a` is "", since they tell
 * it, and the login is that of the Redis. Returns NULL, or an error text.
 */
const char *redis_address_parse(struct redis_address *a, struct redis_seeds *s,
                                const char *url);

#endif
