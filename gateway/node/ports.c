#include "gateway/node/ports.h"

#include <errno.h>
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

/* Where the public port is to be. Fills `at` and `mode`, or returns what is wrong. */
static const char *find_public(const struct node *n, struct sockaddr_storage *at,
                               mode_t *mode) {
    *mode = 0;
    const char *wrong = listen_resolve(n->options->listen, true, at);
    if (wrong == NULL)
        wrong = check_reach(n, at);
    if (wrong == NULL && at->ss_family == AF_UNIX)
        wrong = read_mode(n->options->listen_mode, mode);
    return wrong;
}

static int complain(const struct node *n, const char *flag, const char *value,
                    const char *wrong) {
    return wrong == NULL ? 0 : config_complain(n->options, flag, value, wrong);
}

static int open_public(struct node *n) {
    struct sockaddr_storage at;
    mode_t mode;
    const char *where = n->options->listen;
    const char *wrong = find_public(n, &at, &mode);
    if (wrong == NULL)
        wrong = port_open(&n->port, &at, where, mode);
    return complain(n, "listen", where, wrong);
}

/* It has no doors, so it may be at any address, whether authentication is on or off. */
static int open_internal(struct node *n) {
    struct sockaddr_storage at;
    const char *where = n->options->internal_listen;
    if (where[0] == '\0')
        return 0;
    const char *wrong = listen_resolve(where, false, &at);
    if (wrong == NULL)
        wrong = port_open(&n->internal, &at, where, 0);
    return complain(n, "internal-listen", where, wrong);
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

/* --- of a worker ----------------------------------------------------------------------------
 */

/* The other workers' processes have the socket of a path and the internal one, too. Each worker
 * has its own of the others, and so the port's end is its own. */
static int adopt_all(struct node *n) {
    const char *where = n->options->listen;
    const char *wrong = port_adopt(&n->port, FD_PUBLIC, where, listen_is_path(FD_PUBLIC));
    if (wrong == NULL)
        wrong = port_adopt(&n->own, FD_OWN, "", false);
    if (wrong == NULL && n->options->internal_listen[0] != '\0')
        wrong = port_adopt(&n->internal, FD_INTERNAL, "", true);
    if (n->advertise.port != 0)
        n->advertise.port = (uint16_t)(n->advertise.port + n->worker);
    return complain(n, "workers", n->options->workers, wrong);
}

int ports_open(struct node *n,
               void (*on_connection)(struct port *, int, const struct sockaddr *)) {
    struct port none = {.owner = n, .loop = &n->loop, .on_connection = on_connection};
    n->port = n->internal = n->own = none;
    if (check_advertise(n) != 0)
        return 1;
    if (n->seats != NULL)
        return adopt_all(n);
    return open_public(n) != 0 || open_internal(n) != 0;
}

/* --- for workers ----------------------------------------------------------------------------
 */

static const char *offer_public(const struct node *n, struct offer *o) {
    struct sockaddr_storage at;
    mode_t mode;
    const char *where = n->options->listen;
    const char *wrong = find_public(n, &at, &mode);
    if (wrong == NULL)
        wrong = port_offer(&o->public[0], &at, where, mode, LISTEN_FIRST);
    if (wrong != NULL || at.ss_family == AF_UNIX)
        return wrong;
    if (!listen_address(o->public[0].fd, &at)) /* the number may have been 0 before */
        return strerror(errno);
    for (unsigned i = 1; wrong == NULL && i < o->count; i++)
        wrong = port_offer(&o->public[i], &at, where, mode, LISTEN_FURTHER);
    return wrong;
}

/* The port of an address; 0: any free one. */
static in_port_t *port_of(struct sockaddr_storage *at) {
    return at->ss_family == AF_INET6 ? &((struct sockaddr_in6 *)(void *)at)->sin6_port
                                     : &((struct sockaddr_in *)(void *)at)->sin_port;
}

/* Those of the workers follow the internal one, or are free ones. */
static const char *offer_own(struct offer *o, struct sockaddr_storage *at) {
    unsigned first = ntohs(*port_of(at));
    const char *wrong = first != 0 && first + o->count > 65535
                            ? "there must be a port for each worker after it, up to 65535"
                            : NULL;
    for (unsigned i = 0; wrong == NULL && i < o->count; i++) {
        *port_of(at) = htons((uint16_t)(first != 0 ? first + i + 1 : 0));
        wrong = port_offer(&o->own[i], at, "", 0, LISTEN_ALONE);
    }
    return wrong;
}

static const char *offer_internal(const struct node *n, struct offer *o) {
    struct sockaddr_storage at;
    const char *where = n->options->internal_listen;
    const char *wrong = listen_resolve(where[0] != '\0' ? where : "127.0.0.1:0", false, &at);
    if (wrong == NULL && where[0] != '\0')
        wrong = port_offer(&o->internal, &at, where, 0, LISTEN_ALONE);
    return wrong == NULL ? offer_own(o, &at) : wrong;
}

int ports_offer(struct node *n, unsigned count, struct offer *out) {
    const struct options *o = n->options;
    *out = (struct offer){.count = count,
                          .public = calloc(count, sizeof *out->public),
                          .own = calloc(count, sizeof *out->own)};
    if (out->public == NULL || out->own == NULL)
        return config_complain(o, "workers", o->workers, "out of memory");
    if (check_advertise(n) != 0)
        return 1;
    if (n->advertise.port != 0 && o->internal_listen[0] == '\0')
        return config_complain(o, "advertise", o->advertise,
                               "with workers, internal-listen must be given, too");
    return complain(n, "listen", o->listen, offer_public(n, out)) != 0 ||
           complain(n, "internal-listen", o->internal_listen, offer_internal(n, out)) != 0;
}

void ports_withdraw(const struct offer *o) {
    if (listen_is_path(o->public[0].fd))
        listen_quiet(o->public[0].fd);
}

/* --- who reaches them -----------------------------------------------------------------------
 */

/* Nodes speak to one another without TLS, so a port that speaks it is no way for them. */
static bool is_out_of_reach(const struct node *n) {
    if (n->seats != NULL)
        return false; /* see ports_warn */
    return n->internal.state == PORT_NONE && n->options->tls_cert[0] != '\0' &&
           n->advertise.port == 0;
}

void ports_advertise(struct node *n) {
    static const struct conn_address nowhere;
    const struct port *reached = n->seats != NULL                 ? &n->own
                                 : n->internal.state == PORT_NONE ? &n->port
                                                                  : &n->internal;
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
    if (n->seats != NULL && p->state == PORT_NONE)
        LOG(LOG_WARN, "not_reached", "why",
            "without internal-listen workers are reached on "
            "this machine alone",
            "do", "give --internal-listen if there are other machines", NULL);
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
    port_quiet(&n->own);
    port_quiet(&n->internal);
}

void ports_close(struct node *n) {
    port_close(&n->port);
    port_close(&n->own);
    port_close(&n->internal);
}
