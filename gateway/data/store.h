#ifndef SLUICE_DATA_STORE_H
#define SLUICE_DATA_STORE_H

#include "gateway/data/finder.h"
#include "gateway/redis/link.h"

/*
 * The Redis of a deployment, for commands that do one thing after the other: a link to each
 * master. Many commands may be under way at once. The first thing that goes wrong ends it:
 * `why` says what, and nothing is called back any more.
 */
struct store;
struct store_link {
    struct link link;
    struct redis_address address;
    struct store *store;
    bool ready;
};

struct store {
    const struct deployment *d;
    uv_loop_t *loop;
    uv_prepare_t prepare;
    struct store_link links[FINDER_MOST + 1];
    unsigned count;           /* of links */
    unsigned of[FINDER_MOST]; /* for each partition, its link */
    unsigned keeper;          /* of a Cluster: the link to who has the number of partitions */
    unsigned partitions;      /* of a Cluster: the number on which its nodes agreed; 0 */
    unsigned pending;         /* commands that are not answered */
    bool failed, stuck;       /* stuck: as found.stuck */
    char why[512];
};

/* Finds the masters and connects to them. Turns the loop until that is done, or has failed. */
bool store_open(struct store *s, uv_loop_t *loop, const struct deployment *d, SSL_CTX *tls);
/* Closes it, also after it failed to open. Turns the loop. */
void store_close(struct store *s);

/* Sends a command over the link with this number. done: as redis_done, but reply is never NULL;
 * may be NULL itself. It may send more commands. */
void store_send(struct store *s, unsigned link, size_t argc, const struct slice argv[],
                void (*done)(void *arg, const struct reply *reply), void *arg);
/* The same with texts. The list ends with NULL. */
void store_say(struct store *s, unsigned link, void (*done)(void *arg, const struct reply *),
               void *arg, const char *word, ...) __attribute__((sentinel));
/* Turns the loop until every command of both is answered; b may be NULL. False: one failed. */
bool store_wait(struct store *a, struct store *b);
/* It cannot go on, for this reason. The first one counts. */
void store_fail(struct store *s, const char *why);

#endif
