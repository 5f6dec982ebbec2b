#ifndef SLUICE_NET_NET_H
#define SLUICE_NET_NET_H

#include <uv.h>

#include "common/bucket.h"
#include "common/list.h"
#include "common/metrics.h"
#include "common/wheel.h"
#include "common/ws_deflate.h"
#include "gateway/net/poller.h"
#include "gateway/net/queue.h"

/*
 * The things that the connections of a loop share: memory, deadlines and lists. turn.h drives
 * it. What was queued in a turn of the loop is written at the turn's end, at once for each
 * socket, within a budget of time. Whatever the budget leaves is written first in the next
 * turn.
 */
struct conn;

struct net {
    uv_loop_t *loop;
    struct wheel wheel;
    struct slabs slabs;
    struct ws_deflate deflate; /* for the messages of all WebSockets */
    struct list conns;
    struct list http_idle;      /* used by http.c: connections that may be closed to make room,
                                   oldest first */
    struct list dirty;          /* what they send is for them or for few */
    struct list wide;           /* those to which only goes what goes to many */
    struct list flushing;       /* empty outside of a flush */
    uint64_t direct_at;         /* loop time when there was something in `dirty` */
    struct list closing;        /* closed in this turn: on_closed is due */
    struct list slowed;         /* used by conn.c: connections that are not read for a time */
    uint64_t rate;              /* for doors: units a second that a connection may spend
                                   (common/rate.h); 0: no limit */
    bool again_wanted;          /* net_again was called since the last flush */
    bool deflates;              /* compression is agreed to, where a client offers it */
    struct list shaking;        /* used by tls.h: TLS handshakes that wait for another turn */
    uint64_t shaking_ns;        /* what this turn has spent on handshakes */
    struct bucket shaking_told; /* log lines about those that failed */
    unsigned shaking_untold;
    struct out_pool out;
    void *spare_requests; /* used by http.c: what connections need until they are upgraded */
    unsigned spare_request_count;
    unsigned count;             /* until their on_closed */
    unsigned open;              /* of these, not closed yet: as many descriptors are in use */
    unsigned doors[DOOR_COUNT]; /* of these, by door */
    size_t max_queue;
    size_t requests_held; /* bytes of memory for requests that are not answered yet */
    struct metrics *metrics;
    uint64_t awake_ms;    /* net_awake */
    uint64_t awake_at;    /* loop time at which awake_ms was last counted */
    uint64_t turn_began;  /* ns: when the turn of the loop that is measured began */
    uint64_t turn_waited; /* ns that the loop had slept until then */
    struct poller poller;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t again; /* keeps the loop turning while the budget left work */
    uv_timer_t tick;
    void (*before_flush)(void *owner); /* once a turn, before the sockets */
    void (*on_gone)(void *owner,
                    struct conn *c); /* a connection is gone; called after its on_closed */
    void (*on_tick)(void *owner, uint64_t now); /* every WHEEL_TICK_MS */
    void *owner;
    unsigned handles;
    void (*on_closed)(void *owner);
};

/* Opens nothing yet: turn_open does, once the callbacks are set. The metrics stay the caller's.
 */
void net_init(struct net *n, uv_loop_t *loop, size_t max_queue, struct metrics *metrics,
              void *owner);
/* Called after turn_close has called back. */
void net_deinit(struct net *n);

static inline uint64_t net_now(const struct net *n) {
    return uv_now(n->loop);
}

/* A clock of ms by which peers are judged. A turn that took long, or a time in which the
 * process was stopped, counts as at most 100 ms, since no peer could be served meanwhile. */
static inline uint64_t net_awake(const struct net *n) {
    return n->awake_ms;
}

/* There is work left: the loop does not sleep before its next turn. */
static inline void net_again(struct net *n) {
    n->again_wanted = true;
}

#endif
