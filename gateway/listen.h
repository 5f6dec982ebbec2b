#ifndef SLUICE_GATEWAY_LISTEN_H
#define SLUICE_GATEWAY_LISTEN_H

#include <stdbool.h>
#include <sys/socket.h>

/*
 * Reads HOST:PORT (an IPv6 address in brackets), or, if `path_too`, unix:/PATH. A name is
 * looked up, which may block. Fills *out and returns NULL, or returns what is wrong with the
 * text.
 */
const char *listen_resolve(const char *text, bool path_too, struct sockaddr_storage *out);
/* The length of an address, as bind() and connect() want it. */
socklen_t listen_length(const struct sockaddr_storage *at);

/*
 * Several sockets may share an address of TCP: the kernel then spreads the connections between
 * them. FIRST: others will follow, but none may be there yet. FURTHER: it joins the first.
 */
enum listen_share { LISTEN_ALONE, LISTEN_FIRST, LISTEN_FURTHER };

/*
 * Makes a socket that listens at an address that listen_resolve has found, and does not block.
 * A path has these permissions, and is not shared so; a socket's file at which no process
 * listens any more is replaced. Fills in *fd and returns NULL, or returns what is wrong.
 */
const char *listen_open(int *fd, const struct sockaddr_storage *at, mode_t mode,
                        enum listen_share share);
/* The address that a listening socket has. Returns false if it is none. */
bool listen_address(int fd, struct sockaddr_storage *out);
/* True if it is a path. */
bool listen_is_path(int fd);

/*
 * To be called before the port is closed. No new connection begins from here on, but those that
 * have begun can still be accepted: a socket that is closed with connections in its queue
 * resets them, though their clients may have sent a request. A client that connects meanwhile
 * gets no answer, and is refused when the port is closed. A path is removed at once.
 */
void listen_quiet(int fd);
/* Connections may begin again at a socket that was made quiet, perhaps by a process that has
 * ended since. (Not at a path, which is gone.) */
void listen_loud(int fd);

#endif
