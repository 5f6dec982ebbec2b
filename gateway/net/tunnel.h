#ifndef SLUICE_NET_TUNNEL_H
#define SLUICE_NET_TUNNEL_H

#include "gateway/net/conn.h"

/*
 * Two connections that are joined: each side gets the bytes that the other side sends. While
 * much waits for one side, the other side is not read. When one side ends, the other is ended
 * after it was sent all that is left, and has end_ms to end as well.
 */
struct tunnels {
    uint64_t end_ms;
    struct list open; /* struct tunnel.link */
    unsigned count;
};

struct tunnel_side {
    struct tunnel *tunnel;
    struct conn *conn; /* NULL: gone */
    bool ended;        /* it sends nothing more */
};

struct tunnel {
    struct tunnels *all;
    struct list link;
    struct tunnel_side near; /* a client */
    struct tunnel_side far;  /* the node that has its session */
    const void *mark;        /* names the owner of the far connection */
    bool closing;
};

void tunnels_init(struct tunnels *all, uint64_t end_ms);

/* Joins two connections. to_far, to_near: the bytes that were read already. Returns false
 * without memory; both are then closed. */
bool tunnel_open(struct tunnels *all, struct conn *near, struct conn *far, const void *mark,
                 struct slice to_far, struct slice to_near);

/* Ends one tunnel that has not begun to end. The far node releases the session, and the client
 * gets all that came until then. False: there is no such tunnel. */
bool tunnels_close_one(struct tunnels *all);
/* Ends all tunnels with this mark at once. */
void tunnels_cut(struct tunnels *all, const void *mark);

#endif
