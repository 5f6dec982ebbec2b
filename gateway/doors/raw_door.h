#ifndef SLUICE_DOORS_RAW_DOOR_H
#define SLUICE_DOORS_RAW_DOOR_H

#include "gateway/net/wsock.h"
#include "gateway/redis/redis.h"

/*
 * The door `/channels/<name>`: a Redis channel of exactly that name as a WebSocket
 * (PROTOCOL.md, "The raw door"). Messages are delivered at most once, and there is no log. Only
 * names that an option opens exist.
 */
struct raw_channel;

struct raw_door {
    struct redis *redis;
    struct wsock_shared *shared;
    struct metrics *metrics;
    struct raw_channel *channels;
    size_t count;
};

/*
 * Opens the channels of a list such as "events,chat:rw". Returns NULL, or what is wrong with
 * the list (valid until the next call). A name that begins with the prefix or with "__" is
 * refused, because these are our own Redis channels and Redis's keyspace events.
 */
const char *raw_door_init(struct raw_door *d, const char *list, const char *prefix);
void raw_door_deinit(struct raw_door *d);

/* Upgrades the request to a channel (its name is still percent-encoded) and returns true, or
 * answers it with the reason why not. */
bool raw_door_open(struct raw_door *d, const struct http_request *request,
                   struct slice encoded);

/* Closes one connection, so that all can be drained one by one. False: none is left. */
bool raw_door_close_one(struct raw_door *d, uint16_t code, const char *reason);

#endif
