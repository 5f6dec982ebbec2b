#ifndef SLUICE_NODE_NODE_H
#define SLUICE_NODE_NODE_H

#include "gateway/api/api.h"
#include "gateway/auth/auth.h"
#include "gateway/doors/raw_door.h"
#include "gateway/doors/sio_door.h"
#include "gateway/hooks/hooks.h"
#include "gateway/net/origin.h"
#include "gateway/net/proxies.h"
#include "gateway/net/wsock.h"
#include "gateway/node/domain.h"
#include "gateway/node/port.h"
#include "gateway/node/seats.h"
#include "gateway/node/secure.h"
#include "gateway/pages/bundle.h"
#include "gateway/socketio/relay.h"

/*
 * One node: a loop on a thread, its ports, the doors, the domain. The other files of this room
 * each do one thing with it: run, start, drain and so on.
 */
#define DESCRIPTORS_KEPT 64UL /* for Redis, the log, the listener and libuv */

/* A node goes through these in this order, each one once. */
enum node_state { NODE_STARTING, NODE_SERVING, NODE_DRAINING, NODE_LEAVING, NODE_CLOSING };

struct node {
    struct options *options;
    uv_loop_t loop;
    enum node_state state;
    struct metrics metrics;
    struct net net;
    struct wsock_shared sockets;
    struct auth auth;
    struct hooks hooks;
    struct domain domain;
    struct webhooks webhooks;
    struct handshakes handshaking;
    struct raw_door raw;
    struct sio_door sio;
    struct bundle bundle;
    struct relay relay;
    struct eio_elsewhere elsewhere; /* the relay, for the door */
    struct api api;
    struct http_router router;
    struct port port;     /* the public one */
    struct port internal; /* as internal-listen asks for it, or none */
    struct port own;      /* of a worker: where other nodes and workers reach this one */
    struct seats *seats;  /* NULL: it is the only process of the node */
    unsigned worker;      /* from 1, if there are seats */
    struct secure secure;
    uv_signal_t signals[3];
    uv_timer_t timer;    /* used while draining, then while leaving */
    uint64_t started_us; /* since the epoch */
    uint64_t drain_began;
    uint64_t leave_began;
    uint64_t last_accept;
    uint64_t drain_total;
    uint64_t drain_closed;
    uint64_t most_connections;
    struct origins origins; /* whose pages may use the doors, from allowed-origins */
    struct proxies proxies; /* from the option trusted-proxies */
    bool told_unreadable; /* the log has said that the header with clients' addresses cannot be
                             read */
    bool told_untrusted;
    struct {
        uint64_t limit;
        uint64_t base;          /* resident at the start */
        uint64_t shed;          /* connections ended since it is short */
        bool is_short;          /* from the limit on, until the account is well below */
    } memory;                   /* memory.h */
    struct bucket handshakes;   /* clients that have begun, for accept-rate */
    struct addresses addresses; /* counts connections by address, if they are limited */
    char id[65];
    struct conn_address advertise; /* port 0: not given */
    char prefix[65];
    bool accept_failed;
    bool said_goodbye;
    bool gone_quiet; /* the node waits for no connection any more: all were reset */
};

/* Logs the change. */
void node_state_set(struct node *n, enum node_state to);

/* True while clients may be sent to it. */
bool node_is_ready(const struct node *n);

#endif
