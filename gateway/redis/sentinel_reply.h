#ifndef SLUICE_REDIS_SENTINEL_REPLY_H
#define SLUICE_REDIS_SENTINEL_REPLY_H

#include <stdint.h>

#include "common/slice.h"
#include "gateway/redis/address.h"
#include "gateway/redis/reply.h"

/*
 * What Sentinels answer and publish. Nothing here trusts them: what is not of the form, too
 * long or out of range counts as not told.
 */

#define SENTINEL_ID_SIZE 64

/* Another Sentinel, as SENTINEL SENTINELS lists it. */
struct sentinel_peer {
    struct redis_place place;
    char id[SENTINEL_ID_SIZE];
};

/* The answer to SENTINEL MASTER: the epoch of the configuration (the higher one is the newer
 * one), and whether the Sentinels agree that the master is down. False: it tells no epoch. */
bool sentinel_read_master(const struct reply *r, uint64_t *epoch, bool *down);

/* The same answer: how many replicas the Sentinel knows, also those that are down. False: it
 * does not tell. */
bool sentinel_read_replicas(const struct reply *r, unsigned *count);

/* The answer to SENTINEL GET-MASTER-ADDR-BY-NAME. False: it tells no address. */
bool sentinel_read_address(const struct reply *r, struct redis_place *out);

/* The answer to SENTINEL SENTINELS. Returns how many of them it wrote, at most `most`. */
size_t sentinel_read_peers(const struct reply *r, struct sentinel_peer out[], size_t most);

/* The answer to SENTINEL MYID, "" if it is none. */
void sentinel_read_id(const struct reply *r, char out[SENTINEL_ID_SIZE]);

/* A message of +switch-master, "<name> <old host> <old port> <new host> <new port>". False: it
 * is about another master, or not of this form. */
bool sentinel_read_switch(struct slice text, const char *master, struct redis_place *from,
                          struct redis_place *to);

/* True if a message of another channel can be about this master: "master <name> <host> <port>"
 * or "<kind> <name> <host> <port> @ <master> <host> <port>". */
bool sentinel_concerns(struct slice text, const char *master);

#endif
