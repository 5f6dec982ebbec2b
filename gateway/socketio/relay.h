#ifndef SLUICE_SOCKETIO_RELAY_H
#define SLUICE_SOCKETIO_RELAY_H

#include "gateway/net/http_later.h"
#include "gateway/net/tunnel.h"
#include "gateway/socketio/relay_peer.h"

/*
 * Hands requests for sessions of other nodes over to them: polls and posts one by one over kept
 * connections, upgrades by a tunnel. The node that has the session answers; this one only
 * passes on. The owner tells which nodes there are; a request never does.
 *
 * Between nodes, beside what the client sent:
 *   Sluice-Handover: KEY        on each request: it is never handed over again. Only a node can
 *                               know the KEY of the one that it asks.
 *   a poll's connection ends    this node goes: the poll is over, the session stays
 *   an empty line after a       it has been passed on. Without it (or a request) before the
 *   poll's answer               connection's end the session ends, if messages were in it
 *   a POST without a body       the client has given a request up: the session ends
 * A POST is passed on piece by piece, so it is the owner that says what may come.
 */
struct relay {
    struct net *net;
    const char *key;   /* of this node */
    uint64_t idle_ms;  /* of kept connections */
    uint64_t close_ms; /* from the end of a tunnel's one side to that of the other */
    /* A request is for a node that is not known, which may have come just now, or this one has:
     * looks for nodes, then calls relay_ready, in a later turn. False: it cannot. */
    bool (*look)(void *owner);
    void *owner;
    uint64_t most;         /* connections of this node, as the owner limits them */
    struct list peers;     /* struct relay_peer */
    struct list waiting;   /* requests that are to be answered */
    struct list held;      /* those for a node that is not known (yet) */
    struct list giving_up; /* requests whose client has gone */
    struct tunnels tunnels;
    unsigned waiting_count;
    bool looking;        /* for nodes; requests are held meanwhile */
    uint64_t look_until; /* no longer */
    uint64_t look_again; /* not before */
    bool draining;       /* polls and upgrades go to the next node at once */
    bool stopped;
};

/* net, eio, key, the times, look and owner are set. */
void relay_init(struct relay *r);
/* The loop has ended: no connection is left. */
void relay_deinit(struct relay *r);

/* A node is there, or has another address now. */
void relay_met(struct relay *r, const char *name, const struct conn_address *at,
               const char *key);
/* It is dead: what waits for it is answered "Session ID unknown", tunnels end. */
void relay_lost(struct relay *r, const char *name);

/* The owner has looked for nodes: the requests that are held go on, or are answered. */
void relay_ready(struct relay *r);
/* For net's on_tick. */
void relay_tick(struct relay *r, uint64_t now);

/* struct eio_elsewhere; owner: the relay. */
bool relay_route(void *relay, const struct http_request *request, struct slice node);
bool relay_body(void *relay, const struct http_request *request, struct slice node);
bool relay_is_handed_over(void *relay, const struct http_request *request);

/* Clients that are served through this node: tunnels, and requests that wait. */
unsigned relay_count(const struct relay *r);
/* The node drains: ends one tunnel, or has one poll answered. False: there is none. */
bool relay_close_one(struct relay *r);

#endif
