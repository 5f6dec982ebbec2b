#ifndef SLUICE_GATEWAY_LISTEN_H
#define SLUICE_GATEWAY_LISTEN_H

#include <sys/socket.h>
#include <uv.h>

/*
 * Reads HOST:PORT, the value of --listen; an IPv6 address stands in brackets. A name is looked
 * up, which may block. Fills *out, or returns what is wrong with it.
 */
const char *listen_resolve(const char *text, struct sockaddr_storage *out);

/*
 * The port is about to be closed: no new connection is begun from here on, and those that are
 * being begun are still accepted. A socket that is closed with connections in its queue resets
 * them, though their clients may have sent a request. Who connects meanwhile hears nothing, and
 * is refused as soon as the port is closed.
 */
void listen_quiet(const uv_tcp_t *listener);

#endif
