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

/* Reads a number that `end` follows, and goes on after that. 0: there is none. */
static unsigned long take_number(const char **at, char end) {
    char *after;
    unsigned long n = strtoul(*at, &after, 10);
    if (*after != end)
        return 0;
    *at = after + 1;
    return n;
}

static bool read_seat(const char *text, unsigned *worker, unsigned *count, int *parent) {
    *worker = (unsigned)take_number(&text, '/');
    *count = (unsigned)take_number(&text, '/');
    *parent = (int)take_number(&text, '\0');
    return *worker > 0 && *worker <= *count && *count <= SEATS_MOST && *parent > 0;
}

int worker_begin(struct node *n) {
    unsigned count;
    int parent;
    const char *text = getenv(WORKER_SEAT);
    if (text == NULL)
        return 0;
    if (!read_seat(text, &n->worker, &count, &parent))
        return fail("sluice sets it for the processes that it starts, and nobody else may");
    n->seats = seats_attach(FD_SEATS, count);
    if (n->seats == NULL)
        return fail("its table of seats is not there");
    prctl(PR_SET_NAME, "sluice"); /* the kernel has the name of the link that was executed */
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
