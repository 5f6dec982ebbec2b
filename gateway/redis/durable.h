#ifndef SLUICE_REDIS_DURABLE_H
#define SLUICE_REDIS_DURABLE_H

#include "common/list.h"
#include "common/metrics.h"
#include "gateway/redis/link.h"

/*
 * The option redis-wait: an append counts only when so many replicas have it. Redis's answer to
 * an append is kept until a WAIT that Redis executed after it is answered. WAIT covers all that
 * the master had written by then, so the repeat of an append, which writes nothing, waits for
 * the first one's replicas.
 *
 * WAIT has a link of its own: Redis executes no other command of a link meanwhile, and a
 * replica that stands still must not hold up leases and reads. One WAIT is under way at a time;
 * what was appended during it shares the next one.
 */
struct durable {
    struct link link;
    const struct link *commands; /* the link of the appends: both must lead to one server */
    struct metrics *metrics;
    bool all; /* `replicas` is set by the owner, whenever it learns of others */
    unsigned replicas;
    unsigned needed;      /* by the WAIT under way */
    unsigned ms;          /* the longest WAIT; 0: off, and nothing of this is used */
    struct list answered; /* no WAIT was sent since */
    struct list waiting;  /* those that the WAIT under way covers */
    bool asked;           /* there is one */
    bool written;         /* what went before it was a write, by which Redis counts */
    uint64_t asked_at;    /* loop time of the last one */
    bool lacking;         /* the last WAIT found too few replicas */
    char name[176];
};

/* Reads "N:MS", "all:MS", or "" for off. Returns NULL, or what is wrong with the text. */
const char *durable_parse(struct durable *d, const char *text);
static inline bool durable_is_on(const struct durable *d) {
    return d->ms != 0;
}
/* Prepares it; the numbers above are set. The link is made like `commands`, which stays the
 * caller's, as do the metrics, the events and their owner. The owner opens and closes the link
 * if it is on. */
void durable_init(struct durable *d, const struct link *commands,
                  const struct link_events *events, void *owner, struct metrics *metrics);

/* True if it is off, or its link is ready: without it, Redis must not come up. */
bool durable_ready(const struct durable *d);
/* True if both links are ready, and lead to different servers. */
bool durable_astray(const struct durable *d);

/* What a call must know of its partition, which outlives it. */
struct durable_part {
    char clock[96];  /* a key that whoever appends writes */
    unsigned doubts; /* rises when its master may have been another one for a while: what that
                      * master had acknowledged may be gone, though a replica has as much */
};

/*
 * Waits for one append. The caller sends it over `commands` with durable_answered and the call
 * as its `arg`; or, if it cannot, gives the call back with durable_drop. `done` is called once,
 * in a later turn or when the link falls: with Redis's answer (valid until it returns); or
 * without one, with OUTCOME_UNKNOWN, also when too few replicas had it in time, or part.doubts
 * has risen. Returns NULL without memory.
 */
struct durable_call *durable_begin(struct durable *d, const struct durable_part *part,
                                   redis_done done, void *arg);
void durable_answered(void *call, const struct reply *reply, enum outcome outcome);
void durable_drop(struct durable_call *call);
/* The call, which is the argument of durable_answered, is sent to another server now. */
void durable_move(void *call, struct durable *to);

/* A link has fallen, or is closed: the calls that Redis had answered are over, too. */
void durable_fell(struct durable *d);
/* Called once a turn: drops the link if WAIT was not answered long after its own limit. */
void durable_watch(struct durable *d);
/* Called once a turn: sends WAIT for what was answered, and writes it out. */
void durable_flush(struct durable *d);

#endif
