#ifndef SLUICE_NODE_NODE_H
#define SLUICE_NODE_NODE_H

#include "gateway/api/api.h"
#include "gateway/doors/raw_door.h"
#include "gateway/doors/sio_door.h"
#include "gateway/net/proxies.h"
#include "gateway/net/wsock.h"
#include "gateway/node/domain.h"
#include "gateway/pages/bundle.h"
#include "gateway/socketio/relay.h"

/*
 * One node: a loop on a thread, its port, the doors, the domain. The other files of this room
 * each do one thing with it: run, start, drain and so on.
 */
#define DESCRIPTORS_KEPT 64UL /* Redis, the log, the listener, what libuv opens */

/* In this order, each once. */
enum node_state { NODE_STARTING, NODE_SERVING, NODE_DRAINING, NODE_LEAVING, NODE_CLOSING };

/* QUIET: connections that have begun are still taken, and no new one begins. */
enum port_state { PORT_OPEN, PORT_QUIET, PORT_CLOSED };

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
    bool accept_failed;
    bool said_goodbye;
    enum port_state port;
    bool gone_quiet; /* no connection is waited for any more: all were reset */
};

/* Logs the change. */
void node_state_set(struct node *n, enum node_state to);

/* True while clients may be sent to it. */
bool node_is_ready(const struct node *n);

#endif
