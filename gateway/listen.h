#ifndef SLUICE_GATEWAY_LISTEN_H
#define SLUICE_GATEWAY_LISTEN_H

#include <sys/socket.h>

/*
 * Reads HOST:PORT, the value of --listen; an IPv6 address stands in brackets. A name is looked
 * up, which may block. Fills *out, or returns what is wrong with it.
 */
const char *listen_resolve(const char *text, struct sockaddr_storage *out);

#endif
