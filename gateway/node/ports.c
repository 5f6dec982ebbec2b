#include "gateway/node/ports.h"

#include <stdlib.h>

#include "common/log.h"
#include "gateway/listen.h"
#include "gateway/node/config.h"

/* --- where they are -------------------------------------------------------------------------
 */

static bool is_loopback(const struct conn_address *a) {
    static const struct conn_address ip6 = {.ip = {[15] = 1}};
    return conn_address_is_ip4(a) ? a->ip[12] == 127 : memcmp(a->ip, ip6.ip, sizeof a->ip) == 0;
}

static const char *check_reach(const struct node *n, const struct sockaddr_storage *at) {
    struct conn_address mine;
    conn_address_set(&mine, (const struct sockaddr *)at);
    if (at->ss_family == AF_UNIX || is_loopback(&mine) || n->options->allow_anonymous ||
        auth_on(&n->auth))
        return NULL;
    return "not a loopback address, and authentication is off: any client "
           "that reaches it could speak as any user. A key for tokens (jwt-secret, for "
           "one) switches it on, and --allow-anonymous allows it as it is";
}

static const char *read_mode(const char *mode, mode_t *bits) {
    char *end;
    unsigned long read = strtoul(mode, &end, 8);
    *bits = (mode_t)read;
    return *end == '\0' && read <= 0777 ? NULL
                                        : "listen-mode must be octal digits, from 000 to 777";
}

static int open_public(struct node *n, uv_connection_cb on_connection) {
    struct sockaddr_storage at;
    mode_t mode = 0;
    const char *where = n->options->listen;
    const char *wrong = listen_resolve(where, true, &at);
    if (wrong == NULL)
        wrong = check_reach(n, &at);
    if (wrong == NULL && at.ss_family == AF_UNIX)
        wrong = read_mode(n->options->listen_mode, &mode);
    if (wrong == NULL)
        wrong = port_open(&n->port, &at, where, mode, on_connection);
    return wrong == NULL ? 0 : config_complain(n->options, "listen", where, wrong);
}

/* It has no doors, so it may be at any address, whether authentication is on or off. */
static int open_internal(struct node *n, uv_connection_cb on_connection) {
    struct sockaddr_storage at;
    const char *where = n->options->internal_listen;
    if (where[0] == '\0')
        return 0;
    const char *wrong = listen_resolve(where, false, &at);
    if (wrong == NULL)
        wrong = port_open(&n->internal, &at, where, 0, on_connection);
    return wrong == NULL ? 0 : config_complain(n->options, "internal-listen", where, wrong);
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

int ports_open(struct node *n, uv_connection_cb on_connection) {
    n->port = n->internal = (struct port){.owner = n, .loop = &n->loop};
    return check_advertise(n) != 0 || open_public(n, on_connection) != 0 ||
           open_internal(n, on_connection) != 0;
}

/* Nodes speak to one another without TLS, so a port that speaks it is no way for them. */
static bool is_out_of_reach(const struct node *n) {
    return n->internal.state == PORT_NONE && n->options->tls_cert[0] != '\0' &&
           n->advertise.port == 0;
}

void ports_advertise(struct node *n) {
    static const struct conn_address nowhere;
    const struct port *reached = n->internal.state == PORT_NONE ? &n->port : &n->internal;
    peers_set_address(&n->domain.peers, is_out_of_reach(n) ? &nowhere : &reached->at,
                      n->advertise.port != 0 ? &n->advertise : NULL);
}

/* --- who may reach the internal one ---------------------------------------------------------
 */

static bool is_private(const struct conn_address *a) {
    struct proxies networks;
    proxies_parse(&networks, "127.0.0.0/8,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,"
                             "169.254.0.0/16,100.64.0.0/10,fc00::/7,fe80::/10");
    return proxies_have(&networks, a);
}

/* True if an interface of this machine has an address of the internet. */
static bool has_outside(void) {
    uv_interface_address_t *all;
    int count = 0;
    bool outside = false;
    if (uv_interface_addresses(&all, &count) != 0)
        return true;
    for (int i = 0; i < count && !outside; i++) {
        struct conn_address a;
        conn_address_set(&a, (const struct sockaddr *)&all[i].address);
        outside = !is_private(&a);
    }
    uv_free_interface_addresses(all, count);
    return outside;
}

void ports_warn(struct node *n) {
    const struct port *p = &n->internal;
    if (is_out_of_reach(n))
        LOG(LOG_WARN, "not_reached", "why", "the port speaks TLS, and nodes do not", "do",
            "give --internal-listen if there is more than one node", NULL);
    bool any = conn_address_is_any(&p->at);
    if (p->state == PORT_NONE || (any ? !has_outside() : is_private(&p->at)))
        return;
    LOG(LOG_WARN, "internal_listen_open", "addr", p->address, "means",
        "an address of the internet: anyone who reaches it reads the metrics, and may guess "
        "at tokens",
        NULL);
}

/* --- their end ------------------------------------------------------------------------------
 */

void ports_quiet(struct node *n) {
    port_quiet(&n->port);
    port_quiet(&n->internal);
}

void ports_close(struct node *n) {
    port_close(&n->port);
    port_close(&n->internal);
}
