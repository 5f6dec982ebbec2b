#include "gateway/node/port.h"

#include <assert.h>
#include <stdio.h>

#include "gateway/listen.h"

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

static const char *bind_address(struct port *p, const struct sockaddr_storage *at) {
    int status = uv_tcp_bind(&p->listener, (const struct sockaddr *)at, 0);
    return status == 0 ? NULL : uv_strerror(status);
}

const char *port_open(struct port *p, const struct sockaddr_storage *at, const char *text,
                      mode_t mode, uv_connection_cb on_connection) {
    bool path = at->ss_family == AF_UNIX;
    uv_tcp_init(p->loop, &p->listener);
    p->listener.data = p;
    snprintf(p->address, sizeof p->address, "%s", text);
    const char *wrong = path ? listen_at_path(&p->listener, at, mode) : bind_address(p, at);
    if (wrong != NULL)
        return wrong;
    int status = uv_listen((uv_stream_t *)&p->listener, BACKLOG, on_connection);
    if (status < 0)
        return uv_strerror(status);
    state_set(p, PORT_OPEN);
    return path ? NULL : learn_address(p);
}

void port_quiet(struct port *p) {
    if (p->state != PORT_OPEN)
        return;
    state_set(p, PORT_QUIET);
    listen_quiet(&p->listener);
}

void port_close(struct port *p) {
    port_quiet(p);
    if (p->state != PORT_QUIET)
        return;
    state_set(p, PORT_CLOSED);
    uv_close((uv_handle_t *)&p->listener, NULL);
}
