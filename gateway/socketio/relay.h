#ifndef SLUICE_SOCKETIO_RELAY_H
#define SLUICE_SOCKETIO_RELAY_H

#include "gateway/net/http_later.h"
#include "gateway/net/tunnel.h"
#include "gateway/socketio/relay_peer.h"

/*
 * The relay hands requests for sessions of other nodes over to those nodes: polls and POSTs one
 * by one over kept connections, upgrades by a tunnel. The node that has the session answers,
 * and this one passes the answer on. The owner tells the relay which nodes there are; a request
 * never does.
 *
 * Between nodes, besides the bytes of the client:
 *   Sluice-Handover: KEY        on each request: it is never handed over again. Only a node can
 *                               know the KEY of the one that it asks.
 *   a poll's connection ends    this node goes: the poll is over, the session stays
 *   an empty line after a       it has been passed on. Without it (or a request) before the
 *   poll's answer               connection's end the session ends, if messages were in it
 *   a POST without a body       the client has given a request up: the session ends
 * A POST is passed on piece by piece, so the node that has the session decides how much may
 * come.
 */
struct relay {
    struct net *net;
    const char *key;   /* of this node */
    uint64_t idle_ms;  /* how long idle connections are kept */
    uint64_t close_ms; /* from the end of one side of a tunnel to the end of the other */
    /* Called when a request names a node that is not known: that node, or this one, may have
     * just started. Looks for nodes, and calls relay_ready in a later turn. Returns false if it
     * cannot look. */
    bool (*look)(void *owner);
    void *owner;
    uint64_t most;         /* the most connections of this node, as the owner limits them */
    struct list peers;     /* struct relay_peer */
    struct list waiting;   /* requests that are to be answered */
    struct list held;      /* requests for a node that is not known (yet) */
    struct list giving_up; /* requests whose client has gone */
    struct tunnels tunnels;
    unsigned waiting_count;
    bool looking;        /* the owner is looking for nodes, and requests are held */
    uint64_t look_until; /* when looking ends */
    uint64_t look_again; /* the earliest time to look again */
    bool draining;       /* polls and upgrades go to the next node at once */
    bool stopped;
};

/* The caller has set net, eio, key, the times, look and owner. */
void relay_init(struct relay *r);
/* The loop has ended: no connection is left. */
void relay_deinit(struct relay *r);

/* A node has come, or has another address now. */
void relay_met(struct relay *r, const char *name, const struct conn_address *at,
               const char *key);
/* A node is dead: requests that wait for it are answered "Session ID unknown", and its tunnels
 * end. */
void relay_lost(struct relay *r, const char *name);

/* The owner has looked for nodes: held requests go on, or are answered. */
void relay_ready(struct relay *r);
/* For net's on_tick. */
void relay_tick(struct relay *r, uint64_t now);

/* The functions of struct eio_elsewhere, whose owner is the relay. */
bool relay_route(void *relay, const struct http_request *request, struct slice node);
bool relay_body(void *relay, const struct http_request *request, struct slice node);
bool relay_is_handed_over(void *relay, const struct http_request *request);

/* Clients that are served through this node: tunnels, and requests that wait. */
unsigned relay_count(const struct relay *r);
/* Called while the node drains: ends one tunnel, or has one poll answered. False: there is
 * none. */
bool relay_close_one(struct relay *r);

#endif
