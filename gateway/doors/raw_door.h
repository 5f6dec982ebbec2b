#ifndef SLUICE_DOORS_RAW_DOOR_H
#define SLUICE_DOORS_RAW_DOOR_H

#include "gateway/net/wsock.h"
#include "gateway/redis/redis.h"

/*
 * The door `/channels/<name>`: a Redis channel of exactly that name as a WebSocket
 * (PROTOCOL.md, "The raw door"). At most once, no log. Only names opened by option exist.
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
 * Opens the channels of a list such as "events,chat:rw". Returns NULL, or what is wrong with it
 * (good until the next call). A name that is, or begins with, the prefix or "__" is refused:
 * Redis channels of our own, and Redis's keyspace events.
 */
const char *raw_door_init(struct raw_door *d, const char *list, const char *prefix);
void raw_door_deinit(struct raw_door *d);

/* Upgrades the request to a channel (its name still percent-encoded; true), or answers why not.
 */
bool raw_door_open(struct raw_door *d, const struct http_request *request,
                   struct slice encoded);

/* Closes one connection, if one is left: to drain them one by one. False: none is left. */
bool raw_door_close_one(struct raw_door *d, uint16_t code, const char *reason);

#endif
