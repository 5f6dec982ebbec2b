#ifndef SLUICE_REDIS_TOPOLOGY_H
#define SLUICE_REDIS_TOPOLOGY_H

#include "gateway/redis/sentinel.h"

/*
 * Who is the master. It asks all Sentinels, those of the URL and those of which they tell, and
 * decides:
 *
 * - The highest epoch of a configuration wins, for it is the newest one. Of several masters
 * with one epoch it is the one that most Sentinels name, and then the one that it was before.
 * - An epoch never falls, so a Sentinel that was away and has old news changes nothing, even
 *   while it is the only one. The exception are Sentinels that were set up again and begin with
 *   a low epoch: they are believed when the master has been away for 10 s and most of all known
 *   Sentinels answer.
 * - A Sentinel that tells no epoch (it may be forbidden) counts as one of epoch 0, and after
 * each change of its opinion as the newest one.
 * - The first master is named when all Sentinels have answered or failed, or 500 ms after the
 *   first answer.
 * - +switch-master tells no epoch. If it names our master as the old one, the new one is taken
 *   at once. Should that Sentinel be behind the others, its next answer says so, and we go
 * back.
 */
struct topology_config {
    struct redis_seeds seeds;
    struct redis_address login; /* of the Sentinels: user, password, tls */
    const char *node;
    uint64_t timeout_ms;
};

struct topology_events {
    /* The master is now there; why: for the log. Called in a later turn than topology_open. */
    void (*on_master)(void *owner, const struct redis_place *master, const char *why);
    /* A replica is about to be promoted, while the master may go on to acknowledge what is lost
     * then: on_master follows within a second or two, or the failover comes to nothing. */
    void (*on_failover)(void *owner);
};

struct topology {
    uv_loop_t *loop;
    struct topology_config config;
    const struct topology_events *events;
    void *owner;
    SSL_CTX *tls_context;
    char name[160]; /* of its links */
    struct sentinel *all[SENTINELS_MOST];
    size_t count;
    unsigned leaving; /* Sentinels that are being closed */
    bool closing;

    bool found;                /* `master` has been named */
    struct redis_place master; /* where the links are sent */
    struct redis_place
        confirmed;           /* the master by the epoch: the same, unless it is announced */
    uint64_t epoch;          /* of the configuration with the confirmed one */
    struct sentinel *herald; /* announced the master and has not told its epoch yet; or NULL */
    unsigned herald_answers; /* the last of so many answers was asked for after that */
    uint64_t herald_since;   /* loop time */
    uint64_t down_since;     /* loop time since which the master is not up; 0: it is */
    bool began;              /* the first master may be named */
    uv_timer_t tick;
    uv_timer_t begin;
    unsigned open_parts;
    void (*on_closed)(struct topology *t);
};

/* Prepares it; nothing is opened. config is copied, except for `node`. */
void topology_init(struct topology *t, uv_loop_t *loop, const struct topology_config *config,
                   const struct topology_events *events, void *owner);
void topology_open(struct topology *t);
/* The Sentinels' links use this context from their next connection on. */
void topology_use_tls(struct topology *t, SSL_CTX *context);
/* Closes it; no on_master comes after this. on_closed is called in a later turn. */
void topology_close(struct topology *t, void (*on_closed)(struct topology *t));

/* The master is up. */
void topology_settled(struct topology *t);
/* The master cannot be reached, or is none: asks all Sentinels again. on_master may be called
 * before it returns. */
void topology_doubt(struct topology *t);

/* Why no master was found; NULL if one was. Valid until the fourth call of log_text from now.
 */
const char *topology_trouble(const struct topology *t);
/* True if a Sentinel with the newest configuration tells that they agree that it is down. */
bool topology_holds_down(const struct topology *t);
/* How many Sentinels are known, and how many of them can be asked and watch the master. */
size_t topology_known(const struct topology *t);
size_t topology_answering(const struct topology *t);

/* How many replicas the master has, also those that are down: the most that a Sentinel knows
 * which has the newest configuration. At least 1, since a Sentinel that was just set up may not
 * have found any yet. */
unsigned topology_replicas(const struct topology *t);

/* Writes out what the turn gathered. */
void topology_flush(struct topology *t);

#endif
