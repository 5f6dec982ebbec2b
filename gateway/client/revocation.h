#ifndef SLUICE_CLIENT_REVOCATION_H
#define SLUICE_CLIENT_REVOCATION_H

#include "gateway/client/client.h"

/*
 * Closes the connections of users whose tokens were revoked (4403), or who are to be
 * disconnected (4000). revoke.lua writes the first down and tells all nodes of both by the
 * Redis channel `<prefix>revoked`; tell.lua tells of single connections, and of all that are in
 * a room:
 *
 *      {"event":"revoked","userId":"42","before":1732155555}
 *      {"event":"disconnected","userId":"42"}
 *      {"event":"disconnected","socket":"k3hXq"}
 *      {"event":"disconnected","room":"lobby","except":["user:42"]}
 *
 * A revocation counts for tokens that were issued before that second, or that do not say when.
 * A node whose link was down has missed news. So when the link is back, it asks for all users
 * that it has, some at a time, what stands in Redis. There is one of these for each partition,
 * which has to do with that partition's users.
 */
struct revocation {
    struct clients *clients;
    struct partition *redis; /* of whose users it is */
    struct subscription *bell;
    bool confirmed;          /* news come */
    bool doubtful;           /* news may have been missed */
    bool asking;             /* a script is under way */
    struct identity **users; /* owned references: those that are to be asked for */
    size_t count;
    size_t room;
    size_t next;  /* the first one that was not asked for */
    size_t asked; /* how many the script under way asks for */
};

/* The clients are borrowed, and have their other parts already. Returns 0 or UV_ENOMEM. */
int revocation_init(struct revocation *r, struct clients *clients, struct partition *redis);
void revocation_deinit(struct revocation *r);
/* Called when the partition is up, and with each lease. */
void revocation_pump(struct revocation *r);

#endif
