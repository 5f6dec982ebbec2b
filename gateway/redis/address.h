#ifndef SLUICE_REDIS_ADDRESS_H
#define SLUICE_REDIS_ADDRESS_H

#include <stdbool.h>

/* Where a Redis is and how to log in there. */
struct redis_address {
    char host[256]; /* a name or an address; the path when `path` is set */
    bool path;
    bool tls; /* rediss:// */
    int port;
    int database;
    char user[128];
    char password[512];
};

/*
 * Reads redis://[USER:PASSWORD@]HOST[:PORT][/DB], the same with rediss:// for TLS, or
 * unix://[USER:PASSWORD@]/PATH[?db=DB]; the user and password may be percent-encoded. Returns
 * NULL, or an error text.
 */
const char *redis_address_parse(struct redis_address *a, const char *url);

#endif
