#ifndef SLUICE_TAP_FEED_H
#define SLUICE_TAP_FEED_H

#include "gateway/hooks/hooks.h"
#include "gateway/redis/redis.h"
#include "gateway/tap/lines.h"
#include "gateway/tap/queue.h"

/*
 * What one URL of webhooks is told of one partition's tap. Of all nodes one has the lease on
 * it: it reads the tap from the place that is noted in Redis, sends one batch after the other,
 * and notes the place before the first event that has not arrived. So whoever has the lease
 * next begins there, and what it sends again has the same ids.
 */
#define FEED_LEASE_MS  6000
#define FEED_BATCH     100
#define FEED_BATCH_MS  1000
#define FEED_HASH_SIZE 17

/* What all feeds of a node share. */
struct feeds {
    struct hooks *hooks;
    struct metrics *metrics;
    const struct options *options;
    char node[FEED_HASH_SIZE]; /* who has a lease */
    bool closing;
};

struct feed {
    struct feeds *all;
    struct partition *redis;
    struct slice url; /* the owner's, as is the next */
    const char *hash;
    char types[WEBHOOK_TYPES_SIZE]; /* that are sent */
    struct tap_queue queue;
    struct list batch; /* tap_event.link: those that are sent, until they have arrived */
    struct hook_call call;
    bool asked;              /* its script is under way, */
    bool stale;              /* and its answer is of no use any more */
    bool mine;               /* it has the lease */
    bool known;              /* it had the lease in this term */
    bool more;               /* the tap has more */
    bool over;               /* it is to be freed when nothing is under way */
    char at[TAP_PLACE_SIZE]; /* up to which it has read */
    uint64_t at_n;
    uint64_t newest_n;   /* of the tap */
    uint64_t time_ms;    /* Redis's when it was asked last */
    uint64_t lease_end;  /* loop time */
    uint64_t asked_at;   /* loop time */
    uint64_t ask_at;     /* when it is asked next */
    uint64_t retry_at;   /* when the batch is sent again; 0: it is sent, or there is none */
    uint64_t batch_time; /* when it was made, in ms since 1970 */
    unsigned tries;
    uint64_t lost; /* entries that were cut off, to be told in the next body */
    char gap_from[TAP_PLACE_SIZE], gap_to[TAP_PLACE_SIZE];
};

/* The arguments are borrowed. */
struct feed *feed_new(struct feeds *all, struct partition *redis, struct slice url,
                      const char *hash, const char *types);
/* It ends, and is freed when it can be. The lease is given back. */
void feed_end(struct feed *f);
/* Does what is due. */
void feed_tick(struct feed *f, uint64_t now);
/* The partition has another term: what was read may be different now. */
void feed_reset(struct feed *f);
/* Entries of the tap that have not arrived, and how old the first of them is (ms); if it has
 * the lease. */
uint64_t feed_lag(const struct feed *f, uint64_t *ms);

#endif
