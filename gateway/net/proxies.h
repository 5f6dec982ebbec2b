#ifndef SLUICE_NET_PROXIES_H
#define SLUICE_NET_PROXIES_H

#include <stdbool.h>

#include "common/slice.h"
#include "gateway/net/conn_address.h"

/* Whose word on a client's address is believed: networks, from a list like
 * "127.0.0.0/8,::1,10.0.0.7". */
#define PROXIES_MOST 64

struct proxies {
    struct network {
        unsigned char ip[16]; /* IPv4 as ::ffff:a.b.c.d */
        unsigned char bits;   /* of the 128 */
    } all[PROXIES_MOST];
    unsigned count;
};

/* An address of nothing but zeros, which is what a connection by a path has, is trusted: who
 * may open the socket's file is the operator's choice. */
bool proxies_have(const struct proxies *p, const struct conn_address *a);
/* Fills *p, or returns what is wrong with the list. An empty one trusts nobody. */
const char *proxies_parse(struct proxies *p, const char *list);

/*
 * Follows a list of hops, "client, proxy, proxy", from its end: *at, the address that the
 * connection comes from, goes on to the hop before it while it is a trusted one. So it ends at
 * the last hop that is not trusted, or at the first of all. A hop may have a port, brackets and
 * a zone, which do not count. Returns false at a hop that cannot be read: *at is the one after
 * it then.
 */
bool proxies_follow(const struct proxies *p, struct slice hops, struct conn_address *at);

#endif
