#ifndef SLUICE_REDIS_RISING_H
#define SLUICE_REDIS_RISING_H

#include "gateway/redis/link.h"
#include "gateway/redis/orphans.h"

/*
 * How a Redis comes up. When both links are ready and the subscriber link has heard something,
 * our connections that fell are ended (orphans.h). Then the term is asked for (term.lua). When
 * it is told, Redis is up, or hears again after it was deaf.
 */
#define TERM_SIZE 24

struct rising_events {
    /* Runs term.lua with these arguments. False: no memory. */
    bool (*ask_term)(void *owner, const struct slice args[3], redis_done done, void *arg);
    /* The term was told (shorter than TERM_SIZE): Redis is up. */
    void (*on_risen)(void *owner, struct slice term);
    /* Redis cannot come up with these links. The owner resets both. */
    void (*on_failed)(void *owner, const char *why);
};

struct rising {
    struct link *commands;
    struct link *subscriber;
    const struct rising_events *events;
    void *owner;
    uint64_t timeout_ms; /* how long the answer with the term may take */
    struct orphans orphans;
    bool asked;       /* waits for the term */
    bool stale;       /* Redis refused our term, and has told no other since */
    bool kill_warned; /* the log has said that CLIENT KILL is refused */
    uint64_t since;   /* loop time of the question */
};

/* Called while Redis is not up, or is deaf, when a link became ready or has heard something.
 * Begins if both links are ready. on_failed may be called before it returns, on_risen in a
 * later turn. */
void rising_check(struct rising *r);
/* A link fell. */
void rising_fell(struct rising *r, struct link *l);
/* Fails when the term is not told in time. Called once a turn. */
void rising_watch(struct rising *r);

#endif
