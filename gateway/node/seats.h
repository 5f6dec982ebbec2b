#ifndef SLUICE_NODE_SEATS_H
#define SLUICE_NODE_SEATS_H

#include <sys/types.h>

#include "common/metrics.h"
#include "gateway/cluster/lease.h"

/*
 * What the workers of a node (the option workers) tell one another: a table in memory that they
 * share, with a seat for each of them. A worker writes its own seat only, and at each tick; so
 * each of them can answer for all. The process that starts them (workers.h) writes a seat while
 * nobody sits there.
 */
#define SEATS_MOST 128

struct seat {
    pid_t pid;       /* 0: the worker has ended */
    unsigned starts; /* how often one was started for this seat */
    uint64_t told;   /* when it was last written, by seats_now */
    bool ready;
    bool drains;
    unsigned connections;
    char incarnation[INCARNATION_SIZE];
    struct metrics metrics;
};

struct seats {
    unsigned count;
    struct metrics ended; /* what was counted by workers that have ended */
    struct seat seat[];
};

/* Makes an empty table for so many workers. *fd, which an exec closes, is for seats_attach in
 * another process. Returns NULL, with errno, on failure. */
struct seats *seats_make(unsigned count, int *fd);
/* The table of another process. Returns NULL if it is none for so many. */
struct seats *seats_attach(int fd, unsigned count);

/* Milliseconds of a clock that all processes of the machine have in common. */
uint64_t seats_now(void);

/* Why the worker of this seat is not ready, in words; NULL: it is. */
const char *seat_trouble(const struct seat *s);

/* The metrics of all workers as if they were one process, and of those that have ended. */
void seats_join(const struct seats *s, struct metrics *out);
/* The worker of this seat has ended. */
void seat_leave(struct seats *s, struct seat *left);

#endif
