#ifndef SLUICE_REDIS_RISING_H
#define SLUICE_REDIS_RISING_H

#include "gateway/redis/link.h"
#include "gateway/redis/orphans.h"

/*
 * How a Redis comes up. When both links are ready and the subscriber link has heard something,
 * connections of ours that fell are ended (orphans.h). Then the term is asked for (term.lua),
 * and with its answer the Redis is up, or hears again after it was deaf.
 */
#define TERM_SIZE 24

struct rising_events {
    /* Runs term.lua with these arguments. False: no memory. */
    bool (*ask_term)(void *owner, const struct slice args[3], redis_done done, void *arg);
    /* The term was told, below TERM_SIZE in length: it is up. */
    void (*on_risen)(void *owner, struct slice term);
    /* It cannot come up so: both links are to be reset. */
    void (*on_failed)(void *owner, const char *why);
};

struct rising {
    struct link *commands;
    struct link *subscriber;
    const struct rising_events *events;
    void *owner;
    uint64_t timeout_ms; /* for the term to be told */
    struct orphans orphans;
    bool asked;       /* the term was asked for: up when it is told */
    bool stale;       /* Redis refused our term, and none was told since */
    bool kill_warned; /* CLIENT KILL is refused: told once */
    uint64_t since;   /* loop time of the question */
};

/* It is not up, or is deaf, and a link became ready, or has heard something: begins if all is
 * there. on_failed may be called before it returns, on_risen in a later turn. */
void rising_check(struct rising *r);
/* A link fell. */
void rising_fell(struct rising *r, struct link *l);
/* Fails when the term is not told in time; called once a turn. */
void rising_watch(struct rising *r);

#endif
