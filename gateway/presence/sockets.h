#ifndef SLUICE_PRESENCE_SOCKETS_H
#define SLUICE_PRESENCE_SOCKETS_H

#include "gateway/channel/subscriber.h"
#include "gateway/redis/redis.h"

/*
 * The sockets of this process by their ids, and the doorbell that rings for them.
 *
 * An id ends with the mark of the process that made it (subscriber.h). What is sent to
 * `socket:ID` is published on the doorbell of the name `socket:<mark>`, as a frame of the
 * channel `socket:ID`. Each process listens to that of its own mark. A socket that is recovered
 * in another process keeps its id: then that process listens to the doorbell of the id's mark,
 * too, as long as it has such a socket. So an id is good for the whole life of its socket, and
 * nobody has to know where that is.
 */
struct sockets_bell;

struct sockets {
    struct redis *redis;
    struct slabs *slabs;
    const char *mark; /* this process's */
    struct list bells;
    struct subscriber **buckets;
    size_t size; /* of that array: a power of two, or 0 */
    size_t count;
};

/* The arguments are borrowed. Returns 0 or UV_ENOMEM. */
int sockets_init(struct sockets *all, struct redis *redis, struct slabs *slabs,
                 const char *mark);
void sockets_deinit(struct sockets *all);

/* From now on the subscriber is found by the id of its socket, which does not change any more.
 * Nothing happens if it is found already. False: no memory. */
bool sockets_enter(struct sockets *all, struct subscriber *s);
void sockets_leave(struct sockets *all, struct subscriber *s);

/* The subscriber whose socket has this id; NULL: it is not here. */
struct subscriber *sockets_find(const struct sockets *all, struct slice id);

#endif
