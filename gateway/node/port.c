#include "gateway/node/port.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BACKLOG 4096

static void state_set(struct port *p, enum port_state to) {
    assert(to > p->state);
    p->state = to;
}

static const char *learn_address(struct port *p) {
    struct sockaddr_storage at;
    int size = sizeof at;
    int status = uv_tcp_getsockname(&p->listener, (struct sockaddr *)&at, &size);
    if (status < 0)
        return uv_strerror(status);
    conn_address_set(&p->at, (const struct sockaddr *)&at);
    conn_address_text(&p->at, p->address);
    return NULL;
}

static bool is_path(const char *text) {
    return strncmp(text, "unix:", 5) == 0; /* as listen_resolve reads it */
}

/* The port listens. */
static const char *open_now(struct port *p, const char *text) {
    p->listener.data = p;
    snprintf(p->address, sizeof p->address, "%s", text);
    state_set(p, PORT_OPEN);
    return is_path(text) ? NULL : learn_address(p);
}

static const char *accept_from(struct port *p, const char *text,
                               uv_connection_cb on_connection) {
    int status = uv_listen((uv_stream_t *)&p->listener, BACKLOG, on_connection);
    return status < 0 ? uv_strerror(status) : open_now(p, text);
}

const char *port_open(struct port *p, const struct sockaddr_storage *at, const char *text,
                      mode_t mode, uv_connection_cb on_connection) {
    uv_tcp_init(p->loop, &p->listener);
    const char *wrong = listen_bind(&p->listener, at, mode, LISTEN_ALONE);
    return wrong != NULL ? wrong : accept_from(p, text, on_connection);
}

/* --- between processes ----------------------------------------------------------------------
 */

int port_descriptor(const struct port *p) {
    uv_os_fd_t fd = -1;
    return uv_fileno((const uv_handle_t *)&p->listener, &fd) == 0 ? fd : -1;
}

const char *port_offer(struct port *p, const struct sockaddr_storage *at, const char *text,
                       mode_t mode, enum listen_share share) {
    uv_tcp_init(p->loop, &p->listener);
    const char *wrong = listen_bind(&p->listener, at, mode, share);
    if (wrong == NULL && listen(port_descriptor(p), BACKLOG) != 0)
        wrong = strerror(errno);
    return wrong != NULL ? wrong : open_now(p, text);
}

const char *port_adopt(struct port *p, int fd, const char *text, bool shared,
                       uv_connection_cb on_connection) {
    p->shared = shared;
    listen_loud(fd);
    uv_tcp_init(p->loop, &p->listener);
    int status = uv_tcp_open(&p->listener, fd);
    return status != 0 ? uv_strerror(status) : accept_from(p, text, on_connection);
}

/* --- its end --------------------------------------------------------------------------------
 */

void port_quiet(struct port *p) {
    if (p->state != PORT_OPEN)
        return;
    state_set(p, PORT_QUIET);
    if (!p->shared)
        listen_quiet(&p->listener);
}

void port_close(struct port *p) {
    port_quiet(p);
    if (p->state != PORT_QUIET)
        return;
    state_set(p, PORT_CLOSED);
    uv_close((uv_handle_t *)&p->listener, NULL);
}
