#ifndef SLUICE_NET_NET_H
#define SLUICE_NET_NET_H

#include <uv.h>

#include "common/list.h"
#include "common/metrics.h"
#include "common/wheel.h"
#include "gateway/net/queue.h"

/*
 * What the connections of a loop share: memory, deadlines and lists. It is driven by turn.h:
 * what was queued in a turn of the loop is written at its end, in one go for each socket, with
 * a budget of time; what the budget leaves goes first in the next turn.
 */
struct conn;

/* A write that the kernel did not take at once (conn.c). Pooled: few connections have one. */
struct pending_write {
    union {
        uv_write_t write;
        struct pending_write *next; /* in the net's free_writes */
    } as;
    struct conn *conn;
    size_t bytes;
};

struct net {
    uv_loop_t *loop;
    struct wheel wheel;
    struct slabs slabs;
    struct list conns;
    struct list http_idle; /* of http.c: those that may be closed to make room, oldest first */
    struct list dirty;
    struct list flushing; /* empty outside of a flush */
    bool again_wanted;    /* net_again was called since the last flush */
    struct out_pool out;
    struct pending_write *free_writes;
    unsigned count;
    unsigned doors[DOOR_COUNT]; /* of these, by door */
    size_t max_queue;
    size_t requests_held; /* bytes of memory for requests that are not answered yet */
    struct metrics *metrics;
    uint64_t awake_ms;    /* net_awake */
    uint64_t awake_at;    /* loop time of when that was counted last */
    uint64_t turn_began;  /* ns: the loop turn that is measured */
    uint64_t turn_waited; /* ns that the loop had slept by then */
    uv_prepare_t prepare;
    uv_idle_t again; /* keeps the loop turning while the budget left work */
    uv_timer_t tick;
    uv_tcp_t turned_away; /* a connection that there was no memory for */
    uv_stream_t *turned_from;
    bool turning_away;                            /* it is closing */
    bool turn_next;                               /* and another one waits */
    void (*before_flush)(void *owner);            /* once a turn, before the sockets */
    void (*on_gone)(void *owner, struct conn *c); /* one less, after its on_closed */
    void (*on_tick)(void *owner, uint64_t now);   /* every WHEEL_TICK_MS */
    void *owner;
    unsigned handles;
    void (*on_closed)(void *owner);
};

/* Opens nothing yet: turn_open does, once the callbacks are set. The metrics stay the caller's.
 */
void net_init(struct net *n, uv_loop_t *loop, size_t max_queue, struct metrics *metrics,
              void *owner);
/* After turn_close has called back. */
void net_deinit(struct net *n);

static inline uint64_t net_now(const struct net *n) {
    return uv_now(n->loop);
}

/* A clock of ms to judge others by: in a turn that took long, or after the process was stopped,
 * it has gone by 100 only, since nobody had a chance meanwhile. */
static inline uint64_t net_awake(const struct net *n) {
    return n->awake_ms;
}

/* The loop does not sleep before its next turn: there is work left. */
static inline void net_again(struct net *n) {
    n->again_wanted = true;
}

#endif
