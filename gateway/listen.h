#ifndef SLUICE_GATEWAY_LISTEN_H
#define SLUICE_GATEWAY_LISTEN_H

#include <stdbool.h>
#include <sys/socket.h>
#include <uv.h>

/*
 * Reads HOST:PORT, an IPv6 address in brackets; a name is looked up, which may block. Or
 * unix:/PATH, if `path_too`. Fills *out, or returns what is wrong with it.
 */
const char *listen_resolve(const char *text, bool path_too, struct sockaddr_storage *out);
/* Of an address, as bind() and connect() want it. */
socklen_t listen_length(const struct sockaddr_storage *at);

/*
 * Makes the listener one at a path, with these permissions; uv_listen is next. A socket's file
 * that nobody listens at any more is replaced. Returns what is wrong, or NULL. The handle stays
 * a uv_tcp_t: libuv's streams do not care what is below them.
 */
const char *listen_at_path(uv_tcp_t *listener, const struct sockaddr_storage *at, mode_t mode);

/*
 * The port is about to be closed: no new connection is begun from here on, and those that are
 * being begun are still accepted. A socket that is closed with connections in its queue resets
 * them, though their clients may have sent a request. A client that connects meanwhile hears
 * nothing, and is refused as soon as the port is closed. A path is gone at once.
 */
void listen_quiet(const uv_tcp_t *listener);

#endif
