#ifndef SLUICE_NODE_PORTS_H
#define SLUICE_NODE_PORTS_H

#include "gateway/node/node.h"

/*
 * The ports on which a node listens: the public one (the options listen and listen-mode) and,
 * where it is asked for, the internal one (internal-listen). And the address at which other
 * nodes reach this one (advertise). With workers each has a third port of its own: one after
 * the other after the internal one, or, if there is none, free ones of the loopback.
 */

/*
 * The ports of a node with workers: for each worker one at the public address, between which
 * the kernel spreads the connections (but a path, which all share), and one at which other
 * nodes reach that worker; and the internal one, which all share.
 */
struct offer {
    unsigned count;      /* of workers */
    struct port *public; /* as many; a path: one */
    struct port *own;
    struct port internal; /* PORT_NONE: not asked for */
};

/* The descriptors that a worker gets, in this order, after the standard streams and that of the
 * table of seats. The last one is there if internal-listen is given. */
enum { FD_SEATS = 3, FD_PUBLIC, FD_OWN, FD_INTERNAL };

/* Opens them, for a process that starts workers. Returns 0, or 1 after an error on standard
 * error. What was opened, the end of the process closes. */
int ports_offer(struct node *n, unsigned count, struct offer *out);
/* A path is removed, so that no new connection begins there. */
void ports_withdraw(const struct offer *o);

/* Opens them; those of a worker are there already. on_connection is called for each connection,
 * with the struct port, whose owner is the node, as the stream's data. Returns 0, or 1 after an
 * error on standard error. */
int ports_open(struct node *n,
               void (*on_connection)(struct port *, int, const struct sockaddr *));

/* Logs a warning if the internal port may be reached from the internet, or if other nodes
 * cannot reach this one. */
void ports_warn(struct node *n);

/* The address that other nodes are told: advertise, or else where they can hand requests over.
 */
void ports_advertise(struct node *n);

/* Let no new connection begin on either, or close both. */
void ports_quiet(struct node *n);
void ports_close(struct node *n);

#endif
