#ifndef SLUICE_NET_CONN_ADDRESS_H
#define SLUICE_NET_CONN_ADDRESS_H

#include <sys/socket.h>

#include "common/slice.h"

/* The IP address and the port of a client or of a node. */
struct conn_address {
    unsigned char ip[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint16_t port;
};

/* Writes "127.0.0.1:5000" or "[::1]:5000"; "unix" if there is no address. */
#define CONN_ADDRESS_SIZE 64
void conn_address_text(const struct conn_address *a, char out[CONN_ADDRESS_SIZE]);
/* True if it is all zeros, as it is for a connection over a Unix socket. */
bool conn_address_is_none(const struct conn_address *a);
bool conn_address_is_ip4(const struct conn_address *a);
void conn_address_set(struct conn_address *a, const struct sockaddr *from);
/* Reads an address without a port. */
bool conn_address_parse(struct conn_address *a, const char *text);
/* Reads an address with a port, as conn_address_text writes it. */
bool conn_address_read(struct conn_address *a, struct slice text);
void conn_address_get(const struct conn_address *a, struct sockaddr_storage *out);
/* True for 0.0.0.0 and [::], which stand for any address of this machine. */
bool conn_address_is_any(const struct conn_address *a);

#endif
