#include "gateway/node/port.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/listen.h"
#include "gateway/node/config.h"

#define BACKLOG 4096

static void state_set(struct node *n, enum port_state to) {
    assert(to > n->port);
    n->port = to;
}

/* --- where it is ----------------------------------------------------------------------------
 */

static bool is_loopback(const struct conn_address *a) {
    static const struct conn_address ip6 = {.ip = {[15] = 1}};
    return conn_address_is_ip4(a) ? a->ip[12] == 127 : memcmp(a->ip, ip6.ip, sizeof a->ip) == 0;
}

static const char *bind_path(struct node *n, const struct sockaddr_storage *at) {
    const char *mode = n->options->listen_mode;
    char *end;
    unsigned long bits = strtoul(mode, &end, 8);
    snprintf(n->address, sizeof n->address, "%s", n->options->listen);
    if (*end != '\0' || bits > 0777)
        return "listen-mode must be octal digits, from 000 to 777";
    return listen_at_path(&n->listener, at, (mode_t)bits);
}

static const char *bind_port(struct node *n, const struct sockaddr_storage *at) {
    const struct sockaddr *address = (const struct sockaddr *)at;
    struct conn_address mine;
    conn_address_set(&mine, address);
    if (!is_loopback(&mine) && !n->options->allow_anonymous && !auth_on(&n->auth))
        return "not a loopback address, and authentication is off: any client "
               "that reaches it could speak as any user. A key for tokens (jwt-secret, for "
               "one) switches it on, and --allow-anonymous allows it as it is";
    int status = uv_tcp_bind(&n->listener, address, 0);
    return status == 0 ? NULL : uv_strerror(status);
}

static const char *learn_port(struct node *n) {
    struct sockaddr_storage at;
    int size = sizeof at;
    int status = uv_tcp_getsockname(&n->listener, (struct sockaddr *)&at, &size);
    if (status < 0)
        return uv_strerror(status);
    conn_address_set(&n->listen, (const struct sockaddr *)&at);
    conn_address_text(&n->listen, n->address);
    return NULL;
}

/* A name is looked up here, once, because the other nodes are told an address. */
static int check_advertise(struct node *n) {
    struct sockaddr_storage at;
    const char *where = n->options->advertise;
    if (where[0] == '\0')
        return 0;
    const char *wrong = listen_resolve(where, false, &at);
    if (wrong == NULL) {
        conn_address_set(&n->advertise, (const struct sockaddr *)&at);
        if (n->advertise.port == 0 || conn_address_is_any(&n->advertise))
            wrong = "must be an address and a port that others can connect to";
    }
    return wrong == NULL ? 0 : config_complain(n->options, "advertise", where, wrong);
}

int port_open(struct node *n, uv_connection_cb on_connection) {
    struct sockaddr_storage at;
    const char *where = n->options->listen;
    if (check_advertise(n) != 0)
        return 1;
    const char *wrong = listen_resolve(where, true, &at);
    bool path = wrong == NULL && at.ss_family == AF_UNIX;
    if (wrong == NULL)
        wrong = path ? bind_path(n, &at) : bind_port(n, &at);
    int status =
        wrong == NULL ? uv_listen((uv_stream_t *)&n->listener, BACKLOG, on_connection) : 0;
    if (status < 0)
        wrong = uv_strerror(status);
    if (wrong == NULL && !path)
        wrong = learn_port(n);
    return wrong == NULL ? 0 : config_complain(n->options, "listen", where, wrong);
}

/* --- its end --------------------------------------------------------------------------------
 */

void port_quiet(struct node *n) {
    state_set(n, PORT_QUIET);
    listen_quiet(&n->listener);
}

void port_close(struct node *n, uv_close_cb on_closed) {
    if (n->port == PORT_OPEN)
        listen_quiet(&n->listener);
    state_set(n, PORT_CLOSED);
    uv_close((uv_handle_t *)&n->listener, on_closed);
}
