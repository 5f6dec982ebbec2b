#ifndef SLUICE_SESSION_RECOVERED_H
#define SLUICE_SESSION_RECOVERED_H

#include "gateway/channel/name.h"
#include "gateway/channel/position.h"
#include "gateway/channel/subscriber.h"
#include "gateway/redis/reply.h"

/* The state of a session that is being recovered, as session.lua answers it. */
struct recovered_channel {
    char name[CHANNEL_NAME_SIZE];
    struct position floor;
    uint64_t since;
    struct position at; /* up to where the client has messages; the recovery finds it */
    bool moved;         /* the same */
    bool granted;       /* as sub.granted */
};
struct recovered {
    struct name user;
    struct name username;
    struct name role;
    char origin[CLIENT_ID_SIZE];
    char room[CHANNEL_NAME_SIZE]; /* the default room's channel, or empty */
    struct recovered_channel *channels;
    size_t count;
    uint64_t base; /* the time of the offset; the recovery sets it */
    uint64_t clock;
    uint64_t from; /* the first term in which Redis was this server */
    uint32_t salt;
    char *state; /* owned: as client.state; or NULL */
};

/* Reads the answer to a claim, whose first item is the status, into a zeroed struct. False: the
 * answer has no session of ours, or there is no memory. */
bool recovered_read(struct recovered *what, const struct reply *reply);
/* Frees what it holds, and zeroes it. */
void recovered_deinit(struct recovered *what);

#endif
