#ifndef SLUICE_REDIS_ORPHANS_H
#define SLUICE_REDIS_ORPHANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Our connections that fell. For Redis such a connection may still be open, and its last
 * commands may arrive seconds later, after those of the next connection. So each one is noted
 * when it falls, with its server, and is ended (CLIENT KILL ID) before the node is up again on
 * that server. The run_id identifies the server, because the connections' ids begin again after
 * a restart.
 */
/* When there are more, the oldest are forgotten. The scripts do not take them for ours either.
 */
#define ORPHANS_MOST 64

struct orphan {
    char run[64];
    uint64_t id;
};

struct orphans {
    struct orphan all[ORPHANS_MOST]; /* the oldest first */
    size_t count;
};

/* Notes a connection, with run and id from the greeting. A link that was not greeted has "" or
 * 0, and is not noted. */
void orphans_add(struct orphans *o, const char *run, uint64_t id);
/* Forgets the connections to this server: they were ended, or cannot be. */
void orphans_forget(struct orphans *o, const char *run);

#endif
