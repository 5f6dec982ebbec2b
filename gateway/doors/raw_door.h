#ifndef SLUICE_DOORS_RAW_DOOR_H
#define SLUICE_DOORS_RAW_DOOR_H

#include "common/wheel.h"
#include "gateway/client/holders.h"
#include "gateway/doors/handshake.h"
#include "gateway/presence/raw_users.h"

/*
 * The door `/channels/<name>`: a Redis channel of exactly that name as a WebSocket
 * (PROTOCOL.md, "The raw door"). Messages are delivered at most once, and there is no log. Only
 * names that an option opens exist.
 *
 * With identity on, a connection needs a token, which says which channels it may read, and
 * write to, or it is a guest's. It counts for max-connections-per-user, and is closed when its
 * token ends.
 */
struct raw_channel;

struct raw_door {
    struct redis *redis;
    struct handshakes *handshakes;
    struct raw_users *users;
    struct clients *clients; /* for the back end that is asked */
    struct holders *holders;
    struct metrics *metrics;
    struct wheel ends; /* of tokens */
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

/* The parts above are set, and the list is read. */
void raw_door_open(struct raw_door *d);

/* Upgrades the request to a channel (its name is still percent-encoded), at once or when its
 * token was checked, or answers it with the reason why not. */
void raw_door_route(struct raw_door *d, const struct http_request *request,
                    struct slice encoded);

/* Closes connections whose tokens have ended. */
void raw_door_tick(struct raw_door *d, uint64_t now);

/* Closes one connection, so that all can be drained one by one. False: none is left. */
bool raw_door_close_one(struct raw_door *d, uint16_t code, const char *reason);

#endif
