#ifndef SLUICE_SESSION_RECOVERED_H
#define SLUICE_SESSION_RECOVERED_H

#include "gateway/channel/name.h"
#include "gateway/channel/position.h"
#include "gateway/channel/subscriber.h"
#include "gateway/redis/reply.h"

/* What Redis has of a session that is claimed, as session.lua answers it. */
struct recovered_channel {
    char name[CHANNEL_NAME_SIZE];
    struct position floor;
    uint64_t since;
    struct position at; /* what the client has: found out by the recovery */
    bool moved;         /* the same */
};
struct recovered {
    struct name user;
    struct name username;
    struct name role;
    char origin[CLIENT_ID_SIZE];
    char room[CHANNEL_NAME_SIZE]; /* the default room's channel, or empty */
    struct recovered_channel *channels;
    size_t count;
    uint64_t base; /* the time of the offset: the recovery's */
    uint64_t clock;
    uint32_t salt;
};

/* Reads the answer to a claim, status first, into a zeroed struct. False: it is none of ours,
 * or no memory. */
bool recovered_read(struct recovered *what, const struct reply *reply);
/* It is zeroed. */
void recovered_deinit(struct recovered *what);

#endif
