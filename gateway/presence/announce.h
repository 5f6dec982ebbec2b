#ifndef SLUICE_PRESENCE_ANNOUNCE_H
#define SLUICE_PRESENCE_ANNOUNCE_H

#include "gateway/channel/hub.h"
#include "gateway/presence/roster.h"

/*
 * Comings and goings, as Redis tells all nodes of them: to the rooms that the user is a member
 * of, and, with presence-all, to everybody. So is what is published to the channel `all`.
 */
struct announcer {
    struct subscribers *all;
    struct hub *hub;
    struct lease *lease;
    struct rosters *rosters;
    const struct options *options;
    uint32_t stamp; /* of the coming or going that is being told */
    struct subscription *presence_bell;
    struct subscription *all_bell;
};

/* What is given is borrowed; all: of the node. Returns 0 or UV_ENOMEM. */
int announcer_init(struct announcer *a, struct subscribers *all, struct hub *hub,
                   struct lease *lease, struct rosters *rosters, const struct options *options);

/* From hub_events.on_room_event: who gets an ephemeral message of a room. *skip: a user whose
 * connections do not. */
enum audience announce_room_event(struct announcer *a, struct channel *ch,
                                  const struct message *m, struct name *skip);

#endif
