#ifndef SLUICE_REDIS_ORPHANS_H
#define SLUICE_REDIS_ORPHANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Connections of ours that fell. Redis may still hold one as open, and its last commands may
 * arrive seconds later, after those of the next connection. So each is noted when it falls,
 * with the server that it led to, and is ended (CLIENT KILL ID) before the node is up again on
 * that server. A server is known by its run_id: after a restart ids begin again.
 */
/* The oldest are forgotten; scripts do not take them for ours either. */
#define ORPHANS_MOST 64

struct orphan {
    char run[64];
    uint64_t id;
};

struct orphans {
    struct orphan all[ORPHANS_MOST]; /* the oldest first */
    size_t count;
};

/* run and id as the greeting had them; "" or 0, of a link that was not greeted, are not noted.
 */
void orphans_add(struct orphans *o, const char *run, uint64_t id);
/* Those of this server are ended, or cannot be. */
void orphans_forget(struct orphans *o, const char *run);

#endif
