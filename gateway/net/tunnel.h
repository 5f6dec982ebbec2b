#ifndef SLUICE_NET_TUNNEL_H
#define SLUICE_NET_TUNNEL_H

#include "gateway/net/conn.h"

/*
 * Two connections joined: what one side sends, the other one gets, byte for byte. While much
 * waits for a side the other is not read. When a side ends, so does the other, after what it
 * has yet to get; then it has end_ms to end, too.
 */
struct tunnels {
    uint64_t end_ms;
    struct list open; /* struct tunnel.link */
    unsigned count;
};

struct tunnel_side {
    struct tunnel *tunnel;
    struct conn *conn; /* NULL: gone */
    bool ended;        /* it sends no more */
};

struct tunnel {
    struct tunnels *all;
    struct list link;
    struct tunnel_side near; /* a client */
    struct tunnel_side far;  /* the node that has its session */
    const void *mark;        /* whose connection the far one is */
    bool closing;
};

void tunnels_init(struct tunnels *all, uint64_t end_ms);

/* Joins them. to_far, to_near: what has been read already. False: no memory; both are closed.
 */
bool tunnel_open(struct tunnels *all, struct conn *near, struct conn *far, const void *mark,
                 struct slice to_far, struct slice to_near);

/* Ends one that has not begun to end: the far node lets the session go, the client gets what
 * came until then. False: there is none. */
bool tunnels_close_one(struct tunnels *all);
/* Ends those with this mark at once. */
void tunnels_cut(struct tunnels *all, const void *mark);

#endif
