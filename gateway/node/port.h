#ifndef SLUICE_NODE_PORT_H
#define SLUICE_NODE_PORT_H

#include <stdbool.h>
#include <sys/stat.h>
#include <uv.h>

#include "gateway/listen.h"
#include "gateway/net/conn_address.h"

/* A listening socket. */

/* NONE: not opened. QUIET: connections that have begun are still accepted, and no new one
 * begins (unless the port is shared: then other processes still want them). */
enum port_state { PORT_NONE, PORT_OPEN, PORT_QUIET, PORT_CLOSED };

struct port {
    uv_poll_t poll;
    void *owner; /* set by whoever opens it, like `loop` */
    uv_loop_t *loop;
    /* A connection was accepted: a socket that does not block, and belongs to who is called. Or
     * it was not: fd is a libuv error then, and `from` NULL. */
    void (*on_connection)(struct port *p, int fd, const struct sockaddr *from);
    int fd;
    int spare; /* a descriptor to give up when there are no more, to turn somebody away */
    enum port_state state;
    bool shared;            /* other processes accept from the same socket */
    struct conn_address at; /* port 0: it is at a path */
    char address[256];      /* as the log and the API show it: HOST:PORT or unix:/PATH */
};

/* A port of all zeros, with its owner, loop and callback, is PORT_NONE. Listens at an address
 * that listen_resolve has made of `text`. A path has these permissions. Returns NULL, or what
 * is wrong; then the process is about to end. */
const char *port_open(struct port *p, const struct sockaddr_storage *at, const char *text,
                      mode_t mode);

/*
 * Opens a port for other processes, which port_adopt its descriptor. This one accepts nothing:
 * connections wait in the socket's own queue until some process accepts them. They outlive such
 * a process, too. Returns NULL, or what is wrong.
 */
const char *port_offer(struct port *p, const struct sockaddr_storage *at, const char *text,
                       mode_t mode, enum listen_share share);
/* Accepts from a port that another process has offered. text: as for port_open. shared: others
 * accept from it, too. Returns NULL, or what is wrong. */
const char *port_adopt(struct port *p, int fd, const char *text, bool shared);

/* Lets no new connection begin: see listen_quiet. Nothing if the port is not open. */
void port_quiet(struct port *p);
/* Closes the port. Nothing if it is not open (any more). */
void port_close(struct port *p);

#endif
