#ifndef SLUICE_PRESENCE_ANNOUNCE_H
#define SLUICE_PRESENCE_ANNOUNCE_H

#include "gateway/channel/hub.h"
#include "gateway/presence/roster.h"

/*
 * Announces users that come online or go offline. Redis tells all nodes; each node tells its
 * connections in the rooms of the user, and with presence-all every connection. Messages that
 * are published to the channel `all` go to every connection, too.
 */
struct announcer {
    struct subscribers *all;
    struct hub *hub;
    struct leases *leases;
    struct rosters *rosters;
    const struct options *options;
    struct subscription *presence_bells[PARTITIONS_MOST];
    struct subscription *all_bell;
};

/* The arguments are borrowed. all: the node's subscribers. Returns 0 or UV_ENOMEM. */
int announcer_init(struct announcer *a, struct subscribers *all, struct hub *hub,
                   struct leases *leases, struct rosters *rosters,
                   const struct options *options);

/* For hub_events.on_room_event (channel.h). */
enum audience announce_room_event(struct announcer *a, struct channel *ch,
                                  const struct message *m, struct name *skip);

#endif
