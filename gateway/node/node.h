#ifndef SLUICE_NODE_NODE_H
#define SLUICE_NODE_NODE_H

#include "gateway/api/api.h"
#include "gateway/doors/raw_door.h"
#include "gateway/doors/sio_door.h"
#include "gateway/net/proxies.h"
#include "gateway/net/relay.h"
#include "gateway/net/wsock.h"
#include "gateway/node/domain.h"
#include "gateway/pages/bundle.h"

/* One node: a loop on a thread, its port, the doors, the domain. */
enum node_state { NODE_STARTING, NODE_SERVING, NODE_DRAINING, NODE_LEAVING, NODE_CLOSING };

struct node {
    struct options *options;
    uv_loop_t loop;
    enum node_state state;
    struct metrics metrics;
    struct net net;
    struct wsock_shared sockets;
    struct domain domain;
    struct raw_door raw;
    struct sio_door sio;
    struct bundle bundle;
    struct relay relay;
    struct eio_elsewhere elsewhere; /* the relay, for the door */
    struct api api;
    struct http_router router;
    uv_tcp_t listener;
    uv_signal_t signals[3];
    uv_timer_t timer;    /* draining, then leaving */
    uint64_t started_us; /* since the epoch */
    uint64_t drain_began;
    uint64_t leave_began;
    uint64_t last_accept;
    uint64_t drain_total;
    uint64_t drain_closed;
    uint64_t most_connections;
    struct proxies proxies; /* of the option trusted-proxies */
    bool told_unreadable;   /* of the header with clients' addresses: once */
    bool told_untrusted;
    struct addresses addresses; /* of connections, if they are limited */
    char id[65];
    char address[256]; /* as it is told: of the port, or unix:/PATH */
    struct conn_address listen;
    struct conn_address advertise; /* port 0: not given */
    char prefix[65];
    unsigned handles;
    bool accept_failed;
    bool said_goodbye;
    enum { PORT_OPEN, PORT_QUIET, PORT_CLOSED } port;
    bool gone_quiet; /* nobody's request is waited for any more */
};

/* Runs a node until it is told to stop. Returns the process's exit status: 0, or 1 when it
 * could not start (said on standard error). Changes the LIVE ones of the options on SIGHUP. */
int node_run(struct options *options);

/* Counts a connection for its client's address; false: the address has too many. */
bool node_count_address(struct node *n, struct conn *c);
/* No longer, if it is. */
void node_forget_address(struct node *n, struct conn *c);

/* True while clients may be sent to it. */
bool node_is_ready(const struct node *n);

/* metrics_page.c: appends what Prometheus reads. */
void metrics_page(struct node *n, struct buf *out);

/* routes.c: what a request gets. */
void http_door_route(void *owner, const struct http_request *request);
size_t http_door_body(void *owner, const struct http_request *request);
void http_door_lines(void *owner, const struct http_request *request, struct buf *out);

#endif
