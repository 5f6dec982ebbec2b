#ifndef SLUICE_NET_PROXIES_H
#define SLUICE_NET_PROXIES_H

#include <stdbool.h>

#include "common/slice.h"
#include "gateway/net/conn_address.h"

/* The proxies that are trusted to tell a client's address: networks, from a list like
 * "127.0.0.0/8,::1,10.0.0.7". */
#define PROXIES_MOST 64

struct proxies {
    struct network {
        unsigned char ip[16]; /* IPv4 as ::ffff:a.b.c.d */
        unsigned char bits;   /* of the 128 */
    } all[PROXIES_MOST];
    unsigned count;
};

/* True if the address is trusted. The address of all zeros, which a connection over a Unix
 * socket has, is always trusted: the operator decides which users may open the socket's file.
 */
bool proxies_have(const struct proxies *p, const struct conn_address *a);
/* Fills *p and returns NULL, or returns what is wrong with the list. An empty list trusts no
 * network. */
const char *proxies_parse(struct proxies *p, const char *list);

/*
 * Follows a list of hops, "client, proxy, proxy", from its end. *at is the address from which
 * the connection comes. While it is trusted, it moves to the hop before it. So it ends at the
 * last hop that is not trusted, or at the first of the list. A hop may have a port, brackets
 * and a zone, which are ignored. Returns false at a hop that cannot be read; *at is then the
 * hop after it.
 */
bool proxies_follow(const struct proxies *p, struct slice hops, struct conn_address *at);

#endif
