#ifndef SLUICE_NODE_PORT_H
#define SLUICE_NODE_PORT_H

#include <sys/stat.h>
#include <uv.h>

#include "gateway/net/conn_address.h"

/*
 * A listening socket. The stream that is given to the connection callback is its `listener`,
 * whose data is the port.
 */

/* NONE: not opened. QUIET: connections that have begun are still accepted, and no new one
 * begins. */
enum port_state { PORT_NONE, PORT_OPEN, PORT_QUIET, PORT_CLOSED };

struct port {
    uv_tcp_t listener;
    void *owner; /* set by whoever opens it, like `loop` */
    uv_loop_t *loop;
    enum port_state state;
    struct conn_address at; /* port 0: it is at a path */
    char address[256];      /* as the log and the API show it: HOST:PORT or unix:/PATH */
};

/* A port of all zeros is PORT_NONE. Listens at an address that listen_resolve has made of
 * `text`. A path has these permissions. Returns NULL, or what is wrong; then the process is
 * about to end. */
const char *port_open(struct port *p, const struct sockaddr_storage *at, const char *text,
                      mode_t mode, uv_connection_cb on_connection);

/* Lets no new connection begin: see listen_quiet. Nothing if the port is not open. */
void port_quiet(struct port *p);
/* Closes the port. Nothing if it is not open (any more). */
void port_close(struct port *p);

#endif
