#include "gateway/node/worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "gateway/node/ports.h"

static int fail(const char *why) {
    fprintf(stderr, "sluice: %s: %s\n", WORKER_SEAT, why);
    return 1;
}

/* Its children, if it had any, would be no workers. */
static bool read_seat(unsigned *worker, unsigned *count, int *parent) {
    const char *text = getenv(WORKER_SEAT);
    bool good = sscanf(text, "%u/%u/%d", worker, count, parent) == 3 && *worker > 0 &&
                *worker <= *count && *count <= SEATS_MOST;
    unsetenv(WORKER_SEAT);
    return good;
}

int worker_begin(struct node *n) {
    unsigned count;
    int parent;
    if (getenv(WORKER_SEAT) == NULL)
        return 0;
    if (!read_seat(&n->worker, &count, &parent))
        return fail("sluice sets it for the processes that it starts, and nobody else may");
    n->seats = seats_attach(FD_SEATS, count);
    if (n->seats == NULL)
        return fail("its table of seats is not there");
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    return getppid() == parent ? 0 : fail("the process that has started it is gone");
}

void worker_tell(struct node *n) {
    if (n->seats == NULL)
        return;
    struct seat *s = &n->seats->seat[n->worker - 1];
    s->ready = node_is_ready(n);
    s->drains = n->state > NODE_SERVING;
    s->connections = n->net.count;
    memcpy(s->incarnation, lease_first(&n->domain.leases)->incarnation, sizeof s->incarnation);
    s->metrics = n->metrics;
    s->told = seats_now();
}
