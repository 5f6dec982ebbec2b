#ifndef SLUICE_PRESENCE_TOPICS_H
#define SLUICE_PRESENCE_TOPICS_H

#include "gateway/channel/channel.h"
#include "gateway/cluster/leases.h"

/*
 * Tells Redis in which topics this node has subscribers, so that the tap has channel_occupied
 * and channel_vacated. Only where the option tap names topics. What a dead node had is taken
 * out with its users (reap.lua).
 */
struct topics {
    struct leases *leases;
    struct hub *hub;
    struct topic_shelf {
        struct topics *all;
        struct lease *lease;
        struct buf names; /* of topics that have changed, each with a NUL */
        struct buf sent;  /* of those that are told just now */
        bool asked;
    } shelves[PARTITIONS_MOST];
};

/* The arguments are borrowed. */
void topics_init(struct topics *t, struct leases *leases, struct hub *hub);
void topics_deinit(struct topics *t);
/* The node's first subscriber has come to the channel, or the last one goes; or not. */
void topics_changed(struct topics *t, const struct channel *ch);
/* This incarnation has its lease, and has told nothing yet. */
void topics_leased(struct topics *t, struct lease *l);
/* Tells what has changed. */
void topics_tick(struct topics *t);

#endif
