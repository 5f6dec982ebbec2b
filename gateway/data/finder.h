#ifndef SLUICE_DATA_FINDER_H
#define SLUICE_DATA_FINDER_H

#include <openssl/ssl.h>

#include "gateway/data/deployment.h"

/*
 * Finds out who is the master of each partition: it asks the Redis of the URL whether it is
 * one, or the Sentinels, or the nodes of a Cluster. Nothing is written.
 */
#define FINDER_MOST 64 /* partitions */

struct found {
    bool known[FINDER_MOST];
    struct redis_place at[FINDER_MOST]; /* the master, if it is known */
    unsigned partitions; /* of a Cluster: how many its nodes have agreed on; 0: nobody has */
    struct redis_place keeper; /* of a Cluster: who has the key with that number, if known */
    char why[512];             /* why not all is known; "" if it is */
    bool stuck;                /* a question is still under way: the process may only _exit */
};

/* Fills in *out. wanted: the partitions of which the master is needed. tls: for links, or NULL.
 * It takes at most redis-timeout, and ends earlier when nobody can be asked. It has a loop of
 * its own, which is gone when it returns. */
void finder_find(const struct deployment *d, SSL_CTX *tls, const bool wanted[FINDER_MOST],
                 struct found *out);

#endif
